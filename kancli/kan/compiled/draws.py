# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Uniform numbers and fits of them at the knots, by numba, from the streams that numpy's Philox has.

A number of Philox is a function of the key and of its place, four at a time (Salmon, Moraes, Dror, Shaw, "Parallel
random numbers: as easy as 1, 2, 3", SC 2011). Constants and the order of the four are numpy's.

Shapes: e edges, K basis functions, n knots of the grid, F the next multiple of four from K.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.vectors import FOUR, load_four, multiply_add, splat_four, store

CHUNK = 64  # edges, or fours of numbers, that stay in the cache
ROUNDS = 10
FACTORS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
STEPS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)  # from the key of a round to that of the next
UNIT = 2.0**-53


@intrinsic
def _product(typingctx: Any, a: Any, b: Any) -> Any:
    """The upper and the lower 64 bits of a b."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide, narrow = ir.IntType(128), ir.IntType(64)
        product = builder.mul(*(builder.zext(factor, wide) for factor in args))
        upper = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), narrow)
        return context.make_tuple(builder, signature.return_type, [upper, builder.trunc(product, narrow)])

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), codegen


@kernel
def _fill_whole(whole: Any, place: int, key: Any) -> None:
    """Fill `[m]`, m a multiple of four, with whole numbers of the stream; they begin at four times a place."""
    first, second = FACTORS
    step0, step1 = STEPS
    for number in range(len(whole) // 4):
        key0, key1 = key
        a, b, c, d = np.uint64(place + number + 1), np.uint64(0), np.uint64(0), np.uint64(0)
        for _ in range(ROUNDS):
            (upper_a, lower_a), (upper_c, lower_c) = _product(first, a), _product(second, c)
            a, b, c, d = upper_c ^ b ^ key0, lower_c, upper_a ^ d ^ key1, lower_a
            key0, key1 = key0 + step0, key1 + step1
        at = 4 * number
        whole[at], whole[at + 1], whole[at + 2], whole[at + 3] = a, b, c, d


@kernel
def _spread(values: Any, whole: Any, low: float, width: float) -> None:
    """Set `[m]` to low + width u, with the numbers u in [0, 1) that numpy makes of 64 bits; `whole` has m or more."""
    for number in range(len(values)):
        values[number] = low + width * (np.float64(np.int64(whole[number] >> np.uint64(11))) * UNIT)


@kernel
def fill_uniform(values: Any, key: Any, low: float, width: float) -> None:
    """Fill `[m]` with low + width U[0, 1).

    Args:
        key: of the stream, two numbers.
    """
    whole = np.empty(4 * CHUNK, np.uint64)
    for start in range(0, len(values), 4 * CHUNK):
        _fill_whole(whole, start // 4, key)
        _spread(values[start : start + 4 * CHUNK], whole, low, width)


@kernel
def fill_fits(values: Any, start: int, key: Any, half_width: float, solver: Any, slack: Any) -> bool:
    """Fill the coefficients of edges with fits of half_width U[-1, 1) at the knots.

    Args:
        values: `[e, K]`, float32.
        start: number of the first edge in the stream, a multiple of four.
        key: of the stream, two numbers.
        solver: `[n, F]`, the transpose of the knots' pseudo-inverse, padded with 0.
        slack: `[CHUNK K]`, for each coefficient of a chunk how far two orders of its sum may lie apart.

    Returns:
        Whether every order of the sums is rounded to the same float32.
    """
    (n_edges, n_basis), (n_knots, padded) = values.shape, solver.shape
    weights, whole = solver.reshape(-1), np.empty(CHUNK * n_knots, np.uint64)
    noise, fits = np.empty(CHUNK * n_knots), np.empty(CHUNK * n_basis + FOUR)
    n_ambiguous = 0
    for first in range(0, n_edges, CHUNK):
        n = min(CHUNK, n_edges - first)
        _fill_whole(whole, (start + first) * n_knots // 4, key)
        _spread(noise, whole, -1.0, 2.0)
        for edge in range(n):
            for at in range(0, padded, FOUR):
                fit = splat_four(0.0)
                for knot in range(n_knots):
                    level = splat_four(half_width * noise[edge * n_knots + knot])
                    fit = multiply_add(level, load_four(weights, knot * padded + at), fit)
                store(fits, edge * n_basis + at, fit)  # the next edge overwrites what is beyond this one's
        n_ambiguous += _round(values[first : first + n].reshape(-1), fits, slack)
    return n_ambiguous == 0


@kernel
def _round(values: Any, fits: Any, slack: Any) -> int:
    """Round float64 to float32; return how many may be rounded to another within the slack."""
    n_ambiguous = 0
    for number in range(len(values)):
        values[number] = fits[number]
        n_ambiguous += np.float32(fits[number] - slack[number]) != np.float32(fits[number] + slack[number])
    return n_ambiguous
