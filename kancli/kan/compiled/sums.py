# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Sums over the edges of a layer and their gradients, for a block of samples. `kernels` has their factors, and how
tables are laid out.

Shapes: i inputs, o outputs, padded; t terms; S samples of a block; N = i S numbers of all inputs.
"""

from __future__ import annotations

from typing import Any

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.kernels import BLOCK
from kancli.kan.compiled.vectors import (
    FOUR,
    LANES,
    four_rows,
    load,
    load_four,
    multiply,
    multiply_add,
    splat,
    splat_four,
    spread,
    store,
    total,
)

TILE = 4  # inputs at a time: their tables fit into the first cache, and their sums do not wait for one another


@kernel
def sums(
    factors: Any, first: Any, table: Any, rows: int, n_in: int, n_out: int, start: int, bias: int, n: int, out: Any
) -> None:
    """Sum over inputs and terms, plus the bias if there is a place for it.

    Args:
        factors: `[t, N]`; first: `[N]`.
        table: all tables of a member; this one at `start`, `rows` of `[o]` for each input.
        bias: place of the bias in it; -1 for none.
        out: `[S o]`.
    """
    if n_out == 1:
        sums_of_one(factors, first, table, rows, n_in, start, bias, n, out)
        return
    zero = table.dtype.type(0)
    for j in range(0, n_out, LANES):
        value = load(table, bias + j) if bias >= 0 else splat(zero)
        for s in range(n):
            store(out, s * n_out + j, value)
    for tile in range(0, n_in, TILE):
        for s in range(n):
            for j in range(0, n_out, LANES):
                value = load(out, s * n_out + j)
                for i in range(tile, min(tile + TILE, n_in)):
                    own, s_i = start + i * rows * n_out + j, i * BLOCK + s
                    value = multiply_add(spread(factors, 0, s_i), load(table, own), value)
                    row = own + first[s_i] * n_out
                    for t in range(1, factors.shape[0], 4):
                        value = multiply_add(spread(factors, t, s_i), load(table, row), value)
                        value = multiply_add(spread(factors, t + 1, s_i), load(table, row + n_out), value)
                        value = multiply_add(spread(factors, t + 2, s_i), load(table, row + 2 * n_out), value)
                        value = multiply_add(spread(factors, t + 3, s_i), load(table, row + 3 * n_out), value)
                        row += 4 * n_out
                store(out, s * n_out + j, value)


@kernel
def sums_of_one(
    factors: Any, first: Any, table: Any, rows: int, n_in: int, start: int, bias: int, n: int, out: Any
) -> None:
    """`sums` for one output that is not padded: the weights of a sample's bases lie side by side."""
    zero = table.dtype.type(0)
    for s in range(n):
        value, vector = table[bias] if bias >= 0 else zero, splat_four(zero)
        for i in range(n_in):
            own, s_i = start + i * rows, i * BLOCK + s
            value += factors[0, s_i] * table[own]
            row = own + first[s_i]
            for t in range(1, factors.shape[0], FOUR):
                vector = multiply_add(four_rows(factors, t, s_i), load_four(table, row), vector)
                row += FOUR
        out[s] = value + total(vector)


@kernel
def add_gradients_of_one(
    factors: Any,
    slopes: Any,
    first: Any,
    table: Any,
    rows: int,
    n_in: int,
    start: int,
    bias: int,
    n: int,
    out_grads: Any,
    in_grads: Any,
    table_grads: Any,
) -> None:
    """`add_gradients` for one output that is not padded."""
    zero, padded = table.dtype.type(0), (n_in + LANES - 1) // LANES * LANES
    for s in range(n):
        grad = out_grads[s]
        grads = splat_four(grad)
        table_grads[bias] += grad
        for i in range(n_in):
            own, s_i = start + i * rows, i * BLOCK + s
            table_grads[own] += factors[0, s_i] * grad
            row, slope = own + first[s_i], splat_four(zero)
            for t in range(1, factors.shape[0], FOUR):
                slope = multiply_add(four_rows(slopes, t, s_i), load_four(table, row), slope)
                value = multiply_add(four_rows(factors, t, s_i), grads, load_four(table_grads, row))
                store(table_grads, row, value)
                row += FOUR
            in_grads[s * padded + i] = grad * (slopes[0, s_i] * table[own] + total(slope))


