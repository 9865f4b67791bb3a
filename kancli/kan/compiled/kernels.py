# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""The factors of a layer's sums over edges, for a block of samples; `sums` has the sums themselves.

An edge's phi is a sum of terms, factor times weight: b(x), then bases in fours. A table has, for each input, a row of
`scale_base` and then a row for each basis, with rows of 0 for those that do not exist; a row holds a weight for each
output, padded to whole vectors unless it is a last layer's only one (`tables.Layout.of`).

Shapes: i inputs, o outputs, padded; d derivative; t terms: b(x), then the k + 1 bases, padded to fours; S samples of a
block; N = i S numbers of all inputs, one input's after the other, so that loops are long.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.vectors import power_of_two

BLOCK = 32  # samples
CHUNK = 16 * BLOCK  # samples whose sums are taken apart, so that threads can share a member's
PADDING = 16  # of rows of N, so that their starts do not share places in the cache
SILU, IDENTITY, ZERO = range(3)
BASE_FUNCTIONS = {"silu": SILU, "identity": IDENTITY, "zero": ZERO}


def n_terms(k: int) -> int:
    """t: b(x) and the bases, in fours."""
    return 1 + 4 * ((k + 4) // 4)


def n_rows(grid: int, k: int) -> int:
    """Rows of one input in a table: one for b(x), and one for each basis with all that a sample may point to."""
    return grid + 2 * k + n_terms(k) - 1


def _sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) in operations that LLVM vectorises; some finite number for NaN."""
    raise NotImplementedError


@overload(_sigmoid)
def _sigmoid_of(x: Any) -> Any:
    dtype, bound, degree = (np.float32, 126, 7) if x == types.float32 else (np.float64, 1022, 13)
    low, high, half, one, log2_e = (dtype(value) for value in (-bound, bound, 0.5, 1, 1 / math.log(2)))
    taylor = tuple(dtype(math.log(2) ** n / math.factorial(n)) for n in range(degree, -1, -1))

    def sigmoid(x: Any) -> Any:
        power = min(max(-x * log2_e, low), high)
        whole = math.floor(power + half)
        rest = power - dtype(whole)  # -0.5 to 0.5
        value = taylor[0]  # of 2^rest
        for coefficient in taylor[1:]:
            value = value * rest + coefficient
        return one / (one + value * power_of_two(whole, one))

    return sigmoid


@kernel
def place(x: Any, n: int, grid: int, k: int, low: float, high: float, first: Any, u: Any, inside: Any) -> None:
    """First row of bases within an input's rows, relative position in the interval, and 0 beyond all knots, else 1.

    Args:
        x: `[N]`, as all others; NaN counts as beyond the knots.
        n: N.
    """
    one, zero, end = x.dtype.type(1), x.dtype.type(0), x.dtype.type(high)
    step, least, most, last = (high - low) / grid, np.float64(-k), np.float64(grid + k - 1), np.float64(grid - 1)
    for s in range(n):
        # As `splines`: a position in float64 finds the nearest knot, and a comparison with that knot decides.
        position = (np.float64(x[s]) - low) / step
        nearest = np.floor(position + 0.5)
        knot = x.dtype.type(((grid - nearest) * low + nearest * high) / grid)
        interval = nearest - 1.0 if x[s] < knot else nearest
        inside[s] = one if least <= interval <= most else zero
        interval = interval if interval >= least else least
        interval = interval if interval <= most else most
        interval = last if x[s] == end else interval
        first[s] = np.int32(interval) + np.int32(k + 1)
        fraction = x.dtype.type(position - interval)
        fraction = fraction if fraction >= zero else zero
        u[s] = fraction if fraction <= one else one


@kernel
def raise_order(order: int, u: Any, n: int, lower: Any, higher: Any) -> None:
    """Bases of an order `[order + 1, N]` from those of the order below `[order, N]`, on uniform knots."""
    one = u.dtype.type(1)
    share = one / u.dtype.type(order)
    for r in range(order + 1):
        falling, rising = u.dtype.type(r + 1), u.dtype.type(order - r)
        if r == 0:
            for s in range(n):
                higher[r, s] = (falling - u[s]) * lower[r, s] * share
        elif r == order:
            for s in range(n):
                higher[r, s] = (u[s] + rising) * lower[r - 1, s] * share
        else:
            for s in range(n):
                higher[r, s] = ((falling - u[s]) * lower[r, s] + (u[s] + rising) * lower[r - 1, s]) * share


@kernel
def differentiate(count: int, per_step: float, n: int, values: Any, out: Any) -> None:
    """Differences of neighbours over a step: `[count, N]` to `[count + 1, N]`; `out` may be `values`."""
    scale = out.dtype.type(per_step)
    for r in range(count, -1, -1):
        if r == count:
            for s in range(n):
                out[r, s] = values[r - 1, s] * scale
        elif r == 0:
            for s in range(n):
                out[r, s] = -values[r, s] * scale
        else:
            for s in range(n):
                out[r, s] = (values[r - 1, s] - values[r, s]) * scale


@kernel
def base_factors(x: Any, n: int, base: int, factors: Any) -> None:
    """b(x) and its derivatives, in `factors[:, 0]`, `[d, N]`."""
    kind = x.dtype.type
    one, two, three, zero = kind(1), kind(2), kind(3), kind(0)
    count = factors.shape[0]
    if base == SILU:
        for s in range(n):
            sigma = _sigmoid(x[s])
            factors[0, 0, s] = x[s] * sigma
        if count > 1:
            for s in range(n):
                sigma = _sigmoid(x[s])
                factors[1, 0, s] = sigma * (one + x[s] * (one - sigma))
        if count > 2:
            for s in range(n):
                sigma = _sigmoid(x[s])
                first = sigma * (one - sigma)
                second = first * (one - two * sigma)
                third = second * (one - two * sigma) - two * first * first
                factors[2, 0, s] = two * first + x[s] * second
                if count > 3:
                    factors[3, 0, s] = three * second + x[s] * third
        return
    weight = one if base == IDENTITY else zero
    for s in range(n):
        factors[0, 0, s] = zero if base != IDENTITY and x[s] == x[s] else x[s]  # NaN stays NaN
        for d in range(1, count):
            factors[d, 0, s] = weight if d == 1 else zero


@kernel
def all_factors(
    x: Any, n: int, grid: int, k: int, low: float, high: float, base: int, factors: Any, first: Any, scratch: Any
) -> None:
    """Factors of the terms and their derivatives `[d, t, N]`, and `first` `[N]`; k at least 1.

    Args:
        x: `[N]`.
        scratch: `[k + 3, k + 1, N]`, for numbers in between.
    """
    u, inside = scratch[0, 0], scratch[1, 0]
    place(x, n, grid, k, low, high, first, u, inside)
    bases = scratch[2:]  # by order, [order + 1, S]
    one = u.dtype.type(1)
    for s in range(n):
        bases[1, 0, s] = one - u[s]
        bases[1, 1, s] = u[s]
    for s in range(n):
        bases[0, 0, s] = one
    for order in range(2, k + 1):
        raise_order(order, u, n, bases[order - 1], bases[order])
    for r in range(k + 1):  # an assignment of slices takes eight times as long
        for s in range(n):
            factors[0, 1 + r, s] = bases[k, r, s]
    per_step = grid / (high - low)
    for d in range(1, min(factors.shape[0], k + 1)):
        spread = factors[d, 1:]
        differentiate(k - d + 1, per_step, n, bases[k - d], spread)
        for count in range(k - d + 2, k + 1):
            differentiate(count, per_step, n, spread, spread)
        if d == k:
            for r in range(k + 1):
                for s in range(n):
                    spread[r, s] *= inside[s]
    base_factors(x, n, base, factors)
