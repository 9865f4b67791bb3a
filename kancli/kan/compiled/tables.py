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
from kancli.kan.compiled.vectors import LANES
from kancli.kan.network import KAN

MIN_FACTORS = 150_000  # of edges, which the kernels of gradients take half a millisecond for


@dataclass(frozen=True)
class Layout:
    """Where the kernels find things; arguments `layers`, `grid` and `ends` of theirs.

    A member's parameters lie in a row `[P]`, layer by layer: coef, scale_base, scale_sp, bias.
    """

    layers: (
        np.ndarray
    )  # [l + 1, 7]  n_in, n_out, n_out padded, places: table, its bias, parameters, mask; then the ends
    grid: tuple[int, int, int, int, int]  # G, k, number of the base function, rows of an input, terms
    ends: tuple[float, float]  # of the grid
    has_bias: bool

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
        return cls(np.array(lines, dtype=np.int64), grid, first.grid_range, has_bias)

    def least_share(self, n: int) -> int:
        """Number of items of n samples each that take about as long as to wake a thread."""
        return MIN_FACTORS // max(1, n * self.n_factors)

    @property
    def n_factors(self) -> int:
        """Of all sums over edges, for one sample."""
        n_edges = int((self.layers[:-1, 0] * self.layers[1:, 0]).sum())
        return n_edges * (self.grid[1] + 2)

    @property
    def table_size(self) -> int:
        """Q."""
        return int(self.layers[-1, 3])


@kernel
def fold(layers: Any, grid: Any, values: Any, mask: Any, table: Any) -> None:
    """Set a member's tables `[Q]` by its parameters `[P]`; mask `[edges]`, or `[0]` for none."""
    size, k, _, rows, _ = grid
    n_basis = size + k
    table[:] = 0
    for number in range(layers.shape[0] - 1):
        n_in, n_out, padded, place, bias, start, edges = layers[number]
        base = start + n_in * n_out * n_basis
        spline = base + n_in * n_out
        for i in range(n_in):
            own = place + i * rows * padded
            for j in range(n_out):
                edge = i * n_out + j
                if mask.size > 0 and not mask[edges + edge]:
                    continue
                table[own + j] = values[base + edge]
                scale, column = values[spline + edge], own + (1 + k) * padded + j
                for m in range(n_basis):
                    table[column + m * padded] = scale * values[start + edge * n_basis + m]
        after = spline + n_in * n_out
        for j in range(layers[number + 1, 5] - after):
            table[bias + j] = values[after + j]


@kernel
def unfold(layers: Any, grid: Any, values: Any, mask: Any, table_grads: Any, grads: Any) -> None:
    """Set the gradients by a member's parameters `[P]` from those by its tables `[Q]`."""
    size, k, _, rows, _ = grid
    n_basis = size + k
    grads[:] = 0
    for number in range(layers.shape[0] - 1):
        n_in, n_out, padded, place, bias, start, edges = layers[number]
        base = start + n_in * n_out * n_basis
        spline = base + n_in * n_out
        for i in range(n_in):
            own = place + i * rows * padded
            for j in range(n_out):
                edge = i * n_out + j
                if mask.size > 0 and not mask[edges + edge]:
                    continue
                grads[base + edge] = table_grads[own + j]
                scale, column = values[spline + edge], own + (1 + k) * padded + j
                scale_grad = table_grads.dtype.type(0)
                for m in range(n_basis):
                    coef, grad = start + edge * n_basis + m, table_grads[column + m * padded]
                    grads[coef] = scale * grad
                    scale_grad += values[coef] * grad
                grads[spline + edge] = scale_grad
        after = spline + n_in * n_out
        for j in range(layers[number + 1, 5] - after):
            grads[after + j] = table_grads[bias + j]


@kernel
def fold_members(first: int, last: int, layers: Any, grid: Any, values: Any, mask: Any, tables: Any) -> None:
    """Set the tables `[s, Q]` of some members by their parameters `[s, P]`."""
    for member in range(first, last):
        fold(layers, grid, values[member], mask[member], tables[member])


@kernel
def join_members(first: int, last: int, layers: Any, grid: Any, values: Any, mask: Any, parts: Any, grads: Any) -> None:
    """Set the gradients `[s, P]` of some members from those of their chunks' tables, `[s, q, Q]`."""
    for member in range(first, last):
        for chunk in range(1, parts.shape[1]):
            parts[member, 0] += parts[member, chunk]
        unfold(layers, grid, values[member], mask[member], parts[member, 0], grads[member])
