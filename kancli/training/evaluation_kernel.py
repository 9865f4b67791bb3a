# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Squared errors of members on samples that do not train, by numba.

Shapes: s members, n samples, c chunks of samples, i inputs, o outputs, Q numbers of a member's tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.forward import forward_block, no_factors, take_first_factors
from kancli.kan.compiled.kernels import BLOCK, CHUNK, PADDING


@kernel
def squared_errors(
    first: int, last: int, layers: Any, grid: Any, ends: Any, x: Any, y: Any, tables: Any, errors: Any
) -> None:
    """Set the sums of squared errors of some chunks, numbered member by member.

    Args:
        layers, grid, ends: see `tables.Layout`.
        x: `[n, i]`; y: `[n, o]`; tables: `[s, Q]`; errors: `[s, c]`, float64.
    """
    n_chunks = errors.shape[1]
    kept, at = no_factors(tables)
    for item in range(first, last):
        member, chunk = item // n_chunks, item % n_chunks
        start, stop = chunk * CHUNK, min((chunk + 1) * CHUNK, len(x))
        errors[member, chunk] = chunk_error(layers, grid, ends, x, y, kept, at, tables[member], start, stop)


@kernel
def chunk_error(
    layers: Any, grid: Any, ends: Any, x: Any, y: Any, kept: Any, at: Any, table: Any, start: int, stop: int
) -> float:
    """Sum of squared errors over samples `start` to `stop`, by a member's table `[Q]`.

    Args:
        kept, at: see `first_factors`.
    """
    n_layers, n_last, padded = layers.shape[0] - 1, layers[-1, 0], layers[-2, 2]
    _, k, _, _, terms = grid
    widest = max(layers[:, 0].max(), layers[:, 2].max())
    length = widest * BLOCK + PADDING
    factors = np.zeros((n_layers, 2, terms, length), table.dtype)
    places = np.zeros((n_layers, length), np.int32)
    values = np.zeros((n_layers + 1, BLOCK * widest), table.dtype)
    scratch = np.zeros((k + 3, k + 1, length), table.dtype)
    columns, error = np.zeros(length, table.dtype), 0.0
    for begin in range(start, stop, BLOCK):
        n = min(BLOCK, stop - begin)
        known = take_first_factors(kept, at, begin // BLOCK, factors[0, 0], places[0])
        forward_block(layers, grid, ends, x, begin, n, table, factors, places, columns, scratch, values, known)
        for s in range(n):
            for j in range(n_last):
                difference = np.float64(values[n_layers, s * padded + j]) - np.float64(y[begin + s, j])
                error += difference * difference
    return error
