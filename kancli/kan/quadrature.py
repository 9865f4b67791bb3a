"""Exact second moments of the B-splines and of b(x), and of their derivatives, under uniform or normal inputs.

By Gauss-Legendre quadrature on panels between which everything is smooth, in float64: no sampling.
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

NODES = 24  # on one panel: exact for polynomials up to degree 47, so for squares of splines up to k = 10
TAIL = 13.0  # beyond it, a normal density and all its moments are below 1e-36
KINKS = 0.5  # the base functions with kinks have them at multiples of it

Array = np.ndarray


class BasisMoments(NamedTuple):
    """Per basis, `[K]`: E[B_m(x)^2] and E[B_m'(x)^2]."""

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
    """Of a residual function R."""

    value: float  # E[R(x)^2]
    slope: float  # E[R'(x)^2]
    mean: float  # E[R(x)]


@functools.lru_cache(maxsize=256)
def basis_moments(grid_range: tuple[float, float], grid: int, k: int, distribution: str) -> BasisMoments:
    """The moments of the G + k uniform B-splines of order k.

    Args:
        distribution: "uniform", x ~ U(-1, 1); or "normal", x ~ N(0, 1).
    """
    weight, values, slopes = basis_rule(grid_range, grid, k, distribution)
    return BasisMoments(weight @ values**2, weight @ slopes**2)


def basis_rule(grid_range: tuple[float, float], grid: int, k: int, distribution: str) -> tuple[Array, Array, Array]:
    """A quadrature rule that is exact for squares of splines.

    Returns:
        Weights `[q]`; at their places the bases' values and slopes, `[q, K]` each: E[f(B(x))] = weights @ f(values).
    """
    knots = splines.extended_knots(grid_range, grid, k).numpy()
    x, weight = _rule(distribution, knots)
    place = torch.from_numpy(x)
    values, slopes = (splines.basis(place, grid_range, grid, k, derivative).numpy() for derivative in (0, 1))
    return weight, values, slopes


@functools.lru_cache(maxsize=256)
def base_moments(name: str, distribution: str) -> BaseMoments:
    """The moments of a base function, by name.

    Args:
        distribution: "uniform", x ~ U(-1, 1); or "normal", x ~ N(0, 1).
    """
    return moments_of(base_function(name), distribution)


def moments_of(function: Callable[[Tensor], Tensor], distribution: str) -> BaseMoments:
    """As `base_moments`, of any elementwise function that torch can differentiate."""
    x, weight = _rule(distribution, np.arange(-TAIL, TAIL + KINKS, KINKS))
    place = torch.from_numpy(x).requires_grad_()
    value = function(place)
    slope = torch.zeros_like(place)
    if value.requires_grad:
        (slope,) = torch.autograd.grad(value.sum(), place)
    values, slopes = value.detach().numpy(), slope.numpy()
    return BaseMoments(float(weight @ values**2), float(weight @ slopes**2), float(weight @ values))


def _rule(distribution: str, breaks: Array) -> tuple[Array, Array]:
    """Places and weights such that sum(weight * f(place)) = E[f(x)] for f smooth between the breaks."""
    # A normal density is smooth on panels of half a standard deviation.
    low, high, more = (-1.0, 1.0, []) if distribution == "uniform" else (-TAIL, TAIL, np.arange(-TAIL, TAIL, 0.5))
    edges = np.unique(np.clip([low, high, *breaks, *more], low, high))
    unit, unit_weight = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(edges) / 2
    x = (edges[:-1, None] + half[:, None] * (unit + 1)).ravel()
    weight = (half[:, None] * unit_weight).ravel()
    if distribution == "uniform":
        return x, weight / 2
    return x, weight * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
