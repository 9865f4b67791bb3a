"""Evaluate formulas with torch, in float64."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kancli.kan.edge_sums import apply_elementwise
from kancli.tasks.expression import Call, Formula


def evaluate(formula: Formula, x: Tensor) -> Tensor:
    """The values of a formula.

    Args:
        x: `[n, n_in]`, float64.

    Returns:
        `[n, 1]`; not finite where the formula is not defined.
    """
    values: list[Tensor] = []
    for step in formula.steps:
        if isinstance(step, Call):
            arguments = [values.pop() for _ in range(step.n_arguments)][::-1]
            values.append(_call(step.name, arguments))
        else:
            values.append(x[:, step] if isinstance(step, int) else torch.tensor([step], dtype=torch.float64))
    return values[0].expand(len(x)).unsqueeze(-1).contiguous()


def _call(name: str, arguments: list[Tensor]) -> Tensor:
    if name in ELEMENTWISE:
        return apply_elementwise(ELEMENTWISE[name], arguments[0])
    return BINARY[name](*arguments)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    if len(exponent) == 1:  # torch takes products for small whole exponents
        value = float(exponent)
        return apply_elementwise(lambda x: torch.pow(x, value), base)
    # apply_elementwise takes one tensor: pairs of numbers, as complex ones
    pairs = torch.complex(*torch.broadcast_tensors(base, exponent))
    return apply_elementwise(lambda x: torch.pow(x.real.contiguous(), x.imag.contiguous()), pairs)


def _step(x: Tensor) -> Tensor:
    return torch.heaviside(x, torch.ones_like(x))


def _fresnel(x: Tensor, which: int) -> Tensor:
    from scipy.special import fresnel  # not in torch

    return torch.from_numpy(fresnel(x.numpy())[which])


ELEMENTWISE: dict[str, Callable[[Tensor], Tensor]] = {
    **{name: getattr(torch, name) for name in ("sin", "cos", "tan", "arcsin", "arccos", "arctan")},
    **{
        name: getattr(torch, name) for name in ("sinh", "cosh", "tanh", "exp", "log", "sqrt", "abs", "sign", "negative")
    },
    **{name: getattr(torch.special, name) for name in ("erf", "erfinv", "i1", "i1e")},
    "step": _step,
    "fresnel_s": lambda x: _fresnel(x, 0),
    "fresnel_c": lambda x: _fresnel(x, 1),
}
BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "subtract": torch.subtract,
    "multiply": torch.multiply,
    "divide": torch.divide,
    "min": torch.minimum,
    "max": torch.maximum,
    "pow": _power,
}
