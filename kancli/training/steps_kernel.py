# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Many steps of Adam in one call, by numba: for small networks Python takes longer than the arithmetic of a step.

Shapes: s members, b steps of a call, n samples, m test samples, i inputs, o outputs, P parameters of a member.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kancli.kan.compiled.compile import kernel
from kancli.kan.compiled.forward import first_factors
from kancli.kan.compiled.kernels import CHUNK
from kancli.kan.compiled.tables import fold, unfold
from kancli.training.evaluation_kernel import chunk_error
from kancli.training.regression_kernel import sample_gradients

MAX_KEPT = 2**20  # numbers of the first layer's factors: as many as stay near the processor


@kernel
def adam(
    values: Any, grads: Any, first: Any, second: Any, betas: Any, eps: float, step_size: float, root: float, keep: float
) -> None:
    """One step of one member, in place: values, gradients and both moments `[P]`.

    Args:
        step_size: over 1 - beta1^t; root: of 1 - beta2^t; keep: share of the values that weight decay leaves.
    """
    kind = values.dtype.type
    new, old_square, new_square = kind(1 - betas[0]), kind(betas[1]), kind(1 - betas[1])
    small, size, divisor, share = kind(eps), kind(step_size), kind(root), kind(keep)
    for p in range(len(values)):
        mean = first[p] + new * (grads[p] - first[p])
        square = old_square * second[p] + new_square * grads[p] * grads[p]
        first[p], second[p] = mean, square
        values[p] = share * values[p] - size * (mean / (np.sqrt(square) / divisor + small))


@kernel
def adam_of_members(
    values: Any, grads: Any, first: Any, second: Any, betas: Any, eps: float, step_size: float, root: float, keep: float
) -> None:
    """`adam` of all members, `[s, P]`."""
    for member in range(len(values)):
        adam(values[member], grads[member], first[member], second[member], betas, eps, step_size, root, keep)


@kernel
def member_steps(
    begin: int,
    end: int,
    layers: Any,
    grid: Any,
    ends: Any,
    x: Any,
    y: Any,
    test_x: Any,
    test_y: Any,
    mask: Any,
    betas: Any,
    eps: float,
    step_sizes: Any,
    roots: Any,
    keep: float,
    largest: Any,
    target: float,
    values: Any,
    first: Any,
    second: Any,
    losses: Any,
    errors: Any,
    made: Any,
) -> None:
    """Steps of members `begin` to `end`, each until its loss or gradient is not finite, or its loss is out of bounds.

    Args:
        layers, grid, ends: see `tables.Layout`.
        x: `[n, i]`; y: `[n, o]`; test_x: `[m, i]`; test_y: `[m, o]`.
        mask: `[s, edges]`, or `[s, 0]` for none.
        step_sizes, roots: of each step, `[b]`; these, betas, eps and keep as of `adam`.
        largest: above which a loss is out of bounds, `[s]`; target: up to which; NaN for none.
        values, first, second: parameters and moments `[s, P]`, in place; a member that ends early keeps those before
            the update.
        losses: mean squared error before each step, `[s, b]`; errors: sum of squared errors over the test samples
            after it, float64 `[s, b]`; made: number of updates, `[s]`; all to be set.
    """
    n_numbers, size, grads = x.shape[0] * y.shape[1], layers[-1, 3], np.empty(values.shape[1], values.dtype)
    table, total, part = np.zeros(size, values.dtype), np.zeros(size, values.dtype), np.zeros(size, values.dtype)
    kept, at = first_factors(layers, grid, ends, x, MAX_KEPT, values)
    test_kept, test_at = first_factors(layers, grid, ends, test_x, MAX_KEPT, values)
    for member in range(begin, end):
        own, made[member] = values[member], 0
        fold(layers, grid, own, mask[member], table)
        for step in range(len(step_sizes)):
            loss = sample_gradients(layers, grid, ends, x, y, kept, at, table, total, part) / n_numbers
            losses[member, step] = loss
            unfold(layers, grid, own, mask[member], total, grads)
            rounded, n_finite = np.float64(losses[member, step]), 0
            for p in range(len(grads)):
                n_finite += np.isfinite(grads[p])
            if not rounded <= largest[member] or rounded <= target or n_finite < len(grads):
                break
            adam(own, grads, first[member], second[member], betas, eps, step_sizes[step], roots[step], keep)
            made[member] = step + 1
            fold(layers, grid, own, mask[member], table)
            errors[member, step] = 0
            for start in range(0, len(test_x), CHUNK):
                stop = min(start + CHUNK, len(test_x))
                errors[member, step] += chunk_error(
                    layers, grid, ends, test_x, test_y, test_kept, test_at, table, start, stop
                )
