"""Exact second moments of the B-splines, of b(x) and of their derivatives, for uniform or normal inputs.

Gauss-Legendre quadrature in float64, on panels on which the integrand is smooth; no sampling. A distribution is
"uniform", x ~ U(-1, 1); "normal", x ~ N(0, 1); or "grid", x ~ U over the grid range.

Shapes: q quadrature points, K = G + k basis functions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kancli.kan import splines
from kancli.kan.base_functions import base_function
from kancli.kan.modes import standard_modes

POINTS_PER_PANEL = 24  # exact for polynomials up to degree 47, hence for squares of splines up to k = 10
TAIL = 13.0  # standard deviations, beyond which the normal density is below 1e-36
KINK_SPACING = 0.5  # the kinks of all base functions are at multiples of it
MAX_RESOLVED = 2048.0  # |x| up to which panels have that width; beyond, all base functions but sin and cos are smooth
N_OUTER_PANELS = 256  # on each side beyond, in geometric progression
UNIT_INTERVAL = (-1.0, 1.0)

Array = np.ndarray


class BasisMoments(NamedTuple):
    """Second moments of each basis, `[K]`: E[B_m(x)^2] and E[B_m'(x)^2]."""

    values: Array
    slopes: Array

    @property
    def mu0(self) -> float:
        """Mean over the bases of E[B_m^2]."""
        return float(self.values.mean())

    @property
    def mu1(self) -> float:
        """Mean over the bases of E[B_m'^2]."""
        return float(self.slopes.mean())


class BaseMoments(NamedTuple):
    """Moments of a base function b."""

    value: float  # E[b(x)^2]
    slope: float  # E[b'(x)^2]
    mean: float  # E[b(x)]


@functools.lru_cache(maxsize=256)
def basis_moments(grid_range: tuple[float, float], grid: int, k: int, distribution: str) -> BasisMoments:
    """Moments of the G + k B-splines of order k on uniform knots."""
    weight, values, slopes = basis_rule(grid_range, grid, k, distribution)
    return BasisMoments(weight @ values**2, weight @ slopes**2)


def basis_rule(grid_range: tuple[float, float], grid: int, k: int, distribution: str) -> tuple[Array, Array, Array]:
    """A quadrature rule that is exact for squares of splines.

    Returns:
        Weights `[q]`, and the values and slopes of the bases at the quadrature points, `[q, K]` each; then
        E[f(B(x))] = weights @ f(values).
    """
    knots = splines.extended_knots(grid_range, grid, k).numpy()
    x, weight = _rule(distribution, grid_range, knots)
    points = torch.from_numpy(x)
    values, slopes = (splines.basis(points, grid_range, grid, k, derivative).numpy() for derivative in (0, 1))
    return weight, values, slopes


@functools.lru_cache(maxsize=256)
def base_moments(name: str, distribution: str, grid_range: tuple[float, float] = UNIT_INTERVAL) -> BaseMoments:
    """Moments of a base function, by name."""
    return moments_of(base_function(name), distribution, grid_range)


def moments_of(
    function: Callable[[Tensor], Tensor], distribution: str, grid_range: tuple[float, float] = UNIT_INTERVAL
) -> BaseMoments:
    """As `base_moments`, for any elementwise function that torch can differentiate."""
    x, weight = _rule(distribution, grid_range, kinks(*_support(distribution, grid_range)))
    with standard_modes(), torch.enable_grad():  # whatever the caller's, which a cache must not keep the effect of
        points = torch.from_numpy(x).requires_grad_()
        value = function(points)
        slope = torch.zeros_like(points)
        if value.requires_grad:
            (slope,) = torch.autograd.grad(value.sum(), points)
    values, slopes = value.detach().numpy(), slope.numpy()
    with np.errstate(over="ignore"):
        return BaseMoments(float(weight @ values**2), float(weight @ slopes**2), float(weight @ values))


def _support(distribution: str, grid_range: tuple[float, float]) -> tuple[float, float]:
    """The interval that holds all inputs, up to 1e-36 of a normal law."""
    return {"uniform": UNIT_INTERVAL, "normal": (-TAIL, TAIL), "grid": grid_range}[distribution]


def kinks(low: float, high: float) -> Array:
    """The places in an interval where a base function may have a kink, and between which it varies slowly."""
    inner = np.clip([low, high], -MAX_RESOLVED, MAX_RESOLVED)
    kinks = np.arange(np.floor(inner[0] / KINK_SPACING), np.ceil(inner[1] / KINK_SPACING) + 1) * KINK_SPACING
    reach = max(-low, high)
    if reach <= MAX_RESOLVED:
        return kinks
    outer = np.geomspace(MAX_RESOLVED, reach, N_OUTER_PANELS)
    return np.concatenate([-outer, kinks, outer])


def _rule(distribution: str, grid_range: tuple[float, float], breaks: Array) -> tuple[Array, Array]:
    """Points x and weights `[q]` with sum(weights * f(x)) = E[f(x)] for f smooth between the breaks."""
    low, high = _support(distribution, grid_range)
    # A normal density is smooth on panels of half a standard deviation.
    panels = np.arange(-TAIL, TAIL, 0.5) if distribution == "normal" else []
    edges = np.unique(np.clip([low, high, *breaks, *panels], low, high))
    unit, unit_weight = np.polynomial.legendre.leggauss(POINTS_PER_PANEL)
    half = np.diff(edges) / 2
    x = (edges[:-1, None] + half[:, None] * (unit + 1)).ravel()
    weight = (half[:, None] * unit_weight).ravel()
    if distribution == "normal":
        return x, weight * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return x, weight / (high - low)
