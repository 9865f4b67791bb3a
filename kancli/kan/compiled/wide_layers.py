# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""A layer of many edges, whose table no cache holds: its outputs, and gradients by its parameters and inputs.

The layer is cut into the edges from a tile of inputs to a slab of outputs. Their table is made of the parameters where
they lie, used for up to `CHUNK` samples, and forgotten: parameters are read once, and no table of all is written.

Shapes: n samples, i inputs, o outputs, K basis functions; E = i o edges; t terms; b blocks of samples; N numbers of a
block's S samples and a tile's inputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.kernels import BLOCK, CHUNK, PADDING, all_factors
from kancli.kan.compiled.sums import ADD, NO_BIAS, TILE, add_gradients, add_weight_gradients, sums
from kancli.kan.compiled.tables import fold_edges, unfold_edges
from kancli.kan.compiled.vectors import LANES

SLAB = 64  # outputs
GROUP = 2  # slabs at a time, so that factors are read less often
N_NUMBERS = TILE * BLOCK + PADDING


@kernel
def set_factors(begin: int, end: int, grid: Any, ends: Any, x: Any, factors: Any, first: Any) -> None:
    """Set the factors of some tiles' inputs.

    Args:
        grid, ends: see `tables.Layout`.
        x: `[n, i]`.
        factors: `[tiles, b, d, t, N]`, see `kernels.all_factors`; first: `[tiles, b, N]`.
    """
    k = grid[1]
    columns = np.zeros(N_NUMBERS, factors.dtype)
    scratch = np.zeros((k + 3, k + 1, N_NUMBERS), factors.dtype)
    for tile in range(begin, end):
        for block in range(factors.shape[1]):
            own = factors[tile, block]
            own[:, k + 2 :] = 0  # fills up the fours
            _tile_factors(tile, block, grid, ends, x, columns, own, first[tile, block], scratch)


@kernel
def _tile_factors(
    tile: int, block: int, grid: Any, ends: Any, x: Any, columns: Any, factors: Any, first: Any, scratch: Any
) -> None:
    size, k, base, _, _ = grid
    start, n = block * BLOCK, min(BLOCK, x.shape[0] - block * BLOCK)
    count = min(TILE, x.shape[1] - tile * TILE)
    for i in range(count):
        for s in range(n):
            columns[i * BLOCK + s] = x[start + s, tile * TILE + i]
    all_factors(columns, count * BLOCK, size, k, ends[0], ends[1], base, factors, first, scratch)


