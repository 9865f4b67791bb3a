# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Squared errors of members on samples that do not train, by numba.

Shapes: s members, n samples, c chunks of samples, i inputs, o outputs, Q numbers of a member's tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.kernels import BLOCK, all_factors, sums

CHUNK = 512  # samples, a multiple of BLOCK
PADDING = 16  # of rows, so that their starts do not share places in the cache


@kernel
def squared_errors(
    first: int, last: int, layers: Any, grid: Any, ends: Any, x: Any, y: Any, tables: Any, errors: Any
) -> None:
    """Set the sums of squared errors of some chunks, numbered member by member.

    Args:
        layers, grid, ends: see `tables.Layout`.
        x: `[n, i]`; y: `[n, o]`; tables: `[s, Q]`; errors: `[s, c]`, float64.
    """
    n_chunks, n_layers, n_last = errors.shape[1], layers.shape[0] - 1, layers[-1, 0]
    size, k, base, rows, terms = grid
    low, high = ends
    widest = max(layers[:, 0].max(), layers[:, 2].max())
    length = widest * BLOCK + PADDING
    factors = np.zeros((2, terms, length), tables.dtype)
    places = np.zeros(length, np.int32)
    values = np.zeros((2, BLOCK * widest), tables.dtype)  # of the layers in turn
    scratch = np.zeros((k + 3, k + 1, length), tables.dtype)
    columns = np.zeros(length, tables.dtype)
    for item in range(first, last):
        member, chunk = item // n_chunks, item % n_chunks
        error = 0.0
        for begin in range(chunk * CHUNK, min((chunk + 1) * CHUNK, len(x)), BLOCK):
            n = min(BLOCK, len(x) - begin)
            for layer in range(n_layers):
                n_in, n_out, place, bias = layers[layer, 0], layers[layer, 2], layers[layer, 3], layers[layer, 4]
                for i in range(n_in):
                    if layer == 0:
                        for s in range(n):
                            columns[i * BLOCK + s] = x[begin + s, i]
                    else:
                        padded = layers[layer - 1, 2]
                        for s in range(n):
                            columns[i * BLOCK + s] = values[layer % 2, s * padded + i]
                all_factors(columns, n_in * BLOCK, size, k, low, high, base, factors, places, scratch)
                out = values[(layer + 1) % 2]
                sums(factors[0], places, tables[member], rows, n_in, n_out, place, bias, n, out)
            padded, out = layers[n_layers - 1, 2], values[n_layers % 2]
            for s in range(n):
                for j in range(n_last):
                    difference = np.float64(out[s * padded + j]) - np.float64(y[begin + s, j])
                    error += difference * difference
        errors[member, chunk] = error
