"""Moments of the edges over samples that arrive in chunks, without a pass over edges and samples.

An edge is a weighted sum of terms that all edges out of one input share: the bases, b(x), a constant. So the mean, the
variance and the covariances of every edge follow from the second moments of the terms. Between two knots every basis is
a polynomial of a sample's position, so sums of powers of the positions suffice. b(x) and x are shifted by a constant
near their mean, so a large mean costs no digits (Chan, Golub and LeVeque, "Algorithms for computing the sample
variance", 1983). Sums are float64, in the order of the samples.

Shapes: n samples, s members (1 for a single model), i inputs, o outputs, K bases of order k, Q = K + k intervals
between knots, those beyond the grid included.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kancli.kan import splines
from kancli.kan.cached import cached_property
from kancli.kan.layer import KANLayer
from kancli.stats import kernels
from kancli.stats.running_moments import Array, blocks, distinct, total

MAX_WEIGHTS = 2**18  # weights of edges processed at a time
MAX_POSITIONS = 2**15  # samples of inputs processed at a time: they fit a core's own cache
MIN_VARIANCE = 1e-12  # of the mean square: a smaller variance is mostly rounding
ROUNDING = 1e-14  # of the squares that are added: the error of a spline's variance, a difference of mean squares


@dataclass(frozen=True)
class EdgeMoments:
    """Moments of the edges over the samples, `[s, i, o]` each."""

    mean: Array
    variance: Array  # exactly 0 where it is within rounding of 0
    base_variance: Array  # of the base branch
    spline_variance: Array  # of the spline branch
    branch_covariance: Array  # of base and spline branch
    x_covariance: Array  # of the edge and its input
    rounding: Array  # bound of the rounding error of `variance`
    node_square: Array  # [s, i, 1]: mean square of the sum of all edges out of the input

    @property
    def square(self) -> Array:
        """E[phi^2]"""
        return self.variance + self.mean**2


class BasisMeans(NamedTuple):
    """Means over the samples."""

    base_square: Array  # [s, i]          b(x)^2
    bases: Array  # [s, i, K]             B_m
    products: Array  # [s, i, K, k + 1]   B_m B_{m+r}


class BasisMoments:
    """Sums over samples of products of bases, b(x) and x; s = 1 as long as all members share their samples."""

    def __init__(self, layer: KANLayer) -> None:
        self.k, self.n_basis = layer.k, layer.n_basis
        self.intervals = _Intervals.of(layer)
        self.n, self.n_members = 0, layer.n_members or 1
        self.shared = True  # the samples by all members
        self.shift: Array = np.zeros(())  # [s, i, 2], near the means of b(x) and x
        self.powers: Array = np.zeros(())  # [s, i, Q, p], sums of v^p, v the position in the interval, -1 .. 1
        self.powers_b: Array = np.zeros(())  # [s, i, Q, p], sums of v^p b(x)
        self.products: Array = np.zeros(())  # [s, i, 3, 3],  sums of products of b(x), x and 1

    def update(self, first_basis: Array, b: Array, x: Array) -> None:
        """Accumulate one chunk: index of the first basis that is not 0 at x, b(x) and x, `[s, n, i]` each."""
        self.shared &= all(len(distinct(values)) == 1 for values in (first_basis, b, x))
        if self.shared:
            first_basis, b, x = first_basis[:1], b[:1], x[:1]
        s, n, i = x.shape
        if self.n == 0:
            n_intervals, k = self.n_basis + self.k, self.k
            self.powers, self.powers_b = (
                np.zeros((s, i, n_intervals, max(2 * k, k + 1) + 1)),
                np.zeros((s, i, n_intervals, k + 1)),
            )
            self.shift, self.products = np.zeros((s, i, 2)), np.zeros((s, i, 3, 3))
        elif len(self.powers) < s:
            sums = self.shift, self.powers, self.powers_b, self.products
            self.shift, self.powers, self.powers_b, self.products = (each.repeat(s, axis=0) for each in sums)
        if (compiled := kernels.loaded(x)) is not None:
            self._update_compiled(compiled, *map(np.ascontiguousarray, (first_basis, b, x)))
        else:
            for block in blocks(s, i, n, MAX_POSITIONS):
                parts = (values[block[0], :, block[1]].swapaxes(0, 1) for values in (first_basis, b, x))  # [n, s, i]
                interval, base, positions = (np.ascontiguousarray(part, np.float64) for part in parts)
                self._update(block, interval.astype(np.intp) + self.k, base, positions)
        self.n += n

    def _update_compiled(self, compiled: ModuleType, first_basis: Array, b: Array, x: Array) -> None:
        if self.n == 0:
            for number, values in enumerate((b, x)):
                compiled.sample_means(values, self.shift[..., number])
            self.shift[~np.isfinite(self.shift)] = 0.0
        sums = (self.powers, self.powers_b, self.products)
        compiled.basis_sums(first_basis, b, x, *self.intervals.by_input, self.shift, *sums)

    def _update(self, block: tuple[slice, slice], interval: Array, base: Array, positions: Array) -> None:
        """Accumulate a block of members and inputs, `[n, s, i]` each."""
        n, s, i = positions.shape
        if self.n == 0:
            shift = np.stack([total(values) for values in (base, positions)], axis=-1) / n
            self.shift[block] = np.where(np.isfinite(shift), shift, 0.0)
        n_intervals = self.n_basis + self.k
        v = self.intervals.position(positions, interval, block)
        bins = interval + (np.arange(s * i) * n_intervals).reshape(s, i)
        # Only in the outermost intervals is a sample beyond all knots; NaN lies in the first.
        inner = (interval > 0) & (interval < n_intervals - 1)
        bins[~(inner | (np.abs(v) <= 1))] = s * i * n_intervals
        bins, v = bins.ravel(), v.ravel()
        base, x = (values - self.shift[block][..., number] for number, values in enumerate((base, positions)))

        def sum_by_interval(weights: Array | None) -> Array:
            return np.bincount(bins, weights, s * i * n_intervals + 1)[:-1].reshape(s, i, n_intervals)

        power, power_b = np.ones_like(v), base.ravel()
        for exponent in range(self.powers.shape[-1]):
            self.powers[(*block, slice(None), exponent)] += sum_by_interval(power if exponent else None)
            if exponent <= self.k:
                self.powers_b[(*block, slice(None), exponent)] += sum_by_interval(power_b)
                power_b = power_b * v
            power = power * v
        rows = (base, x, np.ones_like(base))
        for one, other in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)):
            products = total(rows[one] * rows[other])
            self.products[(*block, one, other)] += products
            if one != other:
                self.products[(*block, other, one)] += products

    @property
    def visits(self) -> Array:
        """Number of samples in each interval of the grid, its right end included, `[s, i, G]`."""
        return self._of_members(self.powers[..., self.k : self.n_basis, 0])

    @cached_property
    def bases(self) -> Array:
        """Sums of B_m B_{m+r}, `[s, i, K, k + 1]`."""
        sums = np.zeros((*self.powers.shape[:2], self.n_basis, self.k + 1))
        for one in range(self.k + 1):
            for other in range(one, self.k + 1):
                # In interval q these are the bases q - k + one and q - k + other, if both exist.
                n_pairs = self.n_basis - (other - one)
                both_exist = slice(self.k - one, self.k - one + n_pairs)
                values = self.intervals.values[..., both_exist, :, :]
                product = _multiplied(values[..., one, :], values[..., other, :])
                powers = self.powers[..., both_exist, : 2 * self.k + 1]
                sums[..., :n_pairs, other - one] += _weigh(product, powers)
        return sums

    @cached_property
    def cross(self) -> Array:
        """Sums of B_m times b(x), x and 1, `[s, i, K, 3]`."""
        ones = self.powers[..., : self.k + 1]
        centre, half = (values[..., None] for values in (self.intervals.centre, self.intervals.half))
        x = (centre - self.shift[..., 1, None, None]) * ones + half * self.powers[..., 1 : self.k + 2]
        sums = np.zeros((*self.powers.shape[:2], self.n_basis, 3))
        for local in range(self.k + 1):
            exists = slice(self.k - local, self.k - local + self.n_basis)
            values = self.intervals.values[..., exists, local, :]
            for number, moments in enumerate((self.powers_b, x, ones)):
                sums[..., number] += _weigh(values, moments[..., exists, :])
        return sums

    def means(self) -> BasisMeans:
        """The means of the squares of b(x), of the bases and of their products."""
        products, shift = self.products / self.n, self.shift[..., 0]
        base_square = products[..., 0, 0] + shift * (2 * products[..., 0, 2] + shift)
        means = base_square, self.cross[..., 2] / self.n, self.bases / self.n
        return BasisMeans(*map(self._of_members, means))

    def _of_members(self, values: Array) -> Array:
        """With all members, from `[s, ...]` or `[1, ...]`."""
        return np.broadcast_to(values, (self.n_members, *values.shape[1:]))

    def edges(self, coef: Tensor, offset: Tensor, scale_base: Tensor) -> EdgeMoments:
        """Moments of phi = sum_m coef_m B_m + offset + scale_base b(x).

        Args:
            coef: `[s, i, o, K]`; offset, scale_base: `[s, i, o]`.
        """
        s, n_in, n_out, n_basis = coef.shape
        step = max(1, MAX_WEIGHTS // (s * n_out * n_basis))
        parts = []
        for begin in range(0, n_in, step):
            inputs = slice(begin, begin + step)
            weights = [tensor[:, inputs].double().cpu().numpy() for tensor in (coef, offset, scale_base)]
            mean, *others = self._edges(inputs, *weights)
            node_mean, node_variance, *_ = self._edges(
                inputs, *(values.sum(axis=2, keepdims=True) for values in weights)
            )
            parts.append((mean, *others, node_variance + node_mean**2))
        return EdgeMoments(*(np.concatenate(blocks, axis=1) for blocks in zip(*parts, strict=True)))

    def _edges(self, inputs: slice, coef: Array, offset: Array, scale_base: Array) -> tuple[Array, ...]:
        bases, cross, products = (sums[:, inputs] / self.n for sums in (self.bases, self.cross, self.products))
        own_squares = _weigh(coef**2, bases[..., None, :, 0])
        square = own_squares
        for r in range(1, min(self.k + 1, coef.shape[-1])):
            pairs = coef[..., : coef.shape[-1] - r] * coef[..., r:]
            square = square + 2 * _weigh(pairs, bases[..., None, : pairs.shape[-1], r])
        with_b, with_x, mean = (_weigh(coef, cross[..., None, :, factor]) for factor in range(3))
        spline = square - mean**2
        is_rounding = spline <= MIN_VARIANCE * square
        # The terms of the square may cancel: the coefficients' own squares bound them.
        rounding = ROUNDING * (self.k + 1) * own_squares + np.where(is_rounding, MIN_VARIANCE * square, 0.0)
        spline = np.where(is_rounding, 0.0, spline)
        b_mean, x_mean = (products[..., factor, 2, None] for factor in range(2))
        b_variance = np.maximum(products[..., 0, 0, None] - b_mean**2, 0.0)
        base = scale_base**2 * b_variance
        covariance = scale_base * (with_b - mean * b_mean)
        x_covariance = scale_base * (products[..., 0, 1, None] - b_mean * x_mean) + with_x - mean * x_mean
        variance = base + spline + 2 * covariance
        mean = mean + offset + scale_base * (b_mean + self.shift[:, inputs, :1])
        # Rounding errors are relative to the branches, whose sum may nearly cancel.
        variance = np.where(variance <= MIN_VARIANCE * (base + square), 0.0, variance)
        return mean, variance, base, spline, covariance, x_covariance, rounding


def _weigh(weights: Array, moments: Array) -> Array:
    """sum_m weights_m moments_m over the last axis; the bits of a sum depend on its own terms only."""
    return np.einsum("...m,...m->...", weights, moments)


def _multiplied(one: Array, other: Array) -> Array:
    """Coefficients of the products of polynomials `[..., p]`."""
    product = np.zeros((*one.shape[:-1], one.shape[-1] + other.shape[-1] - 1))
    for power in range(one.shape[-1]):
        product[..., power : power + other.shape[-1]] += one[..., power, None] * other
    return product


@dataclass(frozen=True)
class _Intervals:
    """The intervals between knots, and the bases as polynomials on them."""

    centre: Array  # [Q], or [s, i, Q] where each input has its own knots
    half: Array  # [Q], or [s, i, Q]: half the length
    values: Array  # [..., Q, k + 1, p]: coefficients of the bases that are not 0, as polynomials of v

    @classmethod
    def of(cls, layer: KANLayer) -> _Intervals:
        nodes = np.cos(np.pi * (np.arange(layer.k + 1) + 0.5) / (layer.k + 1))  # Chebyshev nodes
        to_coefficients = np.linalg.inv(np.vander(nodes, increasing=True))  # [p, node]
        knots = splines.extended_knots(layer.grid_range, layer.grid, layer.k)
        if layer.per_input_knots:
            knots = layer.knots.double().cpu()
        if knots.dim() == 2:
            knots = knots.unsqueeze(0)
        knots = knots.numpy()
        centre, half = (knots[..., 1:] + knots[..., :-1]) / 2, (knots[..., 1:] - knots[..., :-1]) / 2
        if layer.per_input_knots:
            places = torch.from_numpy(centre[..., None] + half[..., None] * nodes)  # [s, i, Q, node]
            s, i, n_intervals, _ = places.shape
            local = splines.local_basis_on_knots(places.flatten(2).transpose(1, 2), torch.from_numpy(knots), layer.k)
            values = torch.stack(list(local.values), dim=-1).transpose(1, 2)  # [s, i, Q node, k + 1]
            values = values.reshape(s, i, n_intervals, layer.k + 1, layer.k + 1).numpy()  # [s, i, Q, node, k + 1]
        else:
            places = torch.from_numpy((nodes + 1) / 2)
            local = splines.local_basis(places, (0.0, 1.0), 1, layer.k)
            values = torch.stack(list(local.values), dim=-1).expand(len(centre), -1, -1).numpy()  # [Q, node, k + 1]
        return cls(centre, half, np.swapaxes(to_coefficients @ values, -1, -2))

    @property
    def by_input(self) -> tuple[Array, Array]:
        """`centre` and `half`, `[s, i, Q]` or `[1, 1, Q]`."""
        if self.centre.ndim > 1:
            return self.centre, self.half
        return self.centre[None, None], np.full((1, 1, len(self.centre)), self.half[0])

    def position(self, x: Array, interval: Array, block: tuple[slice, slice]) -> Array:
        """Position of x `[n, s, i]` in its interval: -1 at the left end, 1 at the right.

        Args:
            interval: index of the interval of each x.
            block: members and inputs.
        """
        if self.centre.ndim == 1:
            return (x - self.centre[interval]) / self.half[0]
        members, inputs = np.arange(x.shape[1])[:, None], np.arange(x.shape[2])
        centre, half = (values[block][members, inputs, interval] for values in (self.centre, self.half))
        return (x - centre) / half
