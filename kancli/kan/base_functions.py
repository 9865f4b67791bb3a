"""The base functions b(x) of a KAN, by name. Only the functions listed here can be named."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

# Elementwise, without required arguments, finite on all reals except for overflow. Excluded: functions that draw random
# numbers (rrelu, dropout) or mix samples (softmax).
IN_FUNCTIONAL = (
    "celu",
    "elu",
    "gelu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "silu",
    "softplus",
    "softshrink",
    "softsign",
    "tanhshrink",
)
IN_TORCH = ("abs", "arctan", "atan", "cos", "erf", "exp", "sigmoid", "sin", "sinc", "square", "tanh")
NAMES = tuple(sorted((*IN_FUNCTIONAL, *IN_TORCH, "identity", "zero")))


def _identity(x: Tensor) -> Tensor:
    return x


def base_function(name: str) -> Callable[[Tensor], Tensor]:
    """The function of that name: `identity`, `zero`, or the one in torch.nn.functional or torch.

    Raises:
        KeyError: the name is not in `NAMES`.
    """
    import torch

    if name == "identity":
        return _identity
    if name == "zero":
        return torch.zeros_like
    if name in IN_FUNCTIONAL:
        return getattr(torch.nn.functional, name)
    if name in IN_TORCH:
        return getattr(torch, name)
    raise KeyError(name)


def derivative_of(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The derivative of an elementwise function, by automatic differentiation."""
    import torch

    def derivative(x: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = x.detach().clone().requires_grad_()  # a clone, as x may be from inference mode
            value = function(leaf)
            if not value.requires_grad:  # a constant
                return torch.zeros_like(x)
            return torch.autograd.grad(value.sum(), leaf)[0]

    return derivative
