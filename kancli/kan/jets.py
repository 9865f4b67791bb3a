"""Derivatives of a network's outputs by its inputs, first and second, carried from layer to layer in closed form.

With y = sum phi(x): y_a = sum phi'(x) x_a and y_ab = sum (phi''(x) x_a x_b + phi'(x) x_ab); in an MLP phi(x) is w a(x).
The results are differentiable by the parameters. A derivative is named by the inputs, (): the value, (0,): by x0,
(0, 1): by x0 and x1.

Shapes: s members, n samples, i inputs, o outputs; `[(s,) ...]` has the member axis in an ensemble only.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from kancli.kan.edge_sums import EdgeTerms
from kancli.kan.layer import KANLayer
from kancli.kan.layered import Layer, LayeredNetwork
from kancli.kan.mlp import MLPLayer

Derivative = tuple[int, ...]  # increasing


def needed(derivatives: Iterable[Derivative]) -> list[Derivative]:
    """The value, these derivatives, and those that they are computed from, by increasing order.

    Raises:
        ValueError: a derivative is of an order above two.
    """
    wanted: set[Derivative] = {()}
    for derivative in derivatives:
        if len(derivative) > 2:
            raise ValueError(f"derivative {derivative}: allowed: up to the second order")
        wanted.update({tuple(sorted(derivative)), *((axis,) for axis in derivative)})
    return sorted(wanted, key=lambda derivative: (len(derivative), derivative))


def jets(model: LayeredNetwork, x: Tensor, derivatives: Iterable[Derivative]) -> dict[Derivative, Tensor]:
    """The outputs and some of their derivatives, `[(s,) n, o]` each.

    Statistics of standardised bases count as constants.

    Args:
        x: `[(s,) n, n_0]`; with x `[n, n_0]`, all members get the same samples.
        derivatives: such as `[(0,), (1, 1)]`, up to the second order.
    """
    x = model._add_member_axis(x)
    jet = {}
    for derivative in needed(derivatives):
        if derivative == ():
            jet[derivative] = x
        elif len(derivative) == 1:
            jet[derivative] = torch.zeros_like(x)
            jet[derivative][..., derivative[0]] = 1
        else:
            jet[derivative] = torch.zeros_like(x)
    for layer in model.layers:
        jet = _through_kan(layer, jet) if isinstance(layer, KANLayer) else _through_mlp(layer, jet)
    return jet


def _through_mlp(layer: Layer, jet: dict[Derivative, Tensor]) -> dict[Derivative, Tensor]:
    assert isinstance(layer, MLPLayer)
    if layer.activation:
        x = jet[()]
        gate = torch.sigmoid(x)
        slope = gate * (1 + x * (1 - gate))
        curvature = gate * (1 - gate) * (2 + x * (1 - 2 * gate))
        factors = [[x * gate], [slope], [curvature]]
        jet = {derivative: _terms(factors, jet, derivative)[0] for derivative in jet}
    return {
        derivative: layer.linear(values) + layer.bias.unsqueeze(-2) if derivative == () else layer.linear(values)
        for derivative, values in jet.items()
    }


def _through_kan(layer: KANLayer, jet: dict[Derivative, Tensor]) -> dict[Derivative, Tensor]:
    x = jet[()]
    local = layer.local_basis(x)
    orders = range(max(map(len, jet)) + 1)
    bases = [local.values, *(layer.local_basis(x, derivative=order).values for order in orders[1:])]
    base = _base_derivatives(layer, x, len(orders))
    factors = [[*values, slope] for values, slope in zip(bases, base, strict=True)]  # by order: k + 2 of [(s,) n, i]
    coef, constant = layer._coef_and_constant(local)
    table = layer._phi_table(coef, constant)
    outputs = {}
    for derivative in jet:
        terms = _terms(factors, jet, derivative)
        if constant is not None:
            terms.insert(-1, torch.full_like(x, float(derivative == ())))
        n_further = 1 if constant is None else 2
        sums = EdgeTerms(local.first, local.n_basis, n_further, terms).sum_over_inputs(table)
        outputs[derivative] = layer._add_bias(sums) if derivative == () else sums
    return outputs


def _terms(factors: list[list[Tensor]], jet: dict[Derivative, Tensor], derivative: Derivative) -> list[Tensor]:
    """Derivatives of the factors f(x): f' x_a, or f'' x_a x_b + f' x_ab."""
    if derivative == ():
        return list(factors[0])
    first = [slope * jet[derivative] for slope in factors[1]]
    if len(derivative) == 1:
        return first
    a, b = (jet[(axis,)] for axis in derivative)
    product = a * b
    return [curvature * product + slope for curvature, slope in zip(factors[2], first, strict=True)]


@torch.enable_grad()
def _base_derivatives(layer: KANLayer, x: Tensor, count: int) -> list[Tensor]:
    """b(x), b'(x), ..., `count` of `[(s,) n, i]`."""
    leaf = x if x.requires_grad else x.detach().requires_grad_()
    values = [layer.base_fun(leaf)]
    for _ in range(count - 1):
        slope = None
        if values[-1].requires_grad:  # else it is a constant
            (slope,) = torch.autograd.grad(values[-1].sum(), leaf, create_graph=True, allow_unused=True)
        values.append(torch.zeros_like(x) if slope is None else slope)
    return values