@kernel
def add_bias_gradients(bias: int, n_out: int, n: int, out_grads: Any, table_grads: Any) -> None:
    """Add the gradients by the outputs, `[S o]`, over n samples to those by the biases; outputs are padded."""
    one = splat(table_grads.dtype.type(1))
    for j in range(0, n_out, LANES):
        value = load(table_grads, bias + j)
        for s in range(n):
            value = multiply_add(one, load(out_grads, s * n_out + j), value)
        store(table_grads, bias + j, value)


@kernel
def add_weight_gradients(
    factors: Any,
    first: Any,
    rows: int,
    n_in: int,
    n_out: int,
    start: int,
    bias: int,
    n: int,
    out_grads: Any,
    table_grads: Any,
) -> None:
    """`add_gradients` of a first layer, whose inputs need none; its outputs are padded."""
    add_bias_gradients(bias, n_out, n, out_grads, table_grads)
    for s in range(n):
        for i in range(n_in):
            own, s_i = start + i * rows * n_out, i * BLOCK + s
            for t in range(factors.shape[0]):
                factor = spread(factors, t, s_i)
                row = own if t == 0 else own + (first[s_i] + t - 1) * n_out
                for j in range(row, row + n_out, LANES):
                    grad = load(out_grads, s * n_out + j - row)
                    store(table_grads, j, multiply_add(factor, grad, load(table_grads, j)))


@kernel
def add_gradients(
    factors: Any,
    slopes: Any,
    first: Any,
    table: Any,
    rows: int,
    n_in: int,
    n_out: int,
    start: int,
    bias: int,
    n: int,
    out_grads: Any,
    in_grads: Any,
    table_grads: Any,
) -> None:
    """Add the gradients by the weights to `table_grads`, and set those by the inputs.

    Args:
        slopes: derivatives of the factors by x, `[t, N]`.
        out_grads: `[S o]`.
        in_grads: `[S i]`, with i padded.
    """
    if n_out == 1:
        add_gradients_of_one(
            factors, slopes, first, table, rows, n_in, start, bias, n, out_grads, in_grads, table_grads
        )
        return
    zero = table.dtype.type(0)
    padded = (n_in + LANES - 1) // LANES * LANES
    add_bias_gradients(bias, n_out, n, out_grads, table_grads)
    for tile in range(0, n_in, TILE):
        for s in range(n):
            for i in range(tile, min(tile + TILE, n_in)):
                own, s_i = start + i * rows * n_out, i * BLOCK + s
                f, d = spread(factors, 0, s_i), spread(slopes, 0, s_i)
                in_grad = splat(zero)
                for j in range(own, own + n_out, LANES):
                    grad = load(out_grads, s * n_out + j - own)
                    in_grad = multiply_add(grad, multiply(d, load(table, j)), in_grad)
                    store(table_grads, j, multiply_add(f, grad, load(table_grads, j)))
                row = own + first[s_i] * n_out
                for t in range(1, factors.shape[0], 4):
                    f0, f1 = spread(factors, t, s_i), spread(factors, t + 1, s_i)
                    f2, f3 = spread(factors, t + 2, s_i), spread(factors, t + 3, s_i)
                    d0, d1 = spread(slopes, t, s_i), spread(slopes, t + 1, s_i)
                    d2, d3 = spread(slopes, t + 2, s_i), spread(slopes, t + 3, s_i)
                    for j in range(row, row + n_out, LANES):
                        grad = load(out_grads, s * n_out + j - row)
                        slope = multiply(d0, load(table, j))
                        slope = multiply_add(d1, load(table, j + n_out), slope)
                        slope = multiply_add(d2, load(table, j + 2 * n_out), slope)
                        slope = multiply_add(d3, load(table, j + 3 * n_out), slope)
                        in_grad = multiply_add(grad, slope, in_grad)
                        store(table_grads, j, multiply_add(f0, grad, load(table_grads, j)))
                        store(table_grads, j + n_out, multiply_add(f1, grad, load(table_grads, j + n_out)))
                        store(table_grads, j + 2 * n_out, multiply_add(f2, grad, load(table_grads, j + 2 * n_out)))
                        store(table_grads, j + 3 * n_out, multiply_add(f3, grad, load(table_grads, j + 3 * n_out)))
                    row += 4 * n_out
                in_grads[s * padded + i] = total(in_grad)