@kernel
def set_outputs(
    begin: int,
    end: int,
    grid: Any,
    factors: Any,
    first: Any,
    n_in: int,
    coef: Any,
    scale_base: Any,
    scale_sp: Any,
    mask: Any,
    bias: Any,
    n_parts: int,
    out: Any,
) -> None:
    """Set the outputs of some groups of slabs for parts of the samples, numbered group by group.

    Args:
        factors, first: as `set_factors` sets them.
        coef: `[E K]`; scale_base, scale_sp: `[E]`; mask: `[E]`, or `[0]` for none; bias: `[o]`, or `[0]` for none.
        n_parts: into which the blocks of samples are divided.
        out: `[n, o]`.
    """
    (n, n_out), rows, n_blocks, zero = out.shape, grid[3], factors.shape[1], out.dtype.type(0)
    n_slabs = -(-n_out // SLAB)
    table, width = np.zeros(TILE * rows * SLAB, out.dtype), SLAB
    values = np.zeros((GROUP, n_blocks, BLOCK * SLAB), out.dtype)
    for item in range(begin, end):
        group, part = item // n_parts, item % n_parts
        slabs = range(group * GROUP, min((group + 1) * GROUP, n_slabs))
        blocks = range(n_blocks * part // n_parts, n_blocks * (part + 1) // n_parts)
        for slab in slabs:
            low, padded = slab * SLAB, _padded(slab, n_out)
            for block in blocks:
                own = values[slab % GROUP, block]
                for s in range(BLOCK):
                    for j in range(min(padded, n_out - low)):
                        own[s * padded + j] = bias[low + j] if bias.size > 0 else zero
        for tile in range(factors.shape[0]):
            count = min(TILE, n_in - tile * TILE)
            for slab in slabs:
                low, padded = slab * SLAB, _padded(slab, n_out)
                if padded != width:
                    _set_zero(table)
                    width = padded
                high = min(low + padded, n_out)
                _fold_tile(tile, count, low, high, n_out, grid, coef, scale_base, scale_sp, mask, padded, table)
                for block in blocks:
                    f, own, here = factors[tile, block, 0], values[slab % GROUP, block], min(BLOCK, n - block * BLOCK)
                    sums(f, first[tile, block], table, rows, count, padded, 0, ADD, here, own)
        for slab in slabs:
            low, padded = slab * SLAB, _padded(slab, n_out)
            for block in blocks:
                own = values[slab % GROUP, block]
                for s in range(min(BLOCK, n - block * BLOCK)):
                    for j in range(min(padded, n_out - low)):
                        out[block * BLOCK + s, low + j] = own[s * padded + j]


@kernel
def _padded(slab: int, n_out: int) -> int:
    """Number of a slab's outputs, padded to whole vectors."""
    return min(SLAB, -(-(n_out - slab * SLAB) // LANES) * LANES)


@kernel
def _set_zero(numbers: Any) -> None:
    for place in range(len(numbers)):  # an assignment to a slice takes longer
        numbers[place] = 0


@kernel
def _add(numbers: Any, total: Any) -> None:
    for place in range(len(numbers)):
        total[place] += numbers[place]


@kernel
def _fold_tile(
    tile: int,
    count: int,
    low: int,
    high: int,
    n_out: int,
    grid: Any,
    coef: Any,
    scale_base: Any,
    scale_sp: Any,
    mask: Any,
    padded: int,
    table: Any,
) -> None:
    """Set the rows `[count rows, padded]` of a tile's inputs for outputs `low` to `high`."""
    size, k, _, rows, _ = grid
    n_basis = size + k
    for i in range(count):
        edge = (tile * TILE + i) * n_out + low
        fold_edges(
            coef[edge * n_basis :],
            scale_base[edge:],
            scale_sp[edge:],
            mask[edge:],
            high - low,
            n_basis,
            k,
            padded,
            table[i * rows * padded : (i + 1) * rows * padded],
        )


@kernel
def arrange(out_grads: Any, arranged: Any) -> None:
    """Copy `[n, o]` into `[slabs, b, S SLAB]`, each block of a slab in one piece, padded; other numbers stay."""
    n, n_out = out_grads.shape
    for slab in range(arranged.shape[0]):
        low, padded = slab * SLAB, _padded(slab, n_out)
        for s in range(n):
            for j in range(min(padded, n_out - low)):
                arranged[slab, s // BLOCK, s % BLOCK * padded + j] = out_grads[s, low + j]


@kernel
def set_gradients(
    begin: int,
    end: int,
    grid: Any,
    ends: Any,
    x: Any,
    out_grads: Any,
    n_out: int,
    coef: Any,
    scale_base: Any,
    scale_sp: Any,
    mask: Any,
    coef_grads: Any,
    base_grads: Any,
    scale_grads: Any,
    in_grads: Any,
) -> None:
    """Set the gradients by the parameters of some tiles' inputs, and by these inputs.

    Args:
        x: `[n, i]`.
        out_grads: as `arrange` sets them.
        coef_grads: `[E K]`; base_grads, scale_grads: `[E]`.
        in_grads: `[n, i]`, or `[0, i]` where they are not wanted.
    """
    size, k, _, rows, terms = grid
    (n, n_in), (n_slabs, n_blocks, _), n_basis = x.shape, out_grads.shape, size + k
    most = CHUNK // BLOCK  # blocks whose sums are taken apart
    columns = np.zeros(N_NUMBERS, coef.dtype)
    scratch = np.zeros((k + 3, k + 1, N_NUMBERS), coef.dtype)
    factors, first = np.zeros((most, 2, terms, N_NUMBERS), coef.dtype), np.zeros((most, N_NUMBERS), np.int32)
    table = np.zeros(TILE * rows * SLAB, coef.dtype)
    grads, totals = np.zeros(len(table), coef.dtype), np.zeros((n_slabs, len(table)), coef.dtype)
    own, x_grads = np.zeros(BLOCK * LANES, coef.dtype), np.zeros((most, BLOCK * LANES), coef.dtype)
    wants_x = in_grads.shape[0] > 0
    for tile in range(begin, end):
        count = min(TILE, n_in - tile * TILE)
        _set_zero(totals.reshape(-1))
        for start in range(0, n_blocks, most):
            blocks = range(min(most, n_blocks - start))
            for b in blocks:
                _tile_factors(tile, start + b, grid, ends, x, columns, factors[b], first[b], scratch)
            _set_zero(x_grads.reshape(-1))
            for slab in range(n_slabs):
                low, padded = slab * SLAB, _padded(slab, n_out)
                high = min(low + padded, n_out)
                if wants_x:
                    _set_zero(table)
                    _fold_tile(tile, count, low, high, n_out, grid, coef, scale_base, scale_sp, mask, padded, table)
                _set_zero(grads)
                for b in blocks:
                    f, d, places, given = factors[b, 0], factors[b, 1], first[b], out_grads[slab, start + b]
                    here = min(BLOCK, n - (start + b) * BLOCK)
                    if not wants_x:
                        add_weight_gradients(f, places, rows, count, padded, 0, NO_BIAS, here, given, grads)
                        continue
                    add_gradients(f, d, places, table, rows, count, padded, 0, NO_BIAS, here, given, own, grads)
                    _add(own, x_grads[b])
                _add(grads, totals[slab])
            for b in blocks if wants_x else range(0):
                for s in range(min(BLOCK, n - (start + b) * BLOCK)):
                    for i in range(count):
                        in_grads[(start + b) * BLOCK + s, tile * TILE + i] = x_grads[b, s * LANES + i]
        for slab in range(n_slabs):
            low, padded = slab * SLAB, _padded(slab, n_out)
            for i in range(count):
                edge = (tile * TILE + i) * n_out + low
                unfold_edges(
                    totals[slab, i * rows * padded : (i + 1) * rows * padded],
                    coef[edge * n_basis :],
                    scale_sp[edge:],
                    mask[edge:],
                    min(padded, n_out - low),
                    n_basis,
                    k,
                    padded,
                    coef_grads[edge * n_basis :],
                    base_grads[edge:],
                    scale_grads[edge:],
                )
