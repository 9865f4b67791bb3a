"""A network's outputs by numba kernels, as a function of torch with derivatives of any order.

The first derivatives are the kernels' too; a backward pass that is itself differentiated, or computes many at once, is
torch's, of the same network.

Shapes: s members, n samples, i inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kancli.kan.compiled.table_pass import NAMES, TablePass
from kancli.kan.compiled.wide_pass import WidePass, is_wide
from kancli.kan.network import KAN


def outputs(model: KAN, x: Tensor) -> Tensor:
    """y `[(s,) n, o]` at x `[(s,) n, i]` of a model that `kernels.serves`, called outside of torch's transforms."""
    tensors = [getattr(layer, name) for layer in model.layers for name in NAMES]
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in (x, *tensors)):
        masks = [layer.mask for layer in model.layers]
        return _Outputs.apply(model, x, *masks, *tensors)  # pyright: ignore[reportReturnType]
    return _as_outputs(_pass(model, x, keeps_nodes=False).outputs(), model, x)


def _pass(model: KAN, x: Tensor, *, keeps_nodes: bool) -> TablePass | WidePass:
    own = _numbers(_without_copies(x if x.dim() > 2 else x.unsqueeze(0)))  # [1 or s, n, i]
    return (WidePass if is_wide(model) else TablePass)(model, own, keeps_nodes=keeps_nodes)


def _as_outputs(y: np.ndarray, model: KAN, x: Tensor) -> Tensor:
    return torch.from_numpy(y).reshape(*x.shape[:-1], model.width[-1])


class _Outputs(torch.autograd.Function):
    """`outputs`, where gradients are wanted."""

    @staticmethod
    def forward(ctx: Any, model: KAN, x: Tensor, *tensors: Tensor | None) -> Tensor:
        ctx.model, ctx.work = model, _pass(model, x, keeps_nodes=True)
        ctx.save_for_backward(x, *tensors)
        return _as_outputs(ctx.work.outputs(), model, x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,), needed = grads, ctx.needs_input_grad[1:]
        x, *tensors = ctx.saved_tensors  # raises an error if one was changed in place
        masks, parameters = tensors[: len(ctx.model.layers)], tensors[len(ctx.model.layers) :]
        if torch.is_grad_enabled() or not _has_numbers(grad):
            return None, *_by_torch(ctx.model, x, masks, parameters, grad, needed)
        given = _numbers(grad.reshape(ctx.model.n_members or 1, *grad.shape[-2:]))  # [s, n, o]
        x_grads, found = ctx.work.gradients(given, wants_x=needed[0])
        x_grad, own = torch.from_numpy(x_grads).reshape(x.shape) if needed[0] else None, iter(found)
        split = [None if tensor is None else torch.from_numpy(next(own)).reshape(tensor.shape) for tensor in parameters]
        return None, x_grad, *(None for _ in masks), *split


def _by_torch(
    model: KAN,
    x: Tensor,
    masks: Sequence[Tensor | None],
    parameters: Sequence[Tensor | None],
    grad: Tensor,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients by all tensors, as torch computes them: differentiable, or of many backward passes at once."""
    twin = model.blank(model.n_members)
    own = iter(parameters)
    for new, layer, mask in zip(twin.layers, model.layers, masks, strict=True):
        new.copy_constants_(layer, lambda tensor: tensor)
        new.mask = mask
        for name in NAMES:
            new._parameters[name] = next(own)  # pyright: ignore[reportArgumentType]
    inputs = [x, *masks, *parameters]
    wanted = [tensor for tensor, is_needed in zip(inputs, needed, strict=True) if is_needed]
    creates_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        found = iter(torch.autograd.grad(twin(x), wanted, grad, create_graph=creates_graph))
    return [next(found) if is_needed else None for is_needed in needed]


def _without_copies(x: Tensor) -> Tensor:
    """Samples that all members share, once."""
    return x[:1] if x.stride(0) == 0 else x


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().resolve_neg().contiguous().numpy()


def _has_numbers(tensor: Tensor) -> bool:
    """Whether a tensor is one that numpy can read, not a batch of tensors of torch's vmap."""
    try:
        tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        return False
    return True
