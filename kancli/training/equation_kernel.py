# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Outputs of networks with their derivatives by the inputs, and the gradients of a function of these, by numba.

The work is cut into items, a chunk of one member's samples each, and their gradients are added in order: the bits
depend on neither threads nor other members. `kan.jets` has the formulas.

Shapes: s members, n samples, c components of a jet (the value first), i inputs, q chunks of a member, S samples of a
block, N = i S numbers, t terms, P parameters of a member, Q numbers of its tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.kernels import BLOCK, CHUNK, PADDING, all_factors
from kancli.kan.compiled.sums import add_bias_gradients, sums
from kancli.kan.compiled.vectors import LANES, load, multiply, multiply_add, splat, spread, store, total


@kernel
def forward_items(
    first: int,
    last: int,
    layers: Any,
    grid: Any,
    ends: Any,
    components: Any,
    x: Any,
    tables: Any,
    nodes: Any,
    outputs: Any,
) -> None:
    """The jets of some items.

    Args:
        components: `[c, 4]`: order, the input of a first derivative, the two components of a second one.
        x: `[n, i]`.
        tables: `[s, Q]`.
        nodes: `[items, blocks, c, numbers]`, to keep the values of all nodes in.
        outputs: `[s, c, n]`, to be set.
    """
    n_layers, n_chunks = layers.shape[0] - 1, -(-len(x) // CHUNK)
    size, k, base, _, terms = grid
    n_jet, length = len(components), layers[:, 0].max() * BLOCK + PADDING
    factors = np.zeros((3, terms, length), tables.dtype)
    products = np.zeros((terms, length), tables.dtype)
    places = np.zeros(length, np.int32)
    jet = np.zeros((n_jet, length), tables.dtype)
    scratch = np.zeros((k + 3, k + 1, length), tables.dtype)
    for item in range(first, last):
        member, chunk = item // n_chunks, item % n_chunks
        for block in range(nodes.shape[1]):
            begin = chunk * CHUNK + block * BLOCK
            n = min(BLOCK, len(x) - begin)
            if n <= 0:
                break
            own = nodes[item, block]
            for layer in range(n_layers):
                n_in, n_out, start, bias = layers[layer, 0], layers[layer, 2], layers[layer, 3], layers[layer, 4]
                gather(layer, layers, components, x, begin, n, own, jet)
                all_factors(jet[0], n_in * BLOCK, size, k, ends[0], ends[1], base, factors, places, scratch)
                end = node_place(layers, layer + 1)
                for c in range(n_jet):
                    component_factors(components, c, n_in * BLOCK, factors, jet, products)
                    row_bias = bias if c == 0 else -1
                    sums(products, places, tables[member], grid[3], n_in, n_out, start, row_bias, n, own[c, end:])
            padded, end = layers[n_layers - 1, 2], node_place(layers, n_layers)
            for c in range(n_jet):
                for s in range(n):
                    outputs[member, c, begin + s] = own[c, end + s * padded]


@kernel
def backward_items(
    first: int,
    last: int,
    layers: Any,
    grid: Any,
    ends: Any,
    components: Any,
    x: Any,
    tables: Any,
    nodes: Any,
    output_grads: Any,
    parts: Any,
) -> None:
    """The gradients of some items by the tables, `parts` `[items, Q]`, from those by the outputs `[s, c, n]`.

    Other arguments as of `forward_items`, which has set `nodes`.
    """
    n_layers, n_chunks = layers.shape[0] - 1, -(-len(x) // CHUNK)
    size, k, base, rows, terms = grid
    n_jet, widest = len(components), max(layers[:, 0].max(), layers[:, 2].max())
    length = widest * BLOCK + PADDING
    factors = np.zeros((4, terms, length), tables.dtype)
    products = np.zeros((n_jet, terms, length), tables.dtype)
    places = np.zeros(length, np.int32)
    jet = np.zeros((n_jet, length), tables.dtype)
    scratch = np.zeros((k + 3, k + 1, length), tables.dtype)
    grads = np.zeros((2, n_jet, BLOCK * widest), tables.dtype)
    sums_of = np.zeros(n_jet * LANES, tables.dtype)
    for item in range(first, last):
        member, chunk = item // n_chunks, item % n_chunks
        parts[item] = 0
        for block in range(nodes.shape[1]):
            begin = chunk * CHUNK + block * BLOCK
            n = min(BLOCK, len(x) - begin)
            if n <= 0:
                break
            own, padded = nodes[item, block], layers[n_layers - 1, 2]
            grads[n_layers % 2] = 0
            for c in range(n_jet):
                for s in range(n):
                    grads[n_layers % 2, c, s * padded] = output_grads[member, c, begin + s]
            for layer in range(n_layers - 1, -1, -1):
                n_in, n_out, start, bias = layers[layer, 0], layers[layer, 2], layers[layer, 3], layers[layer, 4]
                gather(layer, layers, components, x, begin, n, own, jet)
                all_factors(jet[0], n_in * BLOCK, size, k, ends[0], ends[1], base, factors, places, scratch)
                for c in range(n_jet):
                    component_factors(components, c, n_in * BLOCK, factors, jet, products[c])
                add_jet_gradients(
                    factors,
                    products,
                    jet,
                    components,
                    places,
                    tables[member],
                    rows,
                    n_in,
                    n_out,
                    start,
                    bias,
                    n,
                    grads[(layer + 1) % 2],
                    grads[layer % 2],
                    parts[item],
                    sums_of,
                )


@kernel
def node_place(layers: Any, number: int) -> int:
    """Where the nodes of a layer's inputs begin within a block's, number of the layer from 1 on."""
    place = 0
    for layer in range(number - 1):
        place += layers[layer, 2] * BLOCK
    return place


@kernel
def gather(layer: int, layers: Any, components: Any, x: Any, begin: int, n: int, own: Any, jet: Any) -> None:
    """Set the jets of a layer's inputs, `[c, N]`, by the samples or by the nodes of the layer before."""
    n_in = layers[layer, 0]
    if layer > 0:
        place, padded = node_place(layers, layer), layers[layer - 1, 2]
        for c in range(len(components)):
            for i in range(n_in):
                for s in range(n):
                    jet[c, i * BLOCK + s] = own[c, place + s * padded + i]
        return
    jet[:] = 0
    for i in range(n_in):
        for s in range(n):
            jet[0, i * BLOCK + s] = x[begin + s, i]
        for c in range(len(components)):
            if components[c, 0] == 1 and components[c, 1] == i:
                for s in range(n):
                    jet[c, i * BLOCK + s] = 1


@kernel
def component_factors(components: Any, c: int, n: int, factors: Any, jet: Any, out: Any) -> None:
    """Derivatives of the factors f(x), `[t, N]`: f, f' x_a, or f'' x_a x_b + f' x_ab."""
    order, _, a, b = components[c]
    for t in range(factors.shape[1]):
        if order == 0:
            for s in range(n):
                out[t, s] = factors[0, t, s]
        elif order == 1:
            for s in range(n):
                out[t, s] = factors[1, t, s] * jet[c, s]
        else:
            for s in range(n):
                out[t, s] = factors[2, t, s] * (jet[a, s] * jet[b, s]) + factors[1, t, s] * jet[c, s]


@kernel
def add_jet_gradients(
    factors: Any,
    products: Any,
    jet: Any,
    components: Any,
    places: Any,
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
    sums_of: Any,
) -> None:
    """Add the gradients by the weights to `table_grads`, and set those by the jets of the inputs.

    With p1, p2, p3 the sums over terms of weights times first, second and third derivatives of the factors, and g the
    gradients by the outputs' jets: by x, g p1 + g_a p2 x_a + g_ab (p3 x_a x_b + p2 x_ab); by x_a, g_a p1 + g_ab p2 x_b,
    likewise by x_b; by x_ab, g_ab p1.

    Args:
        factors: `[4, t, N]`; products: of each component, `[c, t, N]`; jet: `[c, N]`.
        out_grads: `[c, S o]`; in_grads: `[c, S i]`, with i padded.
        sums_of: `[c LANES]`, for numbers in between.
    """
    n_jet, n_terms = len(components), factors.shape[1]
    zero = table.dtype.type(0)
    padded = (n_in + LANES - 1) // LANES * LANES
    add_bias_gradients(bias, n_out, n, out_grads[0], table_grads)
    for i in range(n_in):
        own = start + i * rows * n_out
        for s in range(n):
            s_i = i * BLOCK + s
            for c in range(n_jet):
                store(sums_of, c * LANES, splat(zero))
            for j in range(0, n_out, LANES):
                p1, p2, p3 = splat(zero), splat(zero), splat(zero)
                for t in range(n_terms):
                    row = own + j if t == 0 else own + (places[s_i] + t - 1) * n_out + j
                    weight = load(table, row)
                    p1 = multiply_add(spread(factors[1], t, s_i), weight, p1)
                    p2 = multiply_add(spread(factors[2], t, s_i), weight, p2)
                    p3 = multiply_add(spread(factors[3], t, s_i), weight, p3)
                    grad = load(table_grads, row)
                    for c in range(n_jet):
                        grad = multiply_add(spread(products[c], t, s_i), load(out_grads[c], s * n_out + j), grad)
                    store(table_grads, row, grad)
                for c in range(n_jet):
                    order, _, a, b = components[c]
                    out_grad = load(out_grads[c], s * n_out + j)
                    store(sums_of, c * LANES, multiply_add(out_grad, p1, load(sums_of, c * LANES)))
                    if order == 0:
                        continue
                    bend = multiply(out_grad, p2)
                    by_x = multiply_add(spread(jet, c, s_i), bend, load(sums_of, 0))
                    if order == 2:
                        x_a, x_b = spread(jet, a, s_i), spread(jet, b, s_i)
                        by_x = multiply_add(multiply(x_a, x_b), multiply(out_grad, p3), by_x)
                        store(sums_of, a * LANES, multiply_add(x_b, bend, load(sums_of, a * LANES)))
                        store(sums_of, b * LANES, multiply_add(x_a, bend, load(sums_of, b * LANES)))
                    store(sums_of, 0, by_x)
            for c in range(n_jet):
                in_grads[c, s * padded + i] = total(load(sums_of, c * LANES))
