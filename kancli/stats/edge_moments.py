"""Second moments, over samples that arrive in chunks, of the terms that the edges add up.

An edge is a weighted sum of terms that all edges out of one input share: the bases, b(x), a constant. So the mean, the
variance and the covariances of every edge follow from the second moments of the terms, without a pass over edges and
samples. And between two knots every basis is a polynomial: all that the samples there are to it is the sums of the
powers of their places. b(x) and x are counted from a fixed place near their mean, so a large mean costs no digits
(Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983); sums are float64, sample by sample.

Shapes: n samples, s members (1 for a single model), i inputs, o outputs, K bases of order k, Q = K + k intervals
between knots, those beyond the grid included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from kancli.kan import splines
from kancli.kan.layer import KANLayer
from kancli.stats.running_moments import Array, blocks, total

WEIGHTS = 2**18  # weights looked at together
FIT_PLACES = 2**15  # samples of inputs looked at together: what a core's own cache holds
BEYOND = 1 + 1e-6  # the place in its interval from which on a sample is beyond all knots, and not rounded
ROUNDING = 1e-12  # of the mean square: a variance below it is rounding, to a tenth of a per mille or more


@dataclass(frozen=True)
class EdgeMoments:
    """Of the edges, over the samples, `[s, i, o]` each."""

    mean: Array
    variance: Array  # exactly 0 where it is within rounding of 0
    base_variance: Array  # of the base branch
    spline_variance: Array  # of the spline branch
    branch_covariance: Array  # of the two
    x_covariance: Array  # of the edge and its input
    node_square: Array  # [s, i, 1]: mean square of the sum of all edges out of the input

    @property
    def square(self) -> Array:
        """E[phi^2]"""
        return self.variance + self.mean**2


class BasisMoments:
    """Sums over samples of products of bases, b(x) and x."""

    def __init__(self, layer: KANLayer) -> None:
        self.k, self.n_basis = layer.k, layer.n_basis
        self.per_input_knots, self.high = layer.per_input_knots, layer.grid_range[1]
        self.intervals = _Intervals.of(layer)
        self.n = 0
        self.shift: Array = np.zeros(())  # [s, i, 2], near the means of b(x) and x
        self.powers: Array = np.zeros(())  # [s, i, Q, p], sums of v^p, v the place in the interval, -1 .. 1
        self.powers_b: Array = np.zeros(())  # [s, i, Q, p], sums of v^p b(x)
        self.others: Array = np.zeros(())  # [s, i, 3, 3],  sums of products of b(x), x and 1

    def update(self, first: Tensor, b: Tensor, x: Tensor) -> None:
        """Take in one chunk: the first basis that is not 0 at x, b(x) and x, of samples in `[s, n, i]`."""
        s, n, i = x.shape
        if self.n == 0:
            n_intervals, k = self.n_basis + self.k, self.k
            self.powers, self.powers_b = (
                np.zeros((s, i, n_intervals, max(2 * k, k + 1) + 1)),
                np.zeros((s, i, n_intervals, k + 1)),
            )
            self.shift, self.others = np.zeros((s, i, 2)), np.zeros((s, i, 3, 3))
        for block in blocks(s, i, n, FIT_PLACES):
            parts = (each[block[0], :, block[1]].transpose(0, 1) for each in (first, b, x))  # [n, s, i]
            interval, base, places = (each.contiguous().double().numpy() for each in parts)
            self._update(block, interval.astype(np.intp) + self.k, base, places)
        self.n += n

    def _update(self, block: tuple[slice, slice], interval: Array, base: Array, places: Array) -> None:
        """Take in some members and inputs, `[n, s, i]` each."""
        n, s, i = places.shape
        if self.n == 0:
            shift = np.stack([total(each) for each in (base, places)], axis=-1) / n
            self.shift[block] = np.where(np.isfinite(shift), shift, 0.0)
        if (
            not self.per_input_knots
        ):  # the grid's right end belongs to the interval on its left, as on knots of one's own
            interval -= (interval == self.n_basis) & (places == self.high)
        n_intervals = self.n_basis + self.k
        v = self.intervals.place(places, interval, block)
        bins = interval + (np.arange(s * i) * n_intervals).reshape(s, i)
        bins[~(np.abs(v) <= BEYOND)] = s * i * n_intervals  # beyond all knots; NaN too
        bins, v = bins.ravel(), v.ravel()
        base, places = (each - self.shift[block][..., number] for number, each in enumerate((base, places)))

        def summed(weights: Array | None) -> Array:
            return np.bincount(bins, weights, s * i * n_intervals + 1)[:-1].reshape(s, i, n_intervals)

        power, power_b = np.ones_like(v), base.ravel()
        for exponent in range(self.powers.shape[-1]):
            self.powers[(*block, slice(None), exponent)] += summed(power if exponent else None)
            if exponent <= self.k:
                self.powers_b[(*block, slice(None), exponent)] += summed(power_b)
                power_b = power_b * v
            power = power * v
        rows = (base, places, np.ones_like(base))
        for one, other in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)):
            products = total(rows[one] * rows[other])
            self.others[(*block, one, other)] += products
            if one != other:
                self.others[(*block, other, one)] += products

    @property
    def visits(self) -> Array:
        """How many samples lie in each interval of the grid, its right end included, `[s, i, G]`."""
        return self.powers[..., self.k : self.n_basis, 0]

    @cached_property
    def bases(self) -> Array:
        """`[s, i, K, k + 1]`: sums of B_m B_{m+r}."""
        found = np.zeros((*self.powers.shape[:2], self.n_basis, self.k + 1))
        for one in range(self.k + 1):
            for other in range(one, self.k + 1):
                product = _multiplied(self.intervals.values[..., one, :], self.intervals.values[..., other, :])
                sums = _weigh(product, self.powers[..., : 2 * self.k + 1])  # [s, i, Q]
                # In interval q they are the bases q - k + one and q - k + other, where there are such bases.
                begin, end = self.k - one, self.k - one + self.n_basis - (other - one)
                found[..., : end - begin, other - one] += sums[..., begin:end]
        return found

    @cached_property
    def cross(self) -> Array:
        """`[s, i, K, 3]`: sums of B_m times b(x), x and 1."""
        ones = self.powers[..., : self.k + 1]
        centre, half = (each[..., None] for each in (self.intervals.centre, self.intervals.half))
        x = (centre - self.shift[..., 1, None, None]) * ones + half * self.powers[..., 1 : self.k + 2]
        found = np.zeros((*self.powers.shape[:2], self.n_basis, 3))
        for place in range(self.k + 1):
            values = self.intervals.values[..., place, :]
            for number, moments in enumerate((self.powers_b, x, ones)):
                sums = _weigh(values, moments)
                found[..., number] += sums[..., self.k - place : self.k - place + self.n_basis]
        return found

    def edges(self, coef: Tensor, offset: Tensor, scale_base: Tensor) -> EdgeMoments:
        """What follows for phi = sum_m coef_m B_m + offset + scale_base b(x).

        Args:
            coef: `[s, i, o, K]`; offset, scale_base: `[s, i, o]`.
        """
        s, n_in, n_out, n_basis = coef.shape
        step = max(1, WEIGHTS // (s * n_out * n_basis))
        parts = []
        for begin in range(0, n_in, step):
            inputs = slice(begin, begin + step)
            weights = [each[:, inputs].double().cpu().numpy() for each in (coef, offset, scale_base)]
            mean, *others = self._edges(inputs, *weights)
            node_mean, node_variance, *_ = self._edges(inputs, *(each.sum(axis=2, keepdims=True) for each in weights))
            parts.append((mean, *others, node_variance + node_mean**2))
        return EdgeMoments(*(np.concatenate(each, axis=1) for each in zip(*parts, strict=True)))

    def _edges(self, inputs: slice, coef: Array, offset: Array, scale_base: Array) -> tuple[Array, ...]:
        bases, cross, others = (each[:, inputs] / self.n for each in (self.bases, self.cross, self.others))
        square: Array = np.zeros(())
        for r in range(min(self.k + 1, coef.shape[-1])):
            pairs = coef[..., : coef.shape[-1] - r] * coef[..., r:]
            square = square + (2 if r else 1) * _weigh(pairs, bases[..., None, : pairs.shape[-1], r])
        with_b, with_x, mean = (_weigh(coef, cross[..., None, :, each]) for each in range(3))
        spline = square - mean**2
        spline = np.where(spline <= ROUNDING * square, 0.0, spline)
        b_mean, x_mean = (others[..., each, 2, None] for each in range(2))
        b_variance = np.maximum(others[..., 0, 0, None] - b_mean**2, 0.0)
        base = scale_base**2 * b_variance
        covariance = scale_base * (with_b - mean * b_mean)
        x_covariance = scale_base * (others[..., 0, 1, None] - b_mean * x_mean) + with_x - mean * x_mean
        variance = base + spline + 2 * covariance
        mean = mean + offset + scale_base * (b_mean + self.shift[:, inputs, :1])
        # Rounding is relative to the branches, which may all but cancel.
        variance = np.where(variance <= ROUNDING * (base + square), 0.0, variance)
        return mean, variance, base, spline, covariance, x_covariance


def _weigh(weights: Array, moments: Array) -> Array:
    """sum_m weights_m moments_m over the last axis, each sum alone and in order."""
    return np.einsum("...m,...m->...", weights, moments)


def _multiplied(one: Array, other: Array) -> Array:
    """The products of polynomials `[..., p]`, by their coefficients."""
    product = np.zeros((*one.shape[:-1], one.shape[-1] + other.shape[-1] - 1))
    for power in range(one.shape[-1]):
        product[..., power : power + other.shape[-1]] += one[..., power, None] * other
    return product


@dataclass(frozen=True)
class _Intervals:
    """The intervals between knots, and what the bases are there."""

    centre: Array  # [Q], or [s, i, Q] where each input has its own knots
    half: Array  # [Q], or [s, i, Q]: half the length
    values: Array  # [..., k + 1, p]: coefficients of the bases that are not 0, as polynomials of v

    @classmethod
    def of(cls, layer: KANLayer) -> _Intervals:
        nodes = np.cos(np.pi * (np.arange(layer.k + 1) + 0.5) / (layer.k + 1))  # of Chebyshev
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
            values = torch.stack(list(local.values), dim=-1).numpy()  # [node, k + 1]
        return cls(centre, half, np.swapaxes(to_coefficients @ values, -1, -2))

    def place(self, x: Array, interval: Array, block: tuple[slice, slice]) -> Array:
        """v of places `[n, s, i]` in the intervals of these numbers, of some members and inputs: -1 at the left end, 1
        at the right."""
        if self.centre.ndim == 1:
            return (x - self.centre[interval]) / self.half[0]
        members, inputs = np.arange(x.shape[1])[:, None], np.arange(x.shape[2])
        centre, half = (each[block][members, inputs, interval] for each in (self.centre, self.half))
        return (x - centre) / half
