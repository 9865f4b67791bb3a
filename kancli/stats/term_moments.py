"""Second moments, over samples that arrive in chunks, of the terms that the edges add up.

An edge is a weighted sum of terms that all edges out of one input share: the bases, b(x), a constant. So the mean, the
variance and the covariances of every edge follow from the second moments of the terms, without a pass over edges and
samples. b(x) and x are counted from a fixed place near their mean, so a large mean costs no digits (Chan, Golub and
LeVeque, "Algorithms for computing the sample variance", 1983); products and sums are float64.

Shapes: n samples, s members (1 for a single model), i inputs, o outputs, K bases of order k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kancli.splines import Local
from kancli.stats.moments import Array, total
from kancli.threads import one_blas_thread

MOST_DENSE = 32  # bases up to which a product with their zeros is faster than leaving them out
ROWS = 1024  # samples in one matrix product
WEIGHTS = 2**18  # weights looked at together
ROUNDING = 1e-14  # of the mean square: a variance below it cannot be told from 0


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


class TermMoments:
    """Sums over samples of products of bases, b(x) and x."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.n = 0
        self.shift: Array = np.zeros(())  # [s, i, 2], near the means of b(x) and x
        self.bases: Array = np.zeros(())  # [s, i, K, k + 1], sums of B_m B_{m+r}
        self.cross: Array = np.zeros(())  # [s, i, K, 3],     sums of B_m times b(x), x and 1
        self.others: Array = np.zeros(())  # [s, i, 3, 3],    sums of products of b(x), x and 1

    def update(self, local: Local, b: Tensor, x: Tensor) -> None:
        """Take in one chunk: the bases at x, b(x) and x, of samples in `[s, n, i]`."""
        if self.n == 0:
            self.shift = np.stack([total(each.double().numpy().swapaxes(0, 1)) for each in (b, x)], axis=-1)
            self.shift /= x.shape[1]
            self.shift[~np.isfinite(self.shift)] = 0.0
        sums = _dense_sums if local.n_basis <= MOST_DENSE else _scattered_sums
        shifts = torch.from_numpy(self.shift).unsqueeze(1).unbind(-1)  # [s, 1, i]
        for begin in range(0, x.shape[1], ROWS):
            rows = slice(begin, begin + ROWS)
            part = Local([each[:, rows] for each in local.values], local.first[:, rows], local.n_basis)
            others = [each[:, rows] - shift for each, shift in zip((b, x), shifts, strict=True)]
            for name, each in zip(("bases", "cross", "others"), sums(part, others), strict=True):
                setattr(self, name, getattr(self, name) + each)
        self.n += x.shape[1]

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
            square = square + (2 if r else 1) * _weigh(pairs, bases[..., : pairs.shape[-1], r])
        with_b, with_x, mean = (_weigh(coef, cross[..., each]) for each in range(3))
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
    """sum_m weights_m moments_m: `[s, i, o, m]` and `[s, i, m]` to `[s, i, o]`, each sum alone and in order."""
    return np.einsum("siom,sim->sio", weights, moments)


def _dense_sums(local: Local, others: Sequence[Tensor]) -> tuple[Array, Array, Array]:
    """By one matrix product for each member and input, of the bases with all their zeros."""
    (s, n, i), n_basis, k = local.first.shape, local.n_basis, local.k
    # k columns on each side are for bases that do not exist; what is on the right is overwritten.
    terms = torch.zeros(s, i, n, k + n_basis + max(k, 3), dtype=torch.float64)
    columns = local.first.transpose(1, 2).contiguous().long().add_(k).unsqueeze(-1) + torch.arange(k + 1)
    terms.scatter_(-1, columns, torch.stack([each.transpose(1, 2) for each in local.values], dim=-1).double())
    for place, each in enumerate(others, k + n_basis):
        terms[..., place] = each.transpose(1, 2)
    terms[..., k + n_basis + 2] = 1.0
    terms = terms[..., k : k + n_basis + 3].flatten(0, 1)  # [s i, n, K + 3]
    with one_blas_thread():
        sums = np.matmul(terms.transpose(1, 2).numpy(), terms.numpy()).reshape(s, i, n_basis + 3, n_basis + 3)
    bases = np.zeros((s, i, n_basis, k + 1))
    for r in range(min(k + 1, n_basis)):
        bases[..., : n_basis - r, r] = np.diagonal(sums[..., :n_basis, :n_basis], r, axis1=-2, axis2=-1)
    return bases, sums[..., :n_basis, n_basis:], sums[..., n_basis:, n_basis:]


def _scattered_sums(local: Local, others: Sequence[Tensor]) -> tuple[Array, Array, Array]:
    """Value by value: where there are many bases."""
    (s, _, i), n_basis = local.first.shape, local.n_basis
    first = local.first.numpy()
    values = [each.double().numpy() for each in local.values]
    further = np.stack([*(each.numpy() for each in others), np.ones(first.shape)], axis=-1)
    start = (np.arange(s * i) * n_basis).reshape(s, 1, i)
    bases, cross = np.zeros((s, i, n_basis, local.k + 1)), np.zeros((s, i, n_basis, 3))
    for place, value in enumerate(values):
        index = first + place
        value = np.where((index >= 0) & (index < n_basis), value, 0.0)
        bins = (start + np.clip(index, 0, n_basis - 1)).ravel()

        def summed(products: Array, bins: Array = bins) -> Array:
            return np.bincount(bins, products.ravel(), s * i * n_basis).reshape(s, i, n_basis)

        for r, partner in enumerate(values[place:]):
            bases[..., r] += summed(np.where(index + r < n_basis, value * partner, 0.0))
        for each in range(3):
            cross[..., each] += summed(value * further[..., each])
    products = (further[..., :, None] * further[..., None, :]).swapaxes(0, 1)
    return bases, cross, total(products)
