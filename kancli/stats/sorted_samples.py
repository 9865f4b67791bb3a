"""Statistics that need samples in order: quantiles and roughness, over the first samples of a run.

Shapes: n samples, s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kancli.stats import kernels
from kancli.stats.running_moments import Array, blocks, distinct, total
from kancli.stats.summary import quantiles_of

MAX_BLOCK = 2**17  # postacts processed at a time: they fit a core's own cache


class FirstSamples:
    """Applies a function to the first samples of one layer, once they are complete, then frees them.

    Args:
        size: maximal number of samples.
        function: of preacts `[s, n, i]` and postacts `[s, n, i, o]`.
    """

    def __init__(self, size: int, function: Callable[[Array, Array], dict[str, Any]]) -> None:
        self.size, self.function = size, function
        self.n = 0
        self.chunks: list[tuple[Array, Array]] = []
        self._values: dict[str, Any] | None = None

    @property
    def n_wanted(self) -> int:
        """Number of samples that are still wanted."""
        return self.size - self.n

    def update(self, preacts: Array, postacts: Array) -> None:
        """Take the samples of one chunk that are still wanted: `[s, n, i]`, and as many of `[s, n, i, o]` or more."""
        if self.n_wanted == 0:
            return
        self.chunks.append((preacts[:, : self.n_wanted], postacts[:, : self.n_wanted]))
        self.n += self.chunks[-1][0].shape[1]
        if self.n == self.size:
            self._values = self._apply()

    @property
    def values(self) -> dict[str, Any]:
        """The function's values, of all samples if there were fewer."""
        if self._values is None:
            self._values = self._apply()
        return self._values

    @np.errstate(all="ignore")
    def _apply(self) -> dict[str, Any]:
        chunks, self.chunks = self.chunks, []
        joined = (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1) for parts in zip(*chunks, strict=True))
        return self.function(*joined)


def along_x(x: Array, y: Array) -> dict[str, Array]:
    """Statistics of each edge along the samples x `[s, n, i]` in order, from y `[s, n, i, o]`; `[s, i, o]` each.

    `roughness`: sum of |phi(x_{q+1}) - phi(x_q)| over max phi - min phi: total variation over range, 1 for a
        monotone edge, about the number of its swings otherwise.
    `monotone`: 1 where phi rises or falls all the way, but for rounding, else 0.
    Both are NaN for an edge that is flat or not finite.
    """
    order = np.argsort(distinct(x), axis=1)
    if len(order) < len(x):  # a copy: for a view, which is read-only, numba would compile another kernel
        order = order.repeat(len(x), axis=0)
    path, low, high = _paths(order, y)
    low, high = low.astype(np.float64), high.astype(np.float64)
    span, rounding = high - low, 4 * np.finfo(y.dtype).eps * np.maximum(-low, high)
    flat = ~(np.isfinite(span) & (span > rounding))
    monotone = path - span <= rounding * y.shape[1]
    return {"roughness": np.where(flat, np.nan, path / span), "monotone": np.where(flat, np.nan, monotone)}


def quantiles(x: Array, y: Array) -> dict[str, Any]:
    """5, 25, 50, 75 and 95 % quantiles of preacts x `[s, n, i]` and postacts y `[s, n, i, o]`.

    `preacts`, `postacts`: over samples and nodes or edges, `[s]` each; `nodes`: of each node entering, `[s, i]`;
    `edges`: of each edge, `[s, i, o]`.
    """
    pooled = {
        name: quantiles_of(values.reshape(len(values), -1), 1) for name, values in (("preacts", x), ("postacts", y))
    }
    return {**pooled, "nodes": quantiles_of(x, 1), "edges": quantiles_of(y, 1)}


def _paths(order: Array, y: Array) -> tuple[Array, Array, Array]:
    """Of each edge the sum of |steps| along its samples, float64, and its extremes; `[s, i, o]` each.

    Args:
        order: `[s, n, i]`, numbers of samples.
        y: `[s, n, i, o]`.
    """
    s, n, i, o = y.shape
    path, low, high = np.empty((s, i, o)), np.empty((s, i, o), y.dtype), np.empty((s, i, o), y.dtype)
    if (compiled := kernels.loaded(y)) is not None:
        compiled.path_lengths(order, np.ascontiguousarray(y), path, low, high)
        return path, low, high
    for block in blocks(s, i, n * o, MAX_BLOCK):
        members, inputs = (np.arange(size)[part] for size, part in zip((s, i), block, strict=True))
        values = y[members[:, None], order[block[0], :, block[1]].swapaxes(0, 1), inputs]  # [n, s, i, o]
        low[block], high[block] = values.min(axis=0), values.max(axis=0)
        steps = values[1:] - values[:-1]
        path[block] = total(np.abs(steps, out=steps))
    return path, low, high
