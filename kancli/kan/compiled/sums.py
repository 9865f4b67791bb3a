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
    length,
    load,
    load_as,
    load_four,
    multiply,
    multiply_add,
    splat,
    splat_four,
    splat_sixteen,
    splat_sixty_four,
    spread,
    spread_as,
    store,
    total,
)

# Inputs at a time, whose tables, or tables and gradients, fit into the first cache.
TILE, GRADIENT_TILE = 4, 2
NO_BIAS, ADD = -1, -2  # in the place of a bias


@kernel
def sums(
    factors: Any, first: Any, table: Any, rows: int, n_in: int, n_out: int, start: int, bias: int, n: int, out: Any
) -> None:
    """Sum over inputs and terms, plus the bias if there is one.

    Args:
        factors: `[t, N]`; first: `[N]`.
        table: all tables of a member; this one at `start`, `rows` of `[o]` for each input.
        bias: place of the bias in it; `NO_BIAS`, or `ADD` to add to the numbers of `out` (of more than one output).
        out: `[S o]`.
    """
    if n_out == 1:
        sums_of_one(factors, first, table, rows, n_in, start, bias, n, out)
        return
    zero = table.dtype.type(0)
    j = sums_of_many(splat_sixty_four(zero), factors, first, table, rows, n_in, n_out, start, bias, n, 0, out)
    j = sums_of_few(splat_sixteen(zero), factors, first, table, rows, n_in, n_out, start, bias, n, j, out)
    sums_of_few(splat(zero), factors, first, table, rows, n_in, n_out, start, bias, n, j, out)


@kernel
def sums_of_many(
    zero: Any,
    factors: Any,
    first: Any,
    table: Any,
    rows: int,
    n_in: int,
    n_out: int,
    start: int,
    bias: int,
    n: int,
    done: int,
    out: Any,
) -> int:
    """`sums` for outputs from `done` on, as many at a time as a vector has; returns the number of outputs done.

    Args:
        zero: a vector of zeros, of several registers: their sums do not wait for one another.
    """
    lanes = length(zero)
    while done + lanes <= n_out:
        value = load_as(table, bias + done, zero) if bias >= 0 else zero
        for s in range(n if bias != ADD else 0):
            store(out, s * n_out + done, value)
        for tile in range(0, n_in, TILE):
            for s in range(n):
                value = load_as(out, s * n_out + done, zero)
                for i in range(tile, min(tile + TILE, n_in)):
                    own, s_i = start + i * rows * n_out + done, i * BLOCK + s
                    value = multiply_add(spread_as(factors, 0, s_i, zero), load_as(table, own, zero), value)
                    row = own + first[s_i] * n_out
                    for t in range(1, factors.shape[0], 4):
                        for below in range(4):
                            factor = spread_as(factors, t + below, s_i, zero)
                            value = multiply_add(factor, load_as(table, row, zero), value)
                            row += n_out
                store(out, s * n_out + done, value)
        done += lanes
    return done


@kernel
def sums_of_few(
    zero: Any,
    factors: Any,
    first: Any,
    table: Any,
    rows: int,
    n_in: int,
    n_out: int,
    start: int,
    bias: int,
    n: int,
    done: int,
    out: Any,
) -> int:
    """`sums_of_many` for a vector of one register: four samples at a time, whose sums do not wait for one another.

    Where n is no multiple of four, samples of the block beyond them are computed too.
    """
    lanes = length(zero)
    while done + lanes <= n_out:
        value = load_as(table, bias + done, zero) if bias >= 0 else zero
        for s in range(0, n, 4):
            value0, value1, value2, value3 = value, value, value, value
            if bias == ADD:
                value0, value1 = load_as(out, s * n_out + done, zero), load_as(out, (s + 1) * n_out + done, zero)
                value2, value3 = load_as(out, (s + 2) * n_out + done, zero), load_as(out, (s + 3) * n_out + done, zero)
            for i in range(n_in):
                own, s_i = start + i * rows * n_out + done, i * BLOCK + s
                weight = load_as(table, own, zero)
                value0 = multiply_add(spread_as(factors, 0, s_i, zero), weight, value0)
                value1 = multiply_add(spread_as(factors, 0, s_i + 1, zero), weight, value1)
                value2 = multiply_add(spread_as(factors, 0, s_i + 2, zero), weight, value2)
                value3 = multiply_add(spread_as(factors, 0, s_i + 3, zero), weight, value3)
                row0, row1 = own + first[s_i] * n_out, own + first[s_i + 1] * n_out
                row2, row3 = own + first[s_i + 2] * n_out, own + first[s_i + 3] * n_out
                for t in range(1, factors.shape[0]):
                    value0 = multiply_add(spread_as(factors, t, s_i, zero), load_as(table, row0, zero), value0)
                    value1 = multiply_add(spread_as(factors, t, s_i + 1, zero), load_as(table, row1, zero), value1)
                    value2 = multiply_add(spread_as(factors, t, s_i + 2, zero), load_as(table, row2, zero), value2)
                    value3 = multiply_add(spread_as(factors, t, s_i + 3, zero), load_as(table, row3, zero), value3)
                    row0, row1, row2, row3 = row0 + n_out, row1 + n_out, row2 + n_out, row3 + n_out
            store(out, s * n_out + done, value0)
            store(out, (s + 1) * n_out + done, value1)
            store(out, (s + 2) * n_out + done, value2)
            store(out, (s + 3) * n_out + done, value3)
        done += lanes
    return done


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
    """Add the gradients by the outputs, `[S o]`, over n samples to those by the biases; outputs are padded.

    Args:
        bias: place of the biases; `NO_BIAS` for none.
    """
    if bias == NO_BIAS:
        return
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
    for tile in range(0, n_in, TILE):
        for s in range(n):
            for i in range(tile, min(tile + TILE, n_in)):
                own, s_i = start + i * rows * n_out, i * BLOCK + s
                row, factor = own + first[s_i] * n_out, spread(factors, 0, s_i)
                for column in range(0, n_out, LANES):
                    j, grad = own + column, load(out_grads, s * n_out + column)
                    store(table_grads, j, multiply_add(factor, grad, load(table_grads, j)))
                for t in range(1, factors.shape[0], 4):
                    f0, f1 = spread(factors, t, s_i), spread(factors, t + 1, s_i)
                    f2, f3 = spread(factors, t + 2, s_i), spread(factors, t + 3, s_i)
                    for j in range(row, row + n_out, LANES):
                        grad = load(out_grads, s * n_out + j - row)
                        store(table_grads, j, multiply_add(f0, grad, load(table_grads, j)))
                        store(table_grads, j + n_out, multiply_add(f1, grad, load(table_grads, j + n_out)))
                        store(table_grads, j + 2 * n_out, multiply_add(f2, grad, load(table_grads, j + 2 * n_out)))
                        store(table_grads, j + 3 * n_out, multiply_add(f3, grad, load(table_grads, j + 3 * n_out)))
                    row += 4 * n_out


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
    padded, zero = (n_in + LANES - 1) // LANES * LANES, splat(table.dtype.type(0))
    add_bias_gradients(bias, n_out, n, out_grads, table_grads)
    for tile in range(0, n_in, GRADIENT_TILE):
        for s in range(n):
            for i in range(tile, min(tile + GRADIENT_TILE, n_in)):
                own, s_i = start + i * rows * n_out, i * BLOCK + s
                row, in_grad = own + first[s_i] * n_out, zero
                for t in range(1, factors.shape[0], 4):
                    f, d = spread(factors, 0, s_i), spread(slopes, 0, s_i)
                    f0, f1 = spread(factors, t, s_i), spread(factors, t + 1, s_i)
                    f2, f3 = spread(factors, t + 2, s_i), spread(factors, t + 3, s_i)
                    d0, d1 = spread(slopes, t, s_i), spread(slopes, t + 1, s_i)
                    d2, d3 = spread(slopes, t + 2, s_i), spread(slopes, t + 3, s_i)
                    for column in range(0, n_out, LANES):
                        grad, slope, j = load(out_grads, s * n_out + column), zero, row + column
                        if t == 1:  # b(x) along with the first four bases
                            slope = multiply(d, load(table, own + column))
                            weight_grad = multiply_add(f, grad, load(table_grads, own + column))
                            store(table_grads, own + column, weight_grad)
                        slope = multiply_add(d0, load(table, j), slope)
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
