"""Curvature of the edges: the integral of phi''(x)^2 over the grid, from the parameters alone.

An edge is a weighted sum of bases and b(x), so the integral is a quadratic form of its weights, whose matrix all edges
out of one input share. Two bases overlap only if their indices differ by at most k, so the matrix has k + 1 diagonals.
Gauss-Legendre quadrature in float64, exact for the bases. Jumps of phi' at a knot (k <= 1) or at a kink of b(x) do not
count.

Shapes: s members, i inputs (both 1 where all share their knots), o outputs, K bases, q quadrature points.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kancli.kan import splines
from kancli.kan.base_functions import derivative_of
from kancli.kan.layer import KANLayer
from kancli.kan.quadrature import kinks
from kancli.stats.running_moments import Array

POINTS_PER_PANEL = 12  # exact up to degree 23: for squares of second derivatives of splines up to k = 13
MAX_WEIGHTS = 2**18  # weights of edges processed at a time


class _Form(NamedTuple):
    """Integrals over the grid of products of second derivatives."""

    bases: Array  # [s, i, k + 1, K]  of B_m'' B_{m+r}''
    cross: Array  # [s, i, K]         of B_m'' b''
    base: Array  # [s, i]             of b''^2


@np.errstate(all="ignore")
def edge_curvature(layer: KANLayer) -> Array:
    """The integral of phi''(x)^2 over the grid range of each edge, `[s, i, o]`; in 1/x^3 times phi^2.

    Bases that are standardised count with their standard deviations.
    """
    coef, _, scale_base = layer.weights()
    n_members, n_in = layer.n_members or 1, layer.n_in
    coef, scale_base = (
        tensor.detach().cpu().reshape(n_members, n_in, layer.n_out, -1) for tensor in (coef, scale_base)
    )
    form, curvature = _form_of(layer), np.empty((n_members, n_in, layer.n_out))
    step = max(1, MAX_WEIGHTS // (n_members * layer.n_out * layer.n_basis))
    for begin in range(0, n_in, step):
        inputs = slice(begin, begin + step)
        part = form if form.base.shape[1] == 1 else _Form(*(values[:, inputs] for values in form))
        weights = (tensor[:, inputs].double().numpy() for tensor in (coef, scale_base))
        curvature[:, inputs] = _evaluate(part, *weights)
    return curvature


def _evaluate(form: _Form, coef: Array, scale_base: Array) -> Array:
    """The quadratic form of weights `[s, i, o, K]` and `[s, i, o, 1]`, to `[s, i, o]`."""
    b = scale_base[..., 0]
    total = b**2 * form.base[..., None] + 2 * b * _weigh(coef, form.cross)
    n_basis = coef.shape[-1]
    for r in range(min(form.bases.shape[2], n_basis)):
        pairs = coef[..., : n_basis - r] * coef[..., r:]
        total = total + (2 if r else 1) * _weigh(pairs, form.bases[:, :, r, : n_basis - r])
    return np.where(np.isnan(total), total, np.maximum(total, 0.0))


def _weigh(weights: Array, integrals: Array) -> Array:
    return np.einsum("...m,...m->...", weights, integrals[:, :, None])


def _form_of(layer: KANLayer) -> _Form:
    if layer.per_input_knots:
        knots = layer.knots.double().cpu().reshape(-1, layer.n_in, layer.knots.shape[-1])
    else:
        knots = splines.extended_knots(layer.grid_range, layer.grid, layer.k).expand(1, 1, -1)
    x, weight, half = _rule(knots[..., layer.k : layer.k + layer.grid + 1].numpy())  # [s, q, i]
    points, n_basis = torch.from_numpy(x), layer.n_basis
    local = splines.local_basis_on_knots(points, knots, layer.k, derivative=2)
    values, first = [value.numpy() for value in local.values], local.first.numpy()
    b = _second_derivative(layer.base_fun, x, half)

    s, _, i = x.shape
    starts = (np.arange(s * i) * n_basis).reshape(s, 1, i)

    def integrate_by_basis(product: Array, lowest: int) -> Array:
        """Sums over the points by the first basis of a product, whose index is `first + lowest`; `[s, i, K]`."""
        bins = (first + lowest + starts).ravel()
        return np.bincount(bins, (weight * product).ravel(), s * i * n_basis).reshape(s, i, n_basis)

    bases, cross = np.zeros((s, i, layer.k + 1, n_basis)), np.zeros((s, i, n_basis))
    for one, value in enumerate(values):
        cross += integrate_by_basis(value * b, one)
        for other in range(one, layer.k + 1):
            bases[:, :, other - one] += integrate_by_basis(value * values[other], one)
    return _Form(bases, cross, (weight * b**2).sum(axis=1))


def _rule(knots: Array) -> tuple[Array, Array, Array]:
    """A rule for integrals over knots `[s, i, G + 1]`, on panels between knots and kinks of b(x).

    Returns:
        Points and weights `[s, q, i]`, panel by panel; and the half-width of each panel, `[s, panels, 1, i]`.
    """
    low, high = knots[..., :1], knots[..., -1:]
    breaks = np.broadcast_to(inner := kinks(float(low.min()), float(high.max())), (*knots.shape[:2], len(inner)))
    edges = np.sort(np.concatenate([knots, np.clip(breaks, low, high)], axis=-1), axis=-1)
    unit, unit_weight = np.polynomial.legendre.leggauss(POINTS_PER_PANEL)
    half = np.diff(edges)[..., None] / 2  # [s, i, panels, 1]
    x, weight = edges[..., :-1, None] + half * (unit + 1), half * unit_weight

    def by_point(values: Array) -> Array:
        return np.ascontiguousarray(values.reshape(*knots.shape[:2], -1).swapaxes(1, 2))

    return by_point(x), by_point(weight), half.swapaxes(1, 2).swapaxes(2, 3)


def _second_derivative(function: Callable[[Tensor], Tensor], x: Array, half: Array) -> Array:
    """b'' at the points of `_rule`: of b' from autograd, the derivative of its interpolating polynomial on each panel.

    It needs no second derivative of torch's, which some functions lack (hardsigmoid). Panels have half-widths `[s,
    panels, 1, i]`; on those without width b'' is 0.
    """
    slopes = derivative_of(function)(torch.from_numpy(x)).numpy()
    by_panel = slopes.reshape(x.shape[0], -1, POINTS_PER_PANEL, x.shape[2])
    unit, _ = np.polynomial.legendre.leggauss(POINTS_PER_PANEL)
    second = np.einsum("pr,snri->snpi", _differentiation_matrix(unit), by_panel)
    return np.divide(second, half, out=np.zeros_like(second), where=half > 0).reshape(x.shape)


def _differentiation_matrix(nodes: Array) -> Array:
    """Slopes at the nodes of the polynomial through values there, `[p, p]` (Berrut and Trefethen 2004, section 9.3)."""
    distance = nodes[:, None] - nodes + np.eye(len(nodes))
    weight = 1 / distance.prod(axis=1)
    matrix = weight / weight[:, None] / distance
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix
