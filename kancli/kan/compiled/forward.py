# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""The forward pass of a network for a block of samples.

Shapes: n samples, l layers, i inputs, t terms, S samples of a block, N = i S numbers, Q numbers of the tables.
"""

from __future__ import annotations

from typing import Any

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.kernels import BLOCK, all_factors, sums


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
) -> None:
    """Set the outputs of all layers for samples `begin` to `begin` + n, and the factors of their sums.

    Args:
        layers, grid, ends: see `tables.Layout`.
        x: `[n, i]`; table: `[Q]`.
        factors: `[l, 2, t, N]`; first: `[l, N]`; values: of a layer's inputs, `[l + 1, S i]`, the first left out.
        columns: `[N]`; scratch: as of `all_factors`.
    """
    size, k, base, rows, _ = grid
    for layer in range(layers.shape[0] - 1):
        n_in, n_out, place, bias = layers[layer, 0], layers[layer, 2], layers[layer, 3], layers[layer, 4]
        for i in range(n_in):
            if layer == 0:
                for s in range(n):
                    columns[i * BLOCK + s] = x[begin + s, i]
            else:
                padded = layers[layer - 1, 2]
                for s in range(n):
                    columns[i * BLOCK + s] = values[layer, s * padded + i]
        all_factors(columns, n_in * BLOCK, size, k, ends[0], ends[1], base, factors[layer], first[layer], scratch)
        sums(factors[layer, 0], first[layer], table, rows, n_in, n_out, place, bias, n, values[layer + 1])
