# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Loss and gradients of regression by numba, a block of samples at a time from the inputs to the gradients.

A member's samples are summed in chunks of a fixed size, and the chunks in order: the bits depend on neither threads
nor other members.

Shapes: s members, n samples, c chunks, i inputs, o outputs, P parameters of a member, Q numbers of its tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.forward import forward_block, no_factors, take_first_factors
from kancli.kan.compiled.kernels import BLOCK, CHUNK, PADDING
from kancli.kan.compiled.sums import add_gradients, add_weight_gradients
from kancli.kan.compiled.tables import fold, unfold
from kancli.kan.compiled.vectors import LANES


@kernel
def member_gradients(
    first: int,
    last: int,
    layers: Any,
    grid: Any,
    ends: Any,
    x: Any,
    y: Any,
    values: Any,
    mask: Any,
    losses: Any,
    grads: Any,
) -> None:
    """Mean squared errors of members `first` to `last`, and their gradients.

    Args:
        layers, grid, ends: see `tables.Layout`.
        x: `[1 or s, n, i]`; y: `[1 or s, n, o]`.
        values: `[s, P]`; mask: `[s, edges]`, or `[s, 0]` for none.
        losses: `[s]`, float64, to be set; grads: `[s, P]`, to be set.
    """
    size, n_numbers = layers[-1, 3], x.shape[1] * y.shape[2]
    table, total, part = (
        np.zeros(size, values.dtype),
        np.zeros(size, values.dtype),
        np.zeros(size, values.dtype),
    )
    kept, places = no_factors(values)
    for member in range(first, last):
        own_x, own_y = x[min(member, x.shape[0] - 1)], y[min(member, y.shape[0] - 1)]
        fold(layers, grid, values[member], mask[member], table)
        loss = sample_gradients(layers, grid, ends, own_x, own_y, kept, places, table, total, part)
        losses[member] = loss / n_numbers
        unfold(layers, grid, values[member], mask[member], total, grads[member])


@kernel
def sample_gradients(
    layers: Any, grid: Any, ends: Any, x: Any, y: Any, kept: Any, places: Any, table: Any, total: Any, part: Any
) -> float:
    """Sum of squared errors over all samples, x `[n, i]`; sets the gradients of their mean, `total` `[Q]`.

    Args:
        kept, places: see `first_factors`.
        part: `[Q]`, for numbers in between.
    """
    n, scale = x.shape[0], 2 / (x.shape[0] * y.shape[1])
    loss, total[:] = 0.0, 0
    for start in range(0, n, CHUNK):
        part[:] = 0
        stop = min(start + CHUNK, n)
        loss += chunk_gradients(layers, grid, ends, x, y, kept, places, table, start, stop, scale, part)
        total += part
    return loss


@kernel
def chunk_parts(
    first: int, last: int, layers: Any, grid: Any, ends: Any, x: Any, y: Any, table: Any, losses: Any, parts: Any
) -> None:
    """Sums over chunks `first` to `last` of one member's samples, x `[n, i]`: losses `[c]` and parts `[c, Q]`."""
    n = x.shape[0]
    scale = 2 / (n * y.shape[1])
    kept, places = no_factors(parts)
    for chunk in range(first, last):
        start, stop, part = chunk * CHUNK, min((chunk + 1) * CHUNK, n), parts[chunk]
        part[:] = 0
        losses[chunk] = chunk_gradients(layers, grid, ends, x, y, kept, places, table, start, stop, scale, part)


@kernel
def join_parts(
    layers: Any, grid: Any, values: Any, mask: Any, n_numbers: int, losses: Any, parts: Any, grads: Any
) -> float:
    """Mean squared error of one member and its gradients `[P]`, from the sums over chunks."""
    total, loss = np.zeros(parts.shape[1], parts.dtype), 0.0
    for chunk in range(len(losses)):
        loss += losses[chunk]
        total += parts[chunk]
    unfold(layers, grid, values, mask, total, grads)
    return loss / n_numbers


@kernel
def chunk_gradients(
    layers: Any,
    grid: Any,
    ends: Any,
    x: Any,
    y: Any,
    kept: Any,
    places: Any,
    table: Any,
    start: int,
    stop: int,
    scale: float,
    grads: Any,
) -> float:
    """Sum of squared errors over samples `start` to `stop`; adds the gradients of `scale` / 2 times it to `grads`.

    Args:
        x: `[n, i]`; y: `[n, o]`; table: `[Q]`; grads: `[Q]`.
        kept, places: see `first_factors`.
    """
    n_layers, n_last = layers.shape[0] - 1, layers[-1, 0]
    _, k, _, rows, terms = grid
    widest = -(-max(layers[:, 0].max(), layers[:, 2].max()) // LANES) * LANES  # gradients by inputs are padded
    length = widest * BLOCK + PADDING
    factors = np.zeros((n_layers, 2, terms, length), table.dtype)
    first = np.zeros((n_layers, length), np.int32)
    values = np.zeros((n_layers + 1, BLOCK * widest), table.dtype)
    value_grads = np.zeros((n_layers + 1, BLOCK * widest), table.dtype)
    scratch = np.zeros((k + 3, k + 1, length), table.dtype)
    columns = np.zeros(length, table.dtype)
    loss, weight = 0.0, table.dtype.type(scale)
    for begin in range(start, stop, BLOCK):
        n = min(BLOCK, stop - begin)
        known = take_first_factors(kept, places, begin // BLOCK, factors[0, 0], first[0])
        forward_block(layers, grid, ends, x, begin, n, table, factors, first, columns, scratch, values, known)
        padded = layers[n_layers - 1, 2]
        for s in range(n):
            for j in range(n_last):
                error = values[n_layers, s * padded + j] - y[begin + s, j]
                loss += np.float64(error) * np.float64(error)
                value_grads[n_layers, s * padded + j] = weight * error
        for layer in range(n_layers - 1, -1, -1):
            n_in, n_out, place, bias = layers[layer, 0], layers[layer, 2], layers[layer, 3], layers[layer, 4]
            if layer == 0 and n_out > 1:
                out_grads = value_grads[1]
                add_weight_gradients(factors[0, 0], first[0], rows, n_in, n_out, place, bias, n, out_grads, grads)
                continue
            add_gradients(
                factors[layer, 0],
                factors[layer, 1],
                first[layer],
                table,
                rows,
                n_in,
                n_out,
                place,
                bias,
                n,
                value_grads[layer + 1],
                value_grads[layer],
                grads,
            )
    return loss
