# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Sums over the samples of one chunk, in one sweep each, by numba: in the order of numpy's sums, so with the same bits.

Shapes: s members, n samples, i inputs, o outputs, K bases of order k, Q intervals between knots, p powers. Samples may
be float32 or float64, sums are float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kancli.kan.compiled.compile import kernel


@kernel
def node_moments(x: Any, mean: Any, squares: Any, low: Any, high: Any) -> None:
    """Mean, sum of squared deviations from it, and extremes of each node over the samples.

    Args:
        x: `[s, n, i]`; the others: `[s, i]`, written to.
    """
    n_members, n, n_nodes = x.shape
    for s in range(n_members):
        for i in range(n_nodes):
            first = np.float64(x[s, 0, i])
            mean[s, i], low[s, i], high[s, i] = first, first, first
        for r in range(1, n):
            for i in range(n_nodes):
                value = np.float64(x[s, r, i])
                mean[s, i] += value
                low[s, i] = _least(low[s, i], value)
                high[s, i] = _greatest(high[s, i], value)
        for i in range(n_nodes):
            mean[s, i] /= n
            squares[s, i] = 0.0
        for r in range(n):
            for i in range(n_nodes):
                deviation = np.float64(x[s, r, i]) - mean[s, i]
                squares[s, i] += deviation * deviation


@kernel
def shift_nodes(x: Any, shift: Any, shifted: Any, sums: Any) -> None:
    """Values counted from a shift, and their sums over the samples.

    Args:
        x: `[s, n, i]`; shift: `[s, i]`.
        shifted: `[s, n, i]`; sums: `[s, i]`, both written to.
    """
    n_members, n, n_nodes = x.shape
    for s in range(n_members):
        sums[s] = 0.0
        for r in range(n):
            for i in range(n_nodes):
                shifted[s, r, i] = np.float64(x[s, r, i]) - shift[s, i]
                sums[s, i] += shifted[s, r, i]


@kernel
def sample_means(x: Any, mean: Any) -> None:
    """The mean over the samples: x `[s, n, i]`; mean `[s, i]`, written to."""
    n_members, n, n_in = x.shape
    for s in range(n_members):
        for i in range(n_in):
            mean[s, i] = np.float64(x[s, 0, i])
        for r in range(1, n):
            for i in range(n_in):
                mean[s, i] += np.float64(x[s, r, i])
        for i in range(n_in):
            mean[s, i] /= n


@kernel
def basis_sums(
    first: Any, b: Any, x: Any, centre: Any, half: Any, shift: Any, powers: Any, powers_b: Any, products: Any
) -> None:
    """Add the sums of `BasisMoments` over one chunk.

    Args:
        first, b, x: `[s, n, i]`, index of the first basis that is not 0, b(x) and x.
        centre, half: `[1, 1, Q]`, or `[s, i, Q]` where each input has its own knots.
        shift: `[s, i, 2]`.
        powers: `[s, i, Q, p]`; powers_b: `[s, i, Q, k + 1]`; products: `[s, i, 3, 3]`, all added to.
    """
    n_members, n, n_in = x.shape
    n_intervals, n_powers = powers.shape[2:]
    k = powers_b.shape[3] - 1
    own, own_b, sums = np.zeros((n_intervals, n_powers)), np.zeros((n_intervals, k + 1)), np.zeros((3, 3))
    for s in range(n_members):
        for i in range(n_in):
            own[:], own_b[:], sums[:] = 0.0, 0.0, 0.0
            knots = (s, i) if centre.shape[1] > 1 or centre.shape[0] > 1 else (0, 0)
            centres, halves = centre[knots], half[knots]
            for r in range(n):
                value, q = np.float64(x[s, r, i]), first[s, r, i] + k
                v = (value - centres[q]) / halves[q]
                base, place = np.float64(b[s, r, i]) - shift[s, i, 0], value - shift[s, i, 1]
                sums[0, 0] += base * base
                sums[0, 1] += base * place
                sums[1, 1] += place * place
                sums[0, 2] += base
                sums[1, 2] += place
                # Only in the outermost intervals is a sample beyond all knots; NaN lies in the first.
                if 0 < q < n_intervals - 1 or abs(v) <= 1:
                    own[q, 0] += 1.0
                    power = v
                    for exponent in range(1, n_powers):
                        own[q, exponent] += power
                        power *= v
                    power = base
                    for exponent in range(k + 1):
                        own_b[q, exponent] += power
                        power *= v
            sums[2, 2] = n
            sums[1, 0], sums[2, 0], sums[2, 1] = sums[0, 1], sums[0, 2], sums[1, 2]
            powers[s, i] += own
            powers_b[s, i] += own_b
            products[s, i] += sums


