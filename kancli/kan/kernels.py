"""Which kernel computes a forward pass: numba's, where it is installed, serves the network, and saves time; else torch.

The choice depends on sizes alone, never on timings or on what is compiled already.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules import module
from torch.utils._python_dispatch import _get_current_dispatch_mode

from kancli.errors import ConfigError
from kancli.kan import compiled
from kancli.kan.base_functions import base_function
from kancli.kan.layer import KANLayer
from kancli.kan.network import KAN
from kancli.kan.tracing import is_transformed

Kernel = Literal["auto", "numba", "torch"]
KERNELS = get_args(Kernel)
BASE_FUNCTIONS = ("silu", "identity", "zero")  # of the kernels
MIN_FACTORS = 2**26  # of edges: 4 ms by torch; loading numba and its kernels takes about 1 s


def check_kernel(kernel: Any) -> None:
    """Check the name of a kernel.

    Raises:
        ConfigError: there is none of that name, or numba isn't installed.
    """
    if kernel not in KERNELS:
        raise ConfigError([f"kernel={kernel}: allowed: {', '.join(KERNELS)}"])
    if kernel == "numba" and not compiled.is_available():
        raise ConfigError(["kernel=numba needs numba: pip install 'kancli[fast]', or kernel='torch'"])


def outputs(model: KAN, x: Tensor, kernel: Kernel) -> Tensor:
    """The model at x `[(s,) n, n_0]`, by the kernel that is asked for: numba's only where it can."""
    if not use_compiled(model, x, kernel):
        return KAN.forward(model, x)
    from kancli.kan.compiled import autograd

    return autograd.outputs(model, model._add_member_axis(x))


def use_compiled(model: KAN, x: Tensor, kernel: Kernel) -> bool:
    """Whether numba's kernels compute the outputs at x `[(s,) n, n_0]`."""
    if kernel == "torch" or (kernel == "auto" and n_factors(model, x) < MIN_FACTORS):
        return False
    return compiled.is_available() and serves(model) and _is_plain_call(model, x)


def n_factors(model: KAN, x: Tensor) -> int:
    """Of the sums over all edges, members and samples."""
    n_members = (model.n_members or 1) if x.dim() == 2 else len(x)
    return n_members * x.shape[-2] * sum(layer.n_factors * layer.n_out for layer in model.layers)


def serves(model: KAN) -> bool:
    """Whether the kernels have what a network is made of: on the CPU, shared knots, splines of order 1 and above."""
    first = model.layers[0]
    like = first.coef
    if like.device.type != "cpu" or like.dtype not in (torch.float32, torch.float64):
        return False
    if first.k < 1 or first.base_name not in BASE_FUNCTIONS or first.base_fun is not base_function(first.base_name):
        return False
    return all(_is_like(layer, first) for layer in model.layers)


def _is_like(layer: KANLayer, first: KANLayer) -> bool:
    same = ("grid", "k", "grid_range", "base_name", "base_fun", "n_members")
    return (
        not layer.standardise
        and not layer.per_input_knots
        and (layer.bias is None) == (first.bias is None)
        and all(getattr(layer, name) == getattr(first, name) for name in same)
        and all(tensor.dtype == first.coef.dtype for tensor in layer.parameters(recurse=False))
    )


def _is_plain_call(model: KAN, x: Tensor) -> bool:
    """Whether this is an ordinary call: no transform or mode of torch, no hook, no subclass of a tensor or layer."""
    if is_transformed() or _get_current_dispatch_mode() is not None or module._has_any_global_hook():
        return False
    tensors = [x, *(tensor for layer in model.layers for tensor in layer.parameters(recurse=False))]
    return all(type(tensor) in (Tensor, nn.Parameter) for tensor in tensors) and not any(map(_is_hooked, model.layers))


def _is_hooked(layer: nn.Module) -> bool:
    hooks = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)
    return type(layer) is not KANLayer or "forward" in vars(layer) or any(hooks)
