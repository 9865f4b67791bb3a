"""What needs samples in order: quantiles, and how rough the edges are, over the first samples of a run.

Shapes: n samples, s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from kancli.stats.running_moments import Array, blocks, total
from kancli.stats.summary import quantiles_of

VALUES = 2**17  # of edges at samples, looked at together: what a core's own cache holds


class FirstSamples:
    """Keeps the first samples of one layer.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.n = 0
        self.preacts: list[Array] = []  # [n, s, i]
        self.postacts: list[Array] = []  # [n, s, i, o]

    def update(self, preacts: Tensor, postacts: Tensor) -> None:
        """Take in one chunk: `[s, n, i]` and `[s, n, i, o]`."""
        wanted = slice(0, self.most - self.n)
        if wanted.stop > 0:
            for kept, each in ((self.preacts, preacts), (self.postacts, postacts)):
                kept.append(each[:, wanted].transpose(0, 1).cpu().contiguous().numpy())
            self.n += len(self.preacts[-1])

    def along_x(self) -> dict[str, Array]:
        """Of each edge, along the samples in order of x, `[s, i, o]` each.

        `roughness`: sum of |phi(x_{q+1}) - phi(x_q)| over max phi - min phi: 1 where phi rises or falls all the way,
            about the number of its swings elsewhere.
        `monotone`: 1 where phi rises or falls all the way, but for rounding, else 0.
        Neither has a value for an edge that is flat, or not finite.
        """
        x, y = np.concatenate(self.preacts), np.concatenate(self.postacts)
        _, s, i = x.shape
        found = {name: np.empty(y.shape[1:]) for name in ("roughness", "monotone")}
        for block in blocks(s, i, y[:, 0, 0].size, VALUES):
            values = _along(x[(slice(None), *block)], y[(slice(None), *block)])
            for name, each in zip(found, values, strict=True):
                found[name][block] = each
        return found

    def quantiles(self) -> tuple[dict[str, dict[str, Array]], ...]:
        """5, 25, 50, 75 and 95 % quantiles of preacts and postacts: for the layer, `[s]`, over samples, nodes and edges
        together; for each node, `[s, i]`; for each edge, `[s, i, o]`."""
        x, y = (np.concatenate(each).astype(np.float64) for each in (self.preacts, self.postacts))
        all_x, all_y = (each.swapaxes(0, 1).reshape(each.shape[1], -1) for each in (x, y))
        of_layer = {"preacts": quantiles_of(all_x, 1), "postacts": quantiles_of(all_y, 1)}
        return of_layer, {"preact": quantiles_of(x, 0)}, {"postact": quantiles_of(y, 0)}


def _along(x: Array, y: Array) -> tuple[Array, Array]:
    """Roughness, and whether monotone, of some members and inputs."""
    n, s, i = x.shape
    y = y[np.argsort(x, axis=0), np.arange(s)[:, None], np.arange(i)]
    low, high = y.min(axis=0).astype(np.float64), y.max(axis=0).astype(np.float64)
    span, rounding = high - low, 4 * np.finfo(y.dtype).eps * np.maximum(-low, high)
    steps = y[1:] - y[:-1]
    path = total(np.abs(steps, out=steps))
    flat = ~(np.isfinite(span) & (span > rounding))
    monotone = path - span <= rounding * n
    return np.where(flat, np.nan, path / span), np.where(flat, np.nan, monotone)