@kernel
def basis_products(first: Any, values: Any, products: Any) -> None:
    """Add B_m B_{m+r} over the samples.

    Args:
        first: `[s, n, i]`, index of the first basis that is not 0.
        values: `[s, n, i, k + 1]`, of the bases from there on.
        products: `[s, i, K, k + 1]`, added to.
    """
    n_members, n, n_in, order = values.shape
    n_basis = products.shape[2]
    for s in range(n_members):
        for r in range(n):
            for i in range(n_in):
                m = first[s, r, i]
                for one in range(max(0, -m), min(order, n_basis - m)):
                    for other in range(one, min(order, n_basis - m)):
                        products[s, i, m + one, other - one] += values[s, r, i, one] * values[s, r, i, other]


@kernel
def count_outside(x: Any, low: Any, high: Any, counts: Any) -> None:
    """Add the number of samples outside the grid: x `[s, n, i]`; its ends `[1 or s, i]`; counts `[s, i]`."""
    n_members, n, n_in = x.shape
    for s in range(n_members):
        row = s if low.shape[0] > 1 else 0
        for r in range(n):
            for i in range(n_in):
                value = np.float64(x[s, r, i])
                counts[s, i] += value < low[row, i] or value > high[row, i]


@kernel
def path_lengths(order: Any, y: Any, path: Any, low: Any, high: Any) -> None:
    """The sum of |steps| of each edge along its samples in order, and its extremes.

    Args:
        order: `[s, n, i]`, numbers of samples.
        y: `[s, n, i, o]`.
        path, low, high: `[s, i, o]`, written to.
    """
    n_members, n, n_in, n_out = y.shape
    for s in range(n_members):
        for i in range(n_in):
            before = order[s, 0, i]
            for o in range(n_out):
                path[s, i, o] = 0.0
                low[s, i, o] = high[s, i, o] = y[s, before, i, o]
            for r in range(1, n):
                sample = order[s, r, i]
                for o in range(n_out):
                    value = y[s, sample, i, o]
                    path[s, i, o] += np.float64(abs(value - y[s, before, i, o]))
                    low[s, i, o] = _least(low[s, i, o], value)
                    high[s, i, o] = _greatest(high[s, i, o], value)
                before = sample


@kernel
def edge_extremes(y: Any, block: int, sum_abs: Any, low: Any, high: Any) -> None:
    """Add the sums of |y| `[s, n, i, o]` block by block of samples, and move the extremes; `[s, i, o]` each."""
    n_members, n, n_in, n_out = y.shape
    own = np.zeros(n_out)
    for s in range(n_members):
        for i in range(n_in):
            for begin in range(0, n, block):
                own[:] = 0.0
                for r in range(begin, min(n, begin + block)):
                    for o in range(n_out):
                        value = np.float64(y[s, r, i, o])
                        own[o] += abs(value)
                        low[s, i, o] = _least(low[s, i, o], value)
                        high[s, i, o] = _greatest(high[s, i, o], value)
                for o in range(n_out):
                    sum_abs[s, i, o] += own[o]


@kernel
def _least(one: Any, other: Any) -> Any:
    """As numpy's minimum: NaN if one is."""
    return one if one < other or one != one else other


@kernel
def _greatest(one: Any, other: Any) -> Any:
    return one if one > other or one != one else other
