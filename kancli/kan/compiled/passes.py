# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Outputs of a network's members, and gradients by their tables and inputs from those by the outputs.

Shapes: s members, n samples, p parts of the samples, l layers, i inputs, o outputs, Q numbers of a member's tables, V
values of a block's nodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.forward import forward_block, set_columns
from kancli.kan.compiled.kernels import BLOCK, PADDING, all_factors
from kancli.kan.compiled.sums import add_gradients, add_weight_gradients
from kancli.kan.compiled.vectors import LANES


@kernel
def set_outputs(
    first: int, last: int, layers: Any, grid: Any, ends: Any, x: Any, tables: Any, nodes: Any, outputs: Any
) -> None:
    """Set the outputs of some blocks of samples, numbered member by member.

    Args:
        layers, grid, ends: see `tables.Layout`.
        x: `[1 or s, n, i]`; tables: `[s, Q]`; outputs: `[s, n, o]`.
        nodes: `[blocks, V]`, to keep the values between the layers in; no blocks to keep none.
    """
    n_layers, n_last, padded = layers.shape[0] - 1, layers[-1, 0], layers[-2, 2]
    _, k, _, _, terms = grid
    widest = max(layers[:, 0].max(), layers[:, 2].max())
    length = widest * BLOCK + PADDING
    factors = np.zeros((1, 1, terms, length), tables.dtype)
    places = np.zeros((1, length), np.int32)
    values = np.zeros((n_layers + 1, BLOCK * widest), tables.dtype)
    scratch = np.zeros((k + 3, k + 1, length), tables.dtype)
    columns = np.zeros(length, tables.dtype)
    n_blocks = -(-x.shape[1] // BLOCK)
    for item in range(first, last):
        member, begin = item // n_blocks, item % n_blocks * BLOCK
        n, own = min(BLOCK, x.shape[1] - begin), x[min(member, x.shape[0] - 1)]
        forward_block(layers, grid, ends, own, begin, n, tables[member], factors, places, columns, scratch, values, 0)
        for s in range(n):
            for j in range(n_last):
                outputs[member, begin + s, j] = values[n_layers, s * padded + j]
        if nodes.shape[0] > 0:
            end = 0
            for layer in range(1, n_layers):
                for number in range(BLOCK * layers[layer - 1, 2]):
                    nodes[item, end + number] = values[layer, number]
                end += BLOCK * layers[layer - 1, 2]


@kernel
def set_gradients(
    first: int,
    last: int,
    blocks: int,
    layers: Any,
    grid: Any,
    ends: Any,
    x: Any,
    tables: Any,
    nodes: Any,
    output_grads: Any,
    parts: Any,
    input_grads: Any,
) -> None:
    """Set the gradients of some parts of the samples, numbered member by member.

    Args:
        blocks: of a part.
        nodes: as `set_outputs` has set them, with whose arguments the others agree.
        output_grads: `[s, n, o]`.
        parts: `[s, p, Q]`, to be set: sums over a part's samples.
        input_grads: `[s, n, i]`, to be set; no members where they are not wanted.
    """
    n_layers, n_last = layers.shape[0] - 1, layers[-1, 0]
    size, k, base, rows, terms = grid
    widest = -(-max(layers[:, 0].max(), layers[:, 2].max()) // LANES) * LANES
    length = widest * BLOCK + PADDING
    factors = np.zeros((2, terms, length), tables.dtype)
    places = np.zeros(length, np.int32)
    grads = np.zeros((n_layers + 1, BLOCK * widest), tables.dtype)
    scratch = np.zeros((k + 3, k + 1, length), tables.dtype)
    columns = np.zeros(length, tables.dtype)
    n_blocks, n_parts = -(-x.shape[1] // BLOCK), parts.shape[1]
    for item in range(first, last):
        member, part = item // n_parts, item % n_parts
        table, table_grads, own = tables[member], parts[member, part], x[min(member, x.shape[0] - 1)]
        for number in range(len(table_grads)):
            table_grads[number] = 0
        for block in range(part * blocks, min((part + 1) * blocks, n_blocks)):
            begin = block * BLOCK
            n, values = min(BLOCK, x.shape[1] - begin), nodes[member * n_blocks + block]
            padded, end = layers[n_layers - 1, 2], len(values)
            for s in range(n):
                for j in range(n_last):
                    grads[n_layers, s * padded + j] = output_grads[member, begin + s, j]
            for layer in range(n_layers - 1, -1, -1):
                n_in, n_out, start, bias = layers[layer, 0], layers[layer, 2], layers[layer, 3], layers[layer, 4]
                if layer == 0:
                    set_columns(own, begin, n, columns)
                else:
                    padded = layers[layer - 1, 2]
                    end -= BLOCK * padded
                    for i in range(n_in):
                        for s in range(n):
                            columns[i * BLOCK + s] = values[end + s * padded + i]
                all_factors(columns, n_in * BLOCK, size, k, ends[0], ends[1], base, factors, places, scratch)
                if layer == 0 and n_out > 1 and input_grads.shape[0] == 0:
                    add_weight_gradients(factors[0], places, rows, n_in, n_out, start, bias, n, grads[1], table_grads)
                    continue
                add_gradients(
                    factors[0],
                    factors[1],
                    places,
                    table,
                    rows,
                    n_in,
                    n_out,
                    start,
                    bias,
                    n,
                    grads[layer + 1],
                    grads[layer],
                    table_grads,
                )
            if input_grads.shape[0] > 0:
                padded = -(-x.shape[2] // LANES) * LANES
                for s in range(n):
                    for i in range(x.shape[2]):
                        input_grads[member, begin + s, i] = grads[0, s * padded + i]
