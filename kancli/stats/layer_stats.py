"""What the samples did in one layer: per member, node and edge, from traces that arrive in chunks.

Shapes: n samples, s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from kancli.kan.layer import KANLayer, LayerTrace
from kancli.stats.edge_moments import EdgeMoments, TermMoments
from kancli.stats.nodes import NodeValues, pool
from kancli.stats.running_moments import Array, total
from kancli.stats.sorted_samples import FirstSamples

ROWS = 64  # samples whose edges are looked at together


@dataclass(frozen=True)
class EdgeRanges:
    """What a figure needs to know of the samples in one layer of one model."""

    low: Array  # [i]        least value that entered
    high: Array  # [i]       greatest
    mean_abs: Array  # [i, o] mean |postact|
    std: Array  # [i, o]      std of the postacts


@dataclass(frozen=True)
class MeasureOptions:
    """What is to be taken in of the samples."""

    first: int  # so many samples one by one, for roughness and quantiles
    terms: bool  # moments of edges and terms
    passes: bool  # what needs passes over edges and samples: mean |postact|, extremes
    full: bool  # whether these are to be told


class LayerSignal:
    """Accumulates what one layer does to the samples.

    Args:
        preacts, output: the values that enter and leave the layer; whoever made them takes them in.
        takes: what to look at, besides whether all values are finite.
        flat: an edge is flat whose std is at most so much of the rms over all edges of the layer.
    """

    def __init__(
        self, layer: KANLayer, preacts: NodeValues, output: NodeValues, *, options: MeasureOptions, flat: float
    ) -> None:
        self.model_layer, self.preacts, self.output, self.options, self.flat = layer, preacts, output, options, flat
        self.grid_low, self.grid_high = (each.cpu() for each in layer.grid_ends())  # [i], or [s, i]
        self.first = FirstSamples(options.first)
        self.terms = TermMoments(layer)
        self.n = 0
        self.off_grid: Array = np.zeros(())  # [s, i], counts
        self.sum_abs: Array = np.zeros(())  # [s, i, o]
        self.low: Array = np.full((), np.inf)  # [s, i, o], of the postacts
        self.high: Array = np.full((), -np.inf)
        self.bad: dict[str, Array] = {}  # by branch, counts of values that are not finite, [s, i, o]

    def update(self, trace: LayerTrace) -> None:
        """Take in the trace of one chunk of samples."""
        if not torch.isfinite(trace.output).all():
            self._count_non_finite(trace)
        self.n += trace.preacts.shape[-2]
        if not self.options.terms:
            return
        x, b, y, first = (
            _with_members(each, self.model_layer)
            for each in (trace.preacts, trace.base, trace.postacts, trace.terms.first)
        )
        self.terms.update(first, b, x)
        self.first.update(x, y)
        outside = (x < self.grid_low.unsqueeze(-2)) | (x > self.grid_high.unsqueeze(-2))
        self.off_grid = self.off_grid + outside.sum(dim=1).numpy()
        if self.options.passes:
            self._pass_over(y)

    def _count_non_finite(self, trace: LayerTrace) -> None:
        layer = self.model_layer
        branches = {
            "base": layer.scale_base.unsqueeze(-3) * trace.base.unsqueeze(-1),
            "spline": layer.scale_sp.unsqueeze(-3) * trace.spline,
            "sum": trace.postacts,
        }
        for name, each in branches.items():
            count = (~torch.isfinite(_with_members(each, layer))).sum(dim=1).numpy()
            self.bad[name] = self.bad.get(name, 0) + count

    def _pass_over(self, y: Tensor) -> None:
        for begin in range(0, y.shape[1], ROWS):
            block = y[:, begin : begin + ROWS].transpose(0, 1).double().contiguous().numpy()  # [n, s, i, o]
            self.low, self.high = np.minimum(self.low, block.min(axis=0)), np.maximum(self.high, block.max(axis=0))
            self.sum_abs = self.sum_abs + total(np.abs(block))

    @cached_property
    def edge_moments(self) -> EdgeMoments:
        coef, offset, scale_base = self.model_layer.weights()
        offset = torch.zeros_like(scale_base) if offset is None else offset
        return self.terms.edges(*(_leading(each.detach(), self.model_layer) for each in (coef, offset, scale_base)))

    @cached_property
    def _varies(self) -> Array:
        """Which edges do, `[s, i, o]`: none out of an input that does not."""
        return (self.edge_moments.variance > 0) & (self.preacts.moments.variance > 0)[..., None]

    @cached_property
    def _variance(self) -> Array:
        return np.where(self._varies | ~np.isfinite(self.edge_moments.variance), self.edge_moments.variance, 0.0)

    def ranges(self) -> EdgeRanges:
        """Of the first member."""
        low, high = self.preacts.moments.low[0], self.preacts.moments.high[0]
        return EdgeRanges(low, high, self.sum_abs[0] / self.n, np.sqrt(self._variance[0]))

    def non_finite(self) -> list[str | None]:
        """By member: edge and branch of the first postacts that are infinite or NaN, input by input; or the node whose
        sum, or whose value entering, is."""
        bad = ~(self.preacts.finite & self.output.finite)
        return [self._where(member) if each else None for member, each in enumerate(bad.tolist())]

    def _where(self, member: int) -> str:
        if self.bad and self.bad["sum"][member].any():
            source, target = np.argwhere(self.bad["sum"][member])[0]
            hit = [name for name in ("base", "spline") if self.bad[name][member, source, target]]
            branch = " and ".join(hit) or "sum of the two"
            count = self.bad["sum"][member, source, target]
            return f"edge {source} -> {target}, {branch} branch: not finite for {count} of {self.n} samples"
        if not self.preacts.finite[member]:
            return f"node {self.preacts.first_bad(member)} entering: not finite"
        node = self.output.first_bad(member)
        return f"node {node}: the sum of its incoming edges, each finite, is not finite"

    def why_undefined(self) -> list[str]:
        """By member, why a number of this layer has no value."""
        variances = [self.preacts.moments.variance, self.output.moments.variance]
        if self.options.terms:
            variances.append(self.edge_moments.variance)
        finite = np.logical_and.reduce([np.isfinite(_flat(each)).all(axis=1) for each in variances])
        return [
            "some values are not finite" if bad else "nothing varies" if good else "overflow in float64"
            for bad, good in zip(self.non_finite(), finite, strict=True)
        ]

    def layer(self) -> dict[str, object]:
        """The layer's statistics, `[s]` each: over samples and nodes, or samples and edges, taken together.

        `preacts`, `postacts`, `output`: mean, std, rms = sqrt(E[v^2]); min and max.
        `gain`: of the output over the preacts, `rms` the ratio of their rms, `variance` that of the mean variances of
            a node.
        `off_grid`: share of the values entering that lie outside the grid range.
        `empty_intervals`: share of grid intervals, over all inputs, that no sample lies in.
        `flat_edges`: share of edges whose std is at most `stats.flat` of the rms over all edges.
        `variance_share`: of the sum of the edges' variances, what is the base branches', the splines', and twice the
            covariances of the two.
        `spline_share`: sum of the spline branches' variances over the sum of both branches' variances.
        `nonlinearity`: 1 - R^2 of each edge's best straight line on the samples; mean and max over edges that vary.
        `edge_distance`: rms distance of two edges out of one input, over that of two that are orthogonal:
            sqrt((n_out sum_j E[phi_j^2] - E[(sum_j phi_j)^2]) / ((n_out - 1) sum_j E[phi_j^2])), sums also over the
            inputs. 0 where all edges out of an input are the same function.
        """
        moments = self.edge_moments
        base, spline, total_variance, covariance = (
            _flat(each).sum(axis=1)
            for each in (
                moments.base_variance,
                moments.spline_variance,
                self._variance,
                moments.branch_covariance,
            )
        )
        square = _flat(moments.square).sum(axis=1)
        n_out = self.model_layer.n_out
        apart = n_out * square - moments.node_square[..., 0].sum(axis=1)
        rms = np.sqrt(square / self._variance[0].size)
        flat = _flat(np.sqrt(self._variance) <= self.flat * rms[:, None, None]).mean(axis=1)
        entering, leaving = self.preacts.pooled(), self.output.pooled()
        found: dict[str, object] = {
            "preacts": entering,
            "postacts": pool(moments.mean, self._variance),
            "output": leaving,
            "gain": {
                "rms": _ratio(leaving["rms"], entering["rms"]),
                "variance": _ratio(
                    self.output.moments.variance.mean(axis=1), self.preacts.moments.variance.mean(axis=1)
                ),
            },
            "off_grid": self.off_grid.sum(axis=1) / self.model_layer.n_in / self.n,
            "empty_intervals": _flat(self.terms.visits == 0).mean(axis=1),
            "flat_edges": np.where(np.isfinite(rms), flat, np.nan),
            "spline_share": spline / (base + spline),
            "variance_share": {
                "base": base / total_variance,
                "spline": spline / total_variance,
                "covariance": 2 * covariance / total_variance,
            },
            "nonlinearity": _mean_and_max(self._nonlinearity),
            **self._order_of_layer(),
            **self.output.node_similarity(),
            "edge_distance": np.sqrt(np.maximum(apart, 0.0) / ((n_out - 1) * square)),
        }
        if self.options.full:
            mean_abs = _flat(self.sum_abs / self.n).mean(axis=1)
            extremes = {"min": _flat(self.low).min(axis=1), "max": _flat(self.high).max(axis=1)}
            found["postacts"] |= {"mean_abs": mean_abs, **extremes}  # pyright: ignore[reportOperatorIssue]
        return found

    def _order_of_layer(self) -> dict[str, object]:
        monotone = _flat(self._along_x["monotone"])
        varies = ~np.isnan(monotone)
        return {
            "roughness": _mean_and_max(self._along_x["roughness"]),
            "monotone": np.where(varies, monotone, 0.0).sum(axis=1) / varies.sum(axis=1),
        }

    @cached_property
    def _along_x(self) -> dict[str, Array]:
        return self.first.along_x()

    def nodes(self) -> dict[str, Array]:
        """Per node entering the layer, `[s, i]` each."""
        moments = self.preacts.moments
        return {
            "preact_mean": moments.mean,
            "preact_std": np.sqrt(moments.variance),
            "preact_rms": np.sqrt(moments.variance + moments.mean**2),
            "off_grid": self.off_grid / self.n,
            "empty_intervals": (self.terms.visits == 0).mean(axis=2),
        }

    def edges(self) -> dict[str, Array]:
        """Per edge, `[s, i, o]` each; slope and intercept are those of the best straight line on the samples."""
        moments = self.edge_moments
        x_variance = self.preacts.moments.variance[..., None]
        slope = np.where(x_variance == 0, np.nan, moments.x_covariance) / x_variance
        found = {
            "postact_mean": moments.mean,
            "postact_std": np.sqrt(self._variance),
            "postact_rms": np.sqrt(moments.square),
            "spline_share": moments.spline_variance / (moments.base_variance + moments.spline_variance),
            "nonlinearity": self._nonlinearity,
            "slope": slope,
            "intercept": moments.mean - slope * self.preacts.moments.mean[..., None],
            **self._along_x,
        }
        if self.options.full:
            found |= {
                "postact_mean_abs": self.sum_abs / self.n,
                "postact_min": self.low,
                "postact_max": self.high,
            }
        return found

    @cached_property
    def _nonlinearity(self) -> Array:
        explained = self.edge_moments.x_covariance**2 / self.preacts.moments.variance[..., None]
        unexplained = np.maximum(1 - explained / self.edge_moments.variance, 0.0)
        return np.where(self._varies, unexplained, np.nan)


def _leading(tensor: Tensor, layer: KANLayer) -> Tensor:
    """With the member axis, which a single model lacks."""
    return tensor.unsqueeze(0) if layer.n_members is None else tensor


def _with_members(tensor: Tensor, layer: KANLayer) -> Tensor:
    return _leading(tensor.detach(), layer).cpu()


def _ratio(one: Array, other: Array) -> Array:
    """NaN, not infinite, over 0."""
    return one / np.where(other == 0, np.nan, other)


def _flat(values: Array) -> Array:
    """`[s, ...]` to `[s, everything]`."""
    return values.reshape(len(values), -1)


def _mean_and_max(values: Array) -> dict[str, Array]:
    """Over edges that have a value, `[s, i, o]` to `[s]` each."""
    values = _flat(values)
    has = ~np.isnan(values)
    kept = np.where(has, values, 0.0)
    return {
        "mean": kept.sum(axis=1) / has.sum(axis=1),
        "max": np.where(has.any(axis=1), kept.max(axis=1), np.nan),
    }
