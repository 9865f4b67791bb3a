# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Parameters of a network as tables of weights for the kernels, and gradients by the tables as those by parameters.

Shapes: P parameters of a member, Q numbers of its tables, l layers, i inputs, o outputs, K basis functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.kernels import BASE_FUNCTIONS, n_rows, n_terms
from kancli.kan.compiled.vectors import LANES, load, load_apart, multiply, store
from kancli.kan.network import KAN
from kancli.kan.shares import in_threads

MIN_FACTORS = 150_000  # of edges, which the kernels of gradients take half a millisecond for
MIN_NUMBERS = 100_000  # of tables, which are set in a tenth of a millisecond


@dataclass(frozen=True)
class Layout:
    """Where the kernels find things; arguments `layers`, `grid` and `ends` of theirs.

    A member's parameters lie in a row `[P]`, layer by layer: coef, scale_base, scale_sp, bias.
    """

    # [l + 1, 7]  n_in, n_out, n_out padded, places: table, its bias, parameters, mask; then the ends
    layers: np.ndarray
    grid: tuple[int, int, int, int, int]  # G, k, number of the base function, rows of an input, terms
    ends: tuple[float, float]  # of the grid

    @classmethod
    def of(cls, model: KAN, *, narrow: bool = True) -> Layout:
        """The layout of a model whose layers have shared knots and a base function of `kernels.BASE_FUNCTIONS`.

        Args:
            narrow: whether the last layer's table is not padded if it has one output, for `sums.sums_of_one`.
        """
        first = model.layers[0]
        rows, has_bias = n_rows(first.grid, first.k), first.bias is not None
        lines, table, parameters, mask = [], 0, 0, 0
        for layer in model.layers:
            is_narrow = narrow and layer.n_out == 1 and layer is model.layers[-1]
            padded = 1 if is_narrow else -(-layer.n_out // LANES) * LANES
            bias, n_edges = table + layer.n_in * rows * padded, layer.n_in * layer.n_out
            lines.append((layer.n_in, layer.n_out, padded, table, bias, parameters, mask))
            table, mask = bias + padded, mask + n_edges
            parameters += n_edges * (layer.n_basis + 2) + (layer.n_out if has_bias else 0)
        lines.append((model.width[-1], 0, 0, table, 0, parameters, mask))
        grid = (first.grid, first.k, BASE_FUNCTIONS[first.base_name or ""], rows, n_terms(first.k))
        return cls(np.array(lines, dtype=np.int64), grid, first.grid_range)

    def least_share(self, n: int) -> int:
        """Number of items of n samples each whose work takes about as long as to wake a thread."""
        return least_share(n * self.n_factors)

    @property
    def n_factors(self) -> int:
        """Of all sums over edges, for one sample."""
        n_edges = int((self.layers[:-1, 0] * self.layers[1:, 0]).sum())
        return n_edges * (self.grid[1] + 2)

    @property
    def n_inputs(self) -> int:
        """Of all layers."""
        return int(self.layers[:-1, 0].sum())

    @property
    def least_inputs(self) -> int:
        """Number of inputs whose tables take about as long as to wake a thread."""
        return MIN_NUMBERS * self.n_inputs // self.table_size

    @property
    def table_size(self) -> int:
        """Q."""
        return int(self.layers[-1, 3])


def least_share(n_factors: int) -> int:
    """Number of items of so many factors each whose work takes about as long as to wake a thread."""
    return MIN_FACTORS // max(1, n_factors)


def fold_members(layout: Layout, values: np.ndarray, mask: np.ndarray, tables: np.ndarray) -> None:
    """Set the tables `[s, Q]` of members by their parameters `[s, P]`; mask `[s, edges]`, or `[s, 0]` for none."""
    at = (layout.layers, layout.grid, values, mask, tables)
    in_threads(lambda first, last: _fold_some(first, last, *at), len(values) * layout.n_inputs, layout.least_inputs)


def join_members(layout: Layout, values: np.ndarray, mask: np.ndarray, parts: np.ndarray, grads: np.ndarray) -> None:
    """Set the gradients `[s, P]` of members from those of their parts' tables, `[s, p, Q]`, which change."""
    at = (layout.layers, layout.grid, values, mask, parts, grads)
    least = layout.least_inputs // parts.shape[1]
    in_threads(lambda first, last: _join_some(first, last, *at), len(values) * layout.n_inputs, least)


@kernel
def fold(layers: Any, grid: Any, values: Any, mask: Any, table: Any) -> None:
    """Set a member's tables `[Q]` by its parameters `[P]`; mask `[edges]`, or `[0]` for none."""
    _fold_inputs(0, layers[:-1, 0].sum(), layers, grid, values, mask, table)


@kernel
def unfold(layers: Any, grid: Any, values: Any, mask: Any, table_grads: Any, grads: Any) -> None:
    """Set the gradients by a member's parameters `[P]` from those by its tables `[Q]`."""
    _unfold_inputs(0, layers[:-1, 0].sum(), layers, grid, values, mask, table_grads.reshape((1, -1)), grads)


@kernel
def _fold_some(first: int, last: int, layers: Any, grid: Any, values: Any, mask: Any, tables: Any) -> None:
    """As `fold_members`, of some inputs of layers, numbered member by member."""
    n_inputs = layers[:-1, 0].sum()
    for member in range(first // n_inputs, -(-last // n_inputs)):
        begin, end = max(first - member * n_inputs, 0), min(last - member * n_inputs, n_inputs)
        _fold_inputs(begin, end, layers, grid, values[member], mask[member], tables[member])


@kernel
def _join_some(first: int, last: int, layers: Any, grid: Any, values: Any, mask: Any, parts: Any, grads: Any) -> None:
    """As `join_members`, of some inputs as those of `_fold_some`."""
    n_inputs = layers[:-1, 0].sum()
    for member in range(first // n_inputs, -(-last // n_inputs)):
        begin, end = max(first - member * n_inputs, 0), min(last - member * n_inputs, n_inputs)
        _unfold_inputs(begin, end, layers, grid, values[member], mask[member], parts[member], grads[member])


@kernel
def _fold_inputs(first: int, last: int, layers: Any, grid: Any, values: Any, mask: Any, table: Any) -> None:
    size, k, _, rows, _ = grid
    n_basis, before = size + k, 0
    for number in range(layers.shape[0] - 1):
        n_in, n_out, padded, place, bias, start, edges = layers[number]
        base = start + n_in * n_out * n_basis
        spline = base + n_in * n_out
        begin, end = max(first - before, 0), min(last - before, n_in)
        for i in range(begin, end):
            own = place + i * rows * padded
            edge = i * n_out
            for cell in range(own, own + rows * padded):  # an assignment to a slice takes longer
                table[cell] = 0
            fold_edges(
                values[start + edge * n_basis :],
                values[base + edge :],
                values[spline + edge :],
                mask[edges + edge :],
                n_out,
                n_basis,
                k,
                padded,
                table[own : own + rows * padded],
            )
        if begin < end == n_in:
            after = spline + n_in * n_out
            table[bias : bias + padded] = 0
            for j in range(layers[number + 1, 5] - after):
                table[bias + j] = values[after + j]
        before += n_in


@kernel
def _unfold_inputs(
    first: int, last: int, layers: Any, grid: Any, values: Any, mask: Any, parts: Any, grads: Any
) -> None:
    size, k, _, rows, _ = grid
    n_basis, before, table_grads = size + k, 0, parts[0]
    for number in range(layers.shape[0] - 1):
        n_in, n_out, padded, place, bias, start, edges = layers[number]
        base = start + n_in * n_out * n_basis
        spline = base + n_in * n_out
        begin, end = max(first - before, 0), min(last - before, n_in)
        for i in range(begin, end):
            own = place + i * rows * padded
            for part in range(1, parts.shape[0]):
                table_grads[own : own + rows * padded] += parts[part, own : own + rows * padded]
            edge = i * n_out
            unfold_edges(
                table_grads[own : own + rows * padded],
                values[start + edge * n_basis :],
                values[spline + edge :],
                mask[edges + edge :],
                n_out,
                n_basis,
                k,
                padded,
                grads[start + edge * n_basis :],
                grads[base + edge :],
                grads[spline + edge :],
            )
        if begin < end == n_in:
            after = spline + n_in * n_out
            for part in range(1, parts.shape[0]):
                table_grads[bias : bias + padded] += parts[part, bias : bias + padded]
            for j in range(layers[number + 1, 5] - after):
                grads[after + j] = table_grads[bias + j]
        before += n_in


@kernel
def fold_edges(
    coef: Any, scale_base: Any, scale_sp: Any, mask: Any, count: int, n_basis: int, k: int, padded: int, table: Any
) -> None:
    """Set an input's rows `[rows, padded]` by the parameters of its edges to `count` outputs, one after the other; rows
    of bases that do not exist stay.

    Args:
        mask: of no numbers for none.
    """
    done, first, zero = 0, (1 + k) * padded, table.dtype.type(0)
    while mask.size == 0 and done + LANES <= count:
        store(table, done, load(scale_base, done))
        scale, row = load(scale_sp, done), first + done
        for m in range(n_basis):
            store(table, row, multiply(scale, load_apart(coef, done * n_basis + m, n_basis)))
            row += padded
        done += LANES
    for j in range(done, count):
        is_on, scale, column = mask.size == 0 or mask[j], scale_sp[j], first + j
        table[j] = scale_base[j] if is_on else zero
        for m in range(n_basis):
            table[column + m * padded] = scale * coef[j * n_basis + m] if is_on else zero


@kernel
def unfold_edges(
    table_grads: Any,
    coef: Any,
    scale_sp: Any,
    mask: Any,
    count: int,
    n_basis: int,
    k: int,
    padded: int,
    coef_grads: Any,
    base_grads: Any,
    scale_grads: Any,
) -> None:
    """Set the gradients by the parameters that `fold_edges` takes from those by the rows."""
    for j in range(count):
        own = j * n_basis
        scale_grad = table_grads.dtype.type(0)
        if mask.size > 0 and not mask[j]:
            base_grads[j] = 0
            for m in range(n_basis):
                coef_grads[own + m] = 0
        else:
            base_grads[j] = table_grads[j]
            scale, column = scale_sp[j], (1 + k) * padded + j
            for m in range(n_basis):
                grad = table_grads[column + m * padded]
                coef_grads[own + m] = scale * grad
                scale_grad += coef[own + m] * grad
        scale_grads[j] = scale_grad
