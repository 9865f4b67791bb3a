"""The residual functions b(x) of a KAN, by name. A name reaches nothing but the functions listed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

# Elementwise, defined and finite on all reals but for overflow, no required argument. Functions that draw random
# numbers (rrelu, dropout) or mix samples (softmax) are left out.
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
    """The elementwise function of that name: `silu`, `identity`, `zero`, or as in torch.nn.functional or torch.

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
    """The derivative of an elementwise function, as torch differentiates it."""
    import torch

    def derivative(x: Tensor) -> Tensor:
        with torch.enable_grad():
            place = x.detach().requires_grad_()
            value = function(place)
            if not value.requires_grad:  # a constant
                return torch.zeros_like(x)
            return torch.autograd.grad(value.sum(), place)[0]

    return derivative
