"""Accumulate one layer's traces, chunk by chunk; `layer_stats` turns the sums into statistics.

Shapes: n samples, s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kancli.kan.cached import cached_property
from kancli.kan.layer import KANLayer, LayerTrace
from kancli.stats import kernels
from kancli.stats.curvature import edge_curvature
from kancli.stats.edge_moments import BasisMoments, EdgeMoments
from kancli.stats.law_distance import Declared
from kancli.stats.layer_budget import LayerBudget
from kancli.stats.network_stats import BELOW_ROUNDING, EdgeRanges
from kancli.stats.nodes import NodeValues
from kancli.stats.non_finite import NonFiniteCounts, with_member_axis
from kancli.stats.parameters import as_array
from kancli.stats.running_moments import Array, total
from kancli.stats.sorted_samples import FirstSamples, along_x, quantiles

MIN_PRECISION = 10  # a nonlinearity is at least this times its rounding error, or unknown
MIN_NONLINEARITY = 1e-8  # what is smaller is known to be small
MAX_ROUNDING = 0.02  # of a variance, 1 % of the std
BLOCK_SAMPLES = 64  # samples whose postacts are converted to float64 at a time


@dataclass(frozen=True)
class MeasureOptions:
    """What to accumulate besides counts of non-finite values."""

    n_first: int  # leading samples for roughness
    n_quantiles: int  # leading samples for quantiles
    flat: float  # an edge is flat if its std is at most this share of the rms over all edges of the layer
    moments: bool  # moments of the bases, from which those of the edges follow
    extremes: bool  # mean |postact| and extremes, which need a pass over edges and samples
    full: bool  # compute the statistics marked "full"

    @classmethod
    def of(
        cls, level: str, *, n_first: int, n_quantiles: int | None = None, flat: float, ranges: bool
    ) -> MeasureOptions:
        """The options for a level of `stats.level`; `ranges` adds what `EdgeRanges` needs."""
        measures, full = level != "none", level == "full"
        n_first = n_first if measures else 0
        n_quantiles = (n_first if n_quantiles is None else n_quantiles) if full else 0
        return cls(n_first, n_quantiles, flat, moments=measures or ranges, extremes=full or ranges, full=full)


class LayerCollector:
    """Accumulates the traces of one layer.

    Args:
        preacts, output: the values entering and leaving the layer, accumulated by the caller.
        declared: what the scheme's law declares, by tensor.
    """

    def __init__(
        self,
        layer: KANLayer,
        preacts: NodeValues,
        output: NodeValues,
        options: MeasureOptions,
        declared: Mapping[str, Declared],
    ) -> None:
        self.layer, self.preacts, self.output, self.options = layer, preacts, output, options
        self.budget = LayerBudget(layer, declared)
        self.non_finite = NonFiniteCounts(layer, preacts, output)
        self.along_x = FirstSamples(options.n_first, along_x)
        self.quantiles = FirstSamples(options.n_quantiles, quantiles)
        self.basis_moments = BasisMoments(layer)
        self.grid_ends = [as_array(end).reshape(-1, layer.n_in) for end in layer.grid_ends()]  # [1, i], or [s, i]
        self.n = 0
        shape = (layer.n_members or 1, layer.n_in, layer.n_out) if options.extremes else ()
        self.off_grid: Array = np.zeros(())  # [s, i], counts
        self.sum_abs: Array = np.zeros(shape)  # [s, i, o], of the postacts
        self.low: Array = np.full(shape, np.inf)
        self.high: Array = np.full(shape, -np.inf)

    def update(self, trace: LayerTrace) -> None:
        """Accumulate one chunk of samples."""
        self.non_finite.update(trace)
        self.n += trace.preacts.shape[-2]
        if not self.options.moments:
            return
        x, b, first_basis = map(self._as_array, (trace.preacts, trace.base, trace.terms.first))
        self.basis_moments.update(first_basis, b, x)
        self.budget.update(b)
        self.off_grid = self.off_grid + self._count_outside(x)
        n_wanted = max(self.along_x.n_wanted, self.quantiles.n_wanted)
        if n_wanted or self.options.extremes:
            y = self._as_array(trace.postacts if self.options.extremes else trace.leading_postacts(n_wanted))
            self.along_x.update(x, y)
            self.quantiles.update(x, y)
            if self.options.extremes:
                self._update_extremes(y)

    def _as_array(self, tensor: Tensor) -> Array:
        """With the member axis."""
        return with_member_axis(tensor, self.layer).cpu().numpy()

    def _count_outside(self, x: Array) -> Array:
        """By input the number of samples beyond the grid, `[s, i]`."""
        low, high = self.grid_ends
        if (compiled := kernels.loaded(x)) is None:
            return ((x < low[:, None]) | (x > high[:, None])).sum(axis=1)
        counts = np.zeros((len(x), x.shape[2]), np.int64)
        compiled.count_outside(np.ascontiguousarray(x), low, high, counts)
        return counts

    def _update_extremes(self, y: Array) -> None:
        if (compiled := kernels.loaded(y)) is not None:
            compiled.edge_extremes(np.ascontiguousarray(y), BLOCK_SAMPLES, self.sum_abs, self.low, self.high)
            return
        for begin in range(0, y.shape[1], BLOCK_SAMPLES):
            block = np.ascontiguousarray(y[:, begin : begin + BLOCK_SAMPLES].swapaxes(0, 1), np.float64)  # [n, s, i, o]
            self.low, self.high = np.minimum(self.low, block.min(axis=0)), np.maximum(self.high, block.max(axis=0))
            self.sum_abs = self.sum_abs + total(np.abs(block))

    # Computed once, after the last update.

    @cached_property
    def edge_moments(self) -> EdgeMoments:
        coef, offset, scale_base = self.layer.weights()
        offset = torch.zeros_like(scale_base) if offset is None else offset
        tensors = (with_member_axis(tensor, self.layer) for tensor in (coef, offset, scale_base))
        return self.basis_moments.edges(*tensors)

    @cached_property
    def varies(self) -> Array:
        """Whether each edge varies, `[s, i, o]`: none out of a constant input does."""
        return (self.edge_moments.variance > 0) & (self.preacts.moments.variance > 0)[..., None]

    @cached_property
    def variance(self) -> Array:
        """Variances of the edges, `[s, i, o]`: 0 where an edge does not vary."""
        variance = self.edge_moments.variance
        return np.where(self.varies | ~np.isfinite(variance), variance, 0.0)

    @cached_property
    def nonlinearity(self) -> Array:
        """1 - R^2 of each edge's best straight line on the samples, `[s, i, o]`; NaN for edges that do not vary, or
        whose number is below the rounding of their variance."""
        explained = self.edge_moments.x_covariance**2 / self.preacts.moments.variance[..., None]
        unexplained = np.maximum(1 - explained / self.edge_moments.variance, 0.0)
        floor = MIN_PRECISION * self.rounding
        return np.where(self.varies & ((unexplained > floor) | (floor < MIN_NONLINEARITY)), unexplained, np.nan)

    @cached_property
    def rounding(self) -> Array:
        """Bound of the relative rounding error of each edge's variance, `[s, i, o]`; 0 where it does not vary."""
        return np.where(self.varies, self.edge_moments.rounding / self.edge_moments.variance, 0.0)

    @cached_property
    def known_variance(self) -> Array:
        """`variance`, NaN where rounding leaves less than two digits."""
        return np.where(self.rounding <= MAX_ROUNDING, self.variance, np.nan)

    @cached_property
    def curvature(self) -> Array:
        """The integral of phi''^2 over the grid of each edge, `[s, i, o]`."""
        return edge_curvature(self.layer)

    def ranges(self) -> EdgeRanges:
        """The ranges of the first member."""
        low, high = self.preacts.moments.low[0], self.preacts.moments.high[0]
        return EdgeRanges(low, high, self.sum_abs[0] / self.n, np.sqrt(self.variance[0]))

    def undefined_reasons(self) -> list[str]:
        """By member, the reason why a number of this layer has no value."""
        variances = [self.preacts.moments.variance, self.output.moments.variance]
        if self.options.moments:
            variances.append(self.edge_moments.variance)
        no_overflow = np.logical_and.reduce(
            [np.isfinite(variance.reshape(len(variance), -1)).all(axis=1) for variance in variances]
        )
        below_rounding = np.zeros(len(no_overflow), bool)
        if self.options.moments:
            below_rounding = np.any(self.varies & np.isnan(self.nonlinearity), axis=(1, 2))
        return [
            _undefined_reason(message is None, is_finite, is_below)
            for message, is_finite, is_below in zip(
                self.non_finite.messages(), no_overflow.tolist(), below_rounding.tolist(), strict=True
            )
        ]


def _undefined_reason(is_finite: bool, sums_are_finite: bool, below_rounding: bool) -> str:
    if not is_finite:
        return "some values are not finite"
    if not sums_are_finite:
        return "overflow in float64"
    return BELOW_ROUNDING if below_rounding else "nothing varies"
