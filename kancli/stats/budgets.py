"""The expected size of signal and gradient in a layer under its laws, given moments of the values that enter.

A budget holds for independent edges, each with the same laws, and for coefficients of mean 0, so that base and spline
do not correlate. The moments of b(x) and of the bases may be those of samples or of a distribution.

Shapes: s members (1 for a single model), q any number of points, i inputs, K bases of order k.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from kancli.stats.running_moments import Array

MAX_BASES = 1024  # a layer with more has no budget: memory and time are of their square
Number = float | Array  # or `[s]`
Variance = Callable[[Array], Array]  # of sum_m w_m coef_m over the entries of one edge, from w `[q, K]` to `[q]`


class EdgeLaw(Protocol):
    """The law of a tensor's entries on one edge, or of a bias on one node."""

    @property
    def mean(self) -> float: ...

    @property
    def std(self) -> float: ...

    @property
    def combined_variance(self) -> Variance: ...


class LayerLaw(NamedTuple):
    """Moments of the parameters of an edge that is on, and of a node's bias; NaN where a law has none."""

    base_mean: Number
    base_variance: Number
    spline_square: Number  # E[scale_sp^2]; NaN for coefficients whose mean is not 0
    bias_mean: Number
    bias_variance: Number

    @classmethod
    def of(cls, laws: Mapping[str, EdgeLaw | None]) -> LayerLaw:
        """The moments of laws by tensor; None for a law that differs from edge to edge."""
        base, scale, coef = (_moments(laws[name]) for name in ("scale_base", "scale_sp", "coef"))
        bias = _moments(laws["bias"]) if "bias" in laws else (0.0, 0.0)
        return cls(*base, scale[1] + scale[0] ** 2 if coef[0] == 0 else math.nan, *bias)

    @classmethod
    def of_members(cls, laws: Sequence[LayerLaw]) -> LayerLaw:
        """The moments of several members, `[s]` each."""
        return cls(*map(np.array, zip(*laws, strict=True)))


def _moments(law: EdgeLaw | None) -> tuple[float, float]:
    return (math.nan, math.nan) if law is None else (law.mean, law.std**2)


class InputMoments(NamedTuple):
    """Means over the values x entering a layer and over its outputs; sums run over an output's edges that are on."""

    base_sum: Number  # sum_i b(x_i)
    base_sum_square: Number  # (sum_i b(x_i))^2
    base_square: Number  # sum_i b(x_i)^2
    spline_variance: Number  # sum_i Var[sum_m coef_m B_m(x_i)]


class Budget(NamedTuple):
    """Expected mean square of a node's value; what is neither of the base nor of the spline comes from the bias."""

    square: Number
    base: Number
    spline: Number


def budget(law: LayerLaw, inputs: InputMoments) -> Budget:
    """The budget of a layer. Sums run over its inputs; S is the variance of sum_m coef_m B_m(x) of an edge.

    E[y^2] = Var[scale_base] E[sum b^2] + E[scale_base]^2 E[(sum b)^2]  (base)
             + E[scale_sp^2] E[sum S]  (spline)
             + E[bias^2] + 2 E[bias] E[scale_base] E[sum b].
    """
    base = law.base_variance * inputs.base_square + law.base_mean**2 * inputs.base_sum_square
    spline = law.spline_square * inputs.spline_variance
    bias = law.bias_variance + law.bias_mean**2 + 2 * law.bias_mean * law.base_mean * inputs.base_sum
    return Budget(base + spline + bias, base, spline)


def backward_budget(law: LayerLaw, base_slope: Number, spline_slope: Number) -> Number:
    """sum_j E[(dy_j/dx)^2] over the layer's outputs j, for one input x.

    Args:
        base_slope: sum_j E[b'(x)^2], over the edges that are on.
        spline_slope: the same of Var[sum_m coef_m B_m'(x)].
    """
    return (law.base_variance + law.base_mean**2) * base_slope + law.spline_square * spline_slope


def combined_variances(variances: Sequence[Variance | None], products: Array, means: Array | None = None) -> Array:
    """Mean over samples of Var[sum_m coef_m B_m(x)], from the moments of the bases, `[s, i]`.

    Args:
        variances: one for each member; None gives NaN.
        products: means of B_m B_{m+r}, `[s, i, K, k + 1]`, 0 where there is no basis m + r.
        means: what was subtracted from each basis, its mean, `[s, i, K]`; None for nothing.
    """
    result = np.full(products.shape[:2], np.nan)
    members: dict[Variance, list[int]] = {}
    for member, variance in enumerate(variances):
        if variance is not None:
            members.setdefault(variance, []).append(member)
    for variance, group in members.items():
        band = _covariance_band(variance, *products.shape[2:])
        result[group] = (products[group] * band).reshape(len(group), products.shape[1], -1).sum(axis=-1)
        if means is not None:  # member by member: a product of matrices has other bits for other numbers of rows
            result[group] -= [variance(means[member]) for member in group]
    return result


def _covariance_band(variance: Variance, n_basis: int, n_terms: int) -> Array:
    """Factors of B_m B_{m+r} in the variance of sum_m coef_m B_m, `[K, k + 1]`."""
    unit, band = np.eye(n_basis), np.zeros((n_basis, n_terms))
    band[:, 0] = own = variance(unit)
    for r in range(1, min(n_terms, n_basis)):
        band[:-r, r] = variance(unit[:-r] + unit[r:]) - own[:-r] - own[r:]
    return band
