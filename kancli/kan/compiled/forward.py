# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""The forward pass of a network for a block of samples.

Shapes: n samples, l layers, i inputs, t terms, S samples of a block, N = i S numbers, Q numbers of the tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.kernels import BLOCK, PADDING, all_factors
from kancli.kan.compiled.sums import sums


@kernel
def forward_block(
    layers: Any,
    grid: Any,
    ends: Any,
    x: Any,
    begin: int,
    n: int,
    table: Any,
    factors: Any,
    first: Any,
    columns: Any,
    scratch: Any,
    values: Any,
    known: int,
) -> None:
    """Set the outputs of all layers for samples `begin` to `begin` + n, and the factors of their sums.

    Args:
        layers, grid, ends: see `tables.Layout`.
        x: `[n, i]`; table: `[Q]`.
        factors: `[l, 2, t, N]`, or without derivatives `[l, 1, t, N]`; first: `[l, N]`; both may have one layer only,
            for all in turn; values: of a layer's inputs, `[l + 1, S i]`, the first left out.
        columns: `[N]`; scratch: as of `all_factors`.
        known: 1 if the factors of the first layer are set already, else 0.
    """
    size, k, base, rows, _ = grid
    for layer in range(layers.shape[0] - 1):
        n_in, n_out, place, bias = layers[layer, 0], layers[layer, 2], layers[layer, 3], layers[layer, 4]
        own, places = factors[min(layer, factors.shape[0] - 1)], first[min(layer, first.shape[0] - 1)]
        if layer == 0:
            set_columns(x, begin, n, columns)
        else:
            padded = layers[layer - 1, 2]
            for i in range(n_in):
                for s in range(n):
                    columns[i * BLOCK + s] = values[layer, s * padded + i]
        if layer >= known:
            all_factors(columns, n_in * BLOCK, size, k, ends[0], ends[1], base, own, places, scratch)
        sums(own[0], places, table, rows, n_in, n_out, place, bias, n, values[layer + 1])


@kernel
def set_columns(x: Any, begin: int, n: int, columns: Any) -> None:
    """Samples `begin` to `begin` + n of x `[n, i]`, one input's after the other's."""
    for i in range(x.shape[1]):
        for s in range(n):
            columns[i * BLOCK + s] = x[begin + s, i]


@kernel
def first_factors(layers: Any, grid: Any, ends: Any, x: Any, most: int, like: Any) -> Any:
    """Factors `[blocks, t, N]` and `first` `[blocks, N]` of the first layer, computed once for all steps and members.

    Args:
        most: up to so many numbers; no blocks if there are more.
        like: an array of the factors' dtype.
    """
    size, k, base, _, terms = grid
    n_numbers, n_blocks = layers[0, 0] * BLOCK, -(-x.shape[0] // BLOCK)
    n_blocks = n_blocks if n_blocks * n_numbers * terms <= most else 0
    kept, places = np.zeros((n_blocks, terms, n_numbers), like.dtype), np.zeros((n_blocks, n_numbers), np.int32)
    length = n_numbers + PADDING
    factors, first = np.zeros((2, terms, length), like.dtype), np.zeros(length, np.int32)
    scratch, columns = np.zeros((k + 3, k + 1, length), like.dtype), np.zeros(length, like.dtype)
    for block in range(n_blocks):
        set_columns(x, block * BLOCK, min(BLOCK, x.shape[0] - block * BLOCK), columns)
        all_factors(columns, n_numbers, size, k, ends[0], ends[1], base, factors, first, scratch)
        kept[block], places[block] = factors[0, :, :n_numbers], first[:n_numbers]
    return kept, places


@kernel
def no_factors(like: Any) -> Any:
    """As `first_factors`, but no blocks: for factors that are used once."""
    return np.zeros((0, 1, 1), like.dtype), np.zeros((0, 1), np.int32)


@kernel
def take_first_factors(kept: Any, places: Any, block: int, factors: Any, first: Any) -> int:
    """Set the first layer's factors `[t, N]` and `first` by those kept; 1, or 0 where none are."""
    if len(kept) == 0:
        return 0
    n_numbers = kept.shape[2]
    factors[:, :n_numbers], first[:n_numbers] = kept[block], places[block]
    return 1
