"""What the samples did in one layer: per node and per edge, from traces that arrive in chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from kancli.model import KANLayer, LayerTrace
from kancli.stats.moments import Array, EdgeMoments, Moments


@dataclass(frozen=True)
class LayerScope:
    """What a figure needs to know of the samples in one layer."""

    low: Array  # [i]        least value that entered
    high: Array  # [i]       greatest
    mean_abs: Array  # [i, o] mean |postact|
    std: Array  # [i, o]      std of the postacts


class LayerSignal:
    """Accumulates what one layer does to the samples."""

    def __init__(self, layer: KANLayer) -> None:
        self.low, self.high = layer.grid_range
        self.scale_base, self.scale_sp = as_array(layer.scale_base), as_array(layer.scale_sp)
        self.postacts = EdgeMoments()  # with x, whose own moments are in `preacts`
        self.spline = EdgeMoments()  # before scale_sp, with b(x), whose own moments are in `base`
        self.preacts, self.base, self.output = self.postacts.x, self.spline.x, Moments()
        self.sum_abs: Array = np.zeros(())
        self.most: Array = np.zeros(())  # max |postact|
        self.off_line: Array = np.zeros(())  # max |postact - scale_base x|
        self.off_grid: Array = np.zeros(())
        self.bad_base: Array = np.zeros((), dtype=np.int64)
        self.bad_spline: Array = np.zeros((), dtype=np.int64)
        self.bad_sum: Array = np.zeros((), dtype=np.int64)

    def update(self, trace: LayerTrace) -> None:
        """Take in the trace of one chunk of samples."""
        x, b, spline, y = (as_array(each) for each in (trace.preacts, trace.base, trace.spline, trace.postacts))
        self.output.update(as_array(trace.output))
        self.postacts.update_pair(x, y)
        self.spline.update_pair(b, spline)
        size = np.abs(y)
        self.sum_abs = self.sum_abs + size.sum(axis=0)
        self.most = np.maximum(self.most, size.max(axis=0))
        self.off_line = np.maximum(self.off_line, np.abs(y - self.scale_base * x[:, :, None]).max(axis=0))
        self.off_grid = self.off_grid + ((x < self.low) | (x > self.high)).sum(axis=0)
        if not np.isfinite(self.sum_abs).all():
            self._count_non_finite(b, spline, y)

    def _count_non_finite(self, b: Array, spline: Array, y: Array) -> None:
        self.bad_base = self.bad_base + (~np.isfinite(self.scale_base * b[:, :, None])).sum(axis=0)
        self.bad_spline = self.bad_spline + (~np.isfinite(self.scale_sp * spline)).sum(axis=0)
        self.bad_sum = self.bad_sum + (~np.isfinite(y)).sum(axis=0)

    def scope(self) -> LayerScope:
        std = np.sqrt(self.postacts.variance)
        return LayerScope(self.preacts.low, self.preacts.high, self.sum_abs / self.postacts.n, std)

    def non_finite(self) -> str | None:
        """Edge and branch of the first postacts that are infinite or NaN, input by input; or the node whose sum is."""
        if np.any(self.bad_sum):
            source, target = np.argwhere(self.bad_sum)[0]
            hit = [name for name, bad in (("base", self.bad_base), ("spline", self.bad_spline)) if bad[source, target]]
            branch = " and ".join(hit) or "sum of the two"
            count = self.bad_sum[source, target]
            return f"edge {source} -> {target}, {branch} branch: not finite for {count} of {self.output.n} samples"
        bad_nodes = np.argwhere(~np.isfinite(self.output.mean))
        if len(bad_nodes):
            return f"node {bad_nodes[0][0]}: the sum of its incoming edges, each finite, is not finite"
        return None

    def why_undefined(self) -> str:
        """Why a number of this layer has no value."""
        if self.non_finite() is not None:
            return "some values are not finite"
        variances = (self.preacts.variance, self.postacts.variance, self.output.variance)
        return "nothing varies" if all(np.isfinite(each).all() for each in variances) else "overflow in float64"

    def layer(self) -> dict[str, object]:
        """The layer's statistics: over samples and nodes, or samples and edges, taken together.

        `off_grid`: share of the values entering that lie outside the grid range.
        `spline_share`: sum of the spline branches' variances over the sum of both branches' variances.
        `linear_error`: the largest distance of an activation from the straight line scale_base x, over the largest
            activation of its edge; over all edges that are not 0.
        `nonlinearity`: 1 - R^2 of each edge's best straight line on the samples; mean and max over edges that vary.
        """
        base, spline = self._branch_variances()
        bends = self._nonlinearity()
        bends = bends[~np.isnan(bends)]
        return {
            "preacts": _pool(self.preacts),
            "postacts": _pool(self.postacts) | {"mean_abs": (self.sum_abs / self.postacts.n).mean()},
            "output": _pool(self.output),
            "off_grid": self.off_grid.sum() / self.preacts.mean.size / self.preacts.n,
            "spline_share": spline.sum() / (base.sum() + spline.sum()),
            "linear_error": np.max(self.off_line / np.where(self.most > 0, self.most, 1.0)),
            "nonlinearity": {
                "mean": bends.mean() if bends.size else np.nan,
                "max": bends.max() if bends.size else np.nan,
            },
        }

    def nodes(self) -> dict[str, Array]:
        """Per node entering the layer, `[i]` each."""
        return {
            "preact_mean": self.preacts.mean,
            "preact_std": np.sqrt(self.preacts.variance),
            "off_grid": self.off_grid / self.preacts.n,
        }

    def edges(self) -> dict[str, Array]:
        """Per edge, `[i, o]` each; slope and intercept are those of the best straight line on the samples."""
        base, spline = self._branch_variances()
        slope = self.postacts.covariance / self.preacts.variance[:, None]
        return {
            "postact_mean": self.postacts.mean,
            "postact_std": np.sqrt(self.postacts.variance),
            "postact_mean_abs": self.sum_abs / self.postacts.n,
            "spline_share": spline / (base + spline),
            "nonlinearity": self._nonlinearity(),
            "slope": slope,
            "intercept": self.postacts.mean - slope * self.preacts.mean[:, None],
        }

    def _branch_variances(self) -> tuple[Array, Array]:
        return self.scale_base**2 * self.base.variance[:, None], self.scale_sp**2 * self.spline.variance

    def _nonlinearity(self) -> Array:
        explained = self.postacts.covariance**2 / self.preacts.variance[:, None]
        return np.maximum(1 - explained / self.postacts.variance, 0.0)


def as_array(tensor: Tensor) -> Array:
    """A tensor as a float64 numpy array."""
    return tensor.detach().double().cpu().numpy()


def _pool(moments: Moments) -> dict[str, object]:
    """Mean, std and extremes over all samples and all entries together."""
    mean = moments.mean.mean()
    variance = (moments.variance + (moments.mean - mean) ** 2).mean()
    return {"mean": mean, "std": np.sqrt(variance), "min": moments.low.min(), "max": moments.high.max()}
