"""What the samples did in one layer: per member, node and edge, from traces that arrive in chunks.

Shapes: n samples, s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kancli.model import KANLayer, LayerTrace
from kancli.stats.moments import Array, EdgeMoments, Moments, total


@dataclass(frozen=True)
class LayerScope:
    """What a figure needs to know of the samples in one layer of one model."""

    low: Array  # [i]        least value that entered
    high: Array  # [i]       greatest
    mean_abs: Array  # [i, o] mean |postact|
    std: Array  # [i, o]      std of the postacts


class LayerSignal:
    """Accumulates what one layer does to the samples."""

    def __init__(self, layer: KANLayer) -> None:
        members = layer.n_members or 1
        self.low, self.high = (as_array(each) for each in layer.grid_ends())  # [i], or [s, i]
        shape = (members, layer.n_in, layer.n_out)
        self.scale_base, self.scale_sp = (as_array(each).reshape(shape) for each in (layer.scale_base, layer.scale_sp))
        self.postacts = EdgeMoments()  # with x, whose own moments are in `preacts`
        self.preacts, self.output = self.postacts.x, Moments()
        self.base, self.spline = Moments(), Moments()  # of b(x), and of the spline before scale_sp
        self.sum_abs: Array = np.zeros(())
        self.off_line: Array = np.zeros(())  # max |postact - scale_base x|
        self.off_grid: Array = np.zeros(())
        self.bad_base: Array = np.zeros((), dtype=np.int64)
        self.bad_spline: Array = np.zeros((), dtype=np.int64)
        self.bad_sum: Array = np.zeros((), dtype=np.int64)

    def update(self, trace: LayerTrace) -> None:
        """Take in the trace of one chunk of samples."""
        lacks = trace.preacts.dim() == 2  # the member axis
        x, b, spline, y, output = (
            _by_sample(each.unsqueeze(0) if lacks else each)
            for each in (trace.preacts, trace.base, trace.spline, trace.postacts, trace.output)
        )
        scratch = np.empty_like(y)
        self.sum_abs = self.sum_abs + total(np.abs(y, out=scratch))
        np.subtract(y, np.multiply(self.scale_base, x[..., None], out=scratch), out=scratch)
        self.off_line = np.maximum(self.off_line, np.abs(scratch, out=scratch).max(axis=0))
        self.off_grid = self.off_grid + ((x < self.low) | (x > self.high)).sum(axis=0)
        if not np.isfinite(self.sum_abs).all():
            self._count_non_finite(b, spline, y)
        self.output.update(output)
        self.postacts.update_pair(x, y, scratch)
        self.base.update(b)
        self.spline.update(spline, scratch)

    def _count_non_finite(self, b: Array, spline: Array, y: Array) -> None:
        self.bad_base = self.bad_base + (~np.isfinite(self.scale_base * b[..., None])).sum(axis=0)
        self.bad_spline = self.bad_spline + (~np.isfinite(self.scale_sp * spline)).sum(axis=0)
        self.bad_sum = self.bad_sum + (~np.isfinite(y)).sum(axis=0)

    def scope(self) -> LayerScope:
        """Of the first member."""
        std = np.sqrt(self.postacts.variance)
        return LayerScope(self.preacts.low[0], self.preacts.high[0], self.sum_abs[0] / self.postacts.n, std[0])

    def non_finite(self) -> list[str | None]:
        """By member: edge and branch of the first postacts that are infinite or NaN, input by input; or the node whose
        sum is."""
        finite = np.logical_and.reduce(np.isfinite(self.output.mean), axis=1)
        if self.bad_sum.ndim:
            finite &= ~self.bad_sum.any(axis=(1, 2))
        return [None if each else self._where(member) for member, each in enumerate(finite)]

    def _where(self, member: int) -> str:
        if self.bad_sum.ndim and self.bad_sum[member].any():
            source, target = np.argwhere(self.bad_sum[member])[0]
            branches = (("base", self.bad_base), ("spline", self.bad_spline))
            hit = [name for name, bad in branches if bad[member, source, target]]
            branch = " and ".join(hit) or "sum of the two"
            count = self.bad_sum[member, source, target]
            return f"edge {source} -> {target}, {branch} branch: not finite for {count} of {self.output.n} samples"
        node = np.argwhere(~np.isfinite(self.output.mean[member]))[0][0]
        return f"node {node}: the sum of its incoming edges, each finite, is not finite"

    def why_undefined(self) -> list[str]:
        """By member, why a number of this layer has no value."""
        variances = (self.preacts.variance, self.postacts.variance, self.output.variance)
        finite = np.isfinite(np.concatenate([_flat(each) for each in variances], axis=1))
        finite = np.logical_and.reduce(finite, axis=1)
        return [
            "some values are not finite" if bad else "nothing varies" if good else "overflow in float64"
            for bad, good in zip(self.non_finite(), finite, strict=True)
        ]

    def layer(self) -> dict[str, object]:
        """The layer's statistics, `[s]` each: over samples and nodes, or samples and edges, taken together.

        `off_grid`: share of the values entering that lie outside the grid range.
        `spline_share`: sum of the spline branches' variances over the sum of both branches' variances.
        `linear_error`: the largest distance of an activation from the straight line scale_base x, over the largest
            activation of its edge; over all edges that are not 0.
        `nonlinearity`: 1 - R^2 of each edge's best straight line on the samples; mean and max over edges that vary.
        """
        base, spline = (_flat(each).sum(axis=1) for each in self._branch_variances())
        bends = _flat(self._nonlinearity())
        varies = ~np.isnan(bends)
        most = np.maximum(np.abs(self.postacts.low), np.abs(self.postacts.high))
        return {
            "preacts": _pool(self.preacts),
            "postacts": _pool(self.postacts) | {"mean_abs": _flat(self.sum_abs / self.postacts.n).mean(axis=1)},
            "output": _pool(self.output),
            "off_grid": self.off_grid.sum(axis=1) / self.preacts.mean.shape[1] / self.preacts.n,
            "spline_share": spline / (base + spline),
            "linear_error": _flat(self.off_line / np.where(most > 0, most, 1.0)).max(axis=1),
            "nonlinearity": {
                "mean": np.where(varies, bends, 0.0).sum(axis=1) / varies.sum(axis=1),
                "max": np.where(varies.any(axis=1), np.where(varies, bends, 0.0).max(axis=1), np.nan),
            },
        }

    def nodes(self) -> dict[str, Array]:
        """Per node entering the layer, `[s, i]` each."""
        return {
            "preact_mean": self.preacts.mean,
            "preact_std": np.sqrt(self.preacts.variance),
            "off_grid": self.off_grid / self.preacts.n,
        }

    def edges(self) -> dict[str, Array]:
        """Per edge, `[s, i, o]` each; slope and intercept are those of the best straight line on the samples."""
        base, spline = self._branch_variances()
        slope = self.postacts.covariance / self.preacts.variance[..., None]
        return {
            "postact_mean": self.postacts.mean,
            "postact_std": np.sqrt(self.postacts.variance),
            "postact_mean_abs": self.sum_abs / self.postacts.n,
            "spline_share": spline / (base + spline),
            "nonlinearity": self._nonlinearity(),
            "slope": slope,
            "intercept": self.postacts.mean - slope * self.preacts.mean[..., None],
        }

    def _branch_variances(self) -> tuple[Array, Array]:
        return self.scale_base**2 * self.base.variance[..., None], self.scale_sp**2 * self.spline.variance

    def _nonlinearity(self) -> Array:
        explained = self.postacts.covariance**2 / self.preacts.variance[..., None]
        return np.maximum(1 - explained / self.postacts.variance, 0.0)


def as_array(tensor: Tensor) -> Array:
    """A tensor as a float64 numpy array."""
    return tensor.detach().double().cpu().numpy()


def _by_sample(tensor: Tensor) -> Array:
    """`[s, n, ...]` as `[n, s, ...]`, float64, in that order in memory."""
    samples_first = tensor.detach().transpose(0, 1)
    array = torch.empty(samples_first.shape, dtype=torch.float64)
    return array.copy_(samples_first).numpy()


def _flat(values: Array) -> Array:
    """`[s, ...]` to `[s, everything]`."""
    return values.reshape(len(values), -1)


def _pool(moments: Moments) -> dict[str, object]:
    """Mean, std and extremes over all samples and all entries together."""
    means = _flat(moments.mean)
    mean = means.mean(axis=1)
    variance = (_flat(moments.variance) + (means - mean[:, None]) ** 2).mean(axis=1)
    low, high = _flat(moments.low).min(axis=1), _flat(moments.high).max(axis=1)
    return {"mean": mean, "std": np.sqrt(variance), "min": low, "max": high}
