"""Statistics that need samples in order: quantiles and roughness, over the first samples of a run.

Shapes: n samples, s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from kancli.stats.running_moments import Array, blocks, total
from kancli.stats.summary import quantiles_of

MAX_BLOCK = 2**17  # postacts processed at a time: they fit a core's own cache


class SampleBuffer:
    """Keeps the first samples of one layer.

    Args:
        size: maximal number of samples.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.n = 0
        self.preacts: list[Array] = []  # [n, s, i]
        self.postacts: list[Array] = []  # [n, s, i, o]

    def update(self, preacts: Tensor, postacts: Tensor) -> None:
        """Keep the samples of one chunk that fit: `[s, n, i]` and `[s, n, i, o]`."""
        free = self.size - self.n
        if free > 0:
            for buffer, values in ((self.preacts, preacts), (self.postacts, postacts)):
                buffer.append(values[:, :free].transpose(0, 1).cpu().contiguous().numpy())
            self.n += len(self.preacts[-1])

    def along_x(self, n: int) -> dict[str, Array]:
        """Statistics of each edge along the first n samples in order of x, `[s, i, o]` each.

        `roughness`: sum of |phi(x_{q+1}) - phi(x_q)| over max phi - min phi: total variation over range, 1 for a
            monotone edge, about the number of its swings otherwise.
        `monotone`: 1 where phi rises or falls all the way, but for rounding, else 0.
        Both are NaN for an edge that is flat or not finite.
        """
        x, y = np.concatenate(self.preacts)[:n], np.concatenate(self.postacts)[:n]
        _, s, i = x.shape
        stats = {name: np.empty(y.shape[1:]) for name in ("roughness", "monotone")}
        for block in blocks(s, i, y[:, 0, 0].size, MAX_BLOCK):
            values = _along(x[(slice(None), *block)], y[(slice(None), *block)])
            for name, value in zip(stats, values, strict=True):
                stats[name][block] = value
        return stats

    def layer_quantiles(self, n: int) -> dict[str, dict[str, Array]]:
        """5, 25, 50, 75 and 95 % quantiles of `preacts` and `postacts` over samples and nodes or edges, `[s]` each."""
        return {"preacts": _pooled_quantiles(self.preacts, n), "postacts": _pooled_quantiles(self.postacts, n)}

    def node_quantiles(self, n: int) -> dict[str, Array]:
        """Quantiles of each node entering, `[s, i]`."""
        return quantiles_of(_joined(self.preacts, n), 0)

    def edge_quantiles(self, n: int) -> dict[str, Array]:
        """Quantiles of each edge, `[s, i, o]`."""
        return quantiles_of(_joined(self.postacts, n), 0)


def _joined(chunks: Sequence[Array], n: int) -> Array:
    return np.concatenate(chunks)[:n].astype(np.float64)


def _pooled_quantiles(chunks: Sequence[Array], n: int) -> dict[str, Array]:
    values = _joined(chunks, n).swapaxes(0, 1)  # [s, n, ...]
    return quantiles_of(values.reshape(len(values), -1), 1)


def _along(x: Array, y: Array) -> tuple[Array, Array]:
    """Roughness and monotonicity of some members and inputs."""
    n, s, i = x.shape
    y = y[np.argsort(x, axis=0), np.arange(s)[:, None], np.arange(i)]
    low, high = y.min(axis=0).astype(np.float64), y.max(axis=0).astype(np.float64)
    span, rounding = high - low, 4 * np.finfo(y.dtype).eps * np.maximum(-low, high)
    steps = y[1:] - y[:-1]
    path = total(np.abs(steps, out=steps))
    flat = ~(np.isfinite(span) & (span > rounding))
    monotone = path - span <= rounding * n
    return np.where(flat, np.nan, path / span), np.where(flat, np.nan, monotone)
