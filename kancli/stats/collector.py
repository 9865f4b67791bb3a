"""Collect the statistics of a network from traces that arrive chunk by chunk.

All sums are float64. Measuring reads the model and changes nothing. Infinities and 0/0 are reported by name and reason,
not by numpy's warnings.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from kancli.kan.layer import LayerTrace
from kancli.kan.network import KAN
from kancli.kan.shares import in_threads
from kancli.kan.threads import one_blas_thread
from kancli.stats import kernels
from kancli.stats.gradients import GradientStats
from kancli.stats.law_distance import Declared
from kancli.stats.layer_collector import LayerCollector, MeasureOptions
from kancli.stats.layer_stats import edge_statistics, layer_statistics, node_statistics
from kancli.stats.network_stats import EdgeRanges, LayerStats, NetworkStats
from kancli.stats.nodes import NodeValues
from kancli.stats.parameters import GridAdaptation, edge_parameters, parameter_statistics
from kancli.stats.propagation import propagation_statistics

# Postacts of a chunk, or coefficients, for which several layers are measured at a time: to wake a thread takes as long
# as to measure fewer, and the layers take memory together.
MIN_NUMBERS, MAX_NUMBERS = 2**15, 2**20


class Collector:
    """Accumulates traces of a model; `compute` returns the statistics.

    Args:
        declared: per layer, what the scheme's law declares for each tensor; None where no law is known.
        adaptations: per layer, what the adaptation of its grid changed; None where the grid was not adapted.
        level: "none" only checks that values are finite; "full" adds quantiles, extremes and mean |postact|.
        n_first: number of leading samples for roughness.
        n_quantiles: number of leading samples for quantiles, with level "full"; None for `n_first`.
        flat: an edge is flat if its std is at most this share of the rms over all edges of its layer.
        ranges: collect the `EdgeRanges` that figures need, at any level.
    """

    def __init__(
        self,
        model: KAN,
        declared: Sequence[Mapping[str, Declared]] | None = None,
        adaptations: Sequence[GridAdaptation] | None = None,
        *,
        level: str = "basic",
        n_first: int = 100,
        n_quantiles: int | None = None,
        flat: float = 1e-6,
        ranges: bool = False,
    ) -> None:
        self.model, self.level, self.has_ranges = model, level, ranges
        self.declared = [{}] * len(model.layers) if declared is None else declared
        self.adaptations = adaptations
        self.nodes = [NodeValues(similarity=level != "none") for _ in model.width]
        options = MeasureOptions.of(level, n_first=n_first, n_quantiles=n_quantiles, flat=flat, ranges=ranges)
        self.layers = [
            LayerCollector(layer, preacts, output, options, laws)
            for layer, (preacts, output), laws in zip(
                model.layers, itertools.pairwise(self.nodes), self.declared, strict=True
            )
        ]

    @np.errstate(all="ignore")
    def update(self, traces: Sequence[LayerTrace]) -> None:
        """Accumulate one chunk of samples: a trace for each layer."""
        kernels.count(sum(trace.preacts.numel() for trace in traces))
        is_single = self.model.n_members is None
        values = [trace.preacts for trace in traces] + [traces[-1].output]
        values = [(tensor.unsqueeze(0) if is_single else tensor).detach().cpu() for tensor in values]
        with one_blas_thread():
            for nodes, tensor in zip(self.nodes, values, strict=True):
                nodes.update(tensor)
            reads_postacts = self.level != "none" or self.has_ranges
            n_postacts = sum(trace.preacts.numel() * trace.output.shape[-1] for trace in traces) * reads_postacts
            self._for_layers(lambda number: self.layers[number].update(traces[number]), n_postacts)

    @np.errstate(all="ignore")
    def compute(self, gradients: GradientStats | None = None) -> tuple[NetworkStats, list[EdgeRanges]]:
        """Compute the statistics of all samples so far.

        Args:
            gradients: statistics of the backward pass, to be included.

        Returns:
            The statistics of all members, and per layer the ranges of the first one; no ranges unless they were asked
            for.
        """
        n_coefs = sum(layer.coef.numel() for layer in self.model.layers)
        layers = self._for_layers(lambda number: self._layer_stats(number, gradients), n_coefs)
        network = {}
        if self.level != "none":
            network["propagation"] = propagation_statistics(self.nodes, gradients)
            if gradients is not None:
                network |= {"jacobian": gradients.jacobian, "ntk": gradients.ntk}
        return NetworkStats(layers, network), [layer.ranges() for layer in self.layers if self.has_ranges]

    def _for_layers(self, work: Callable[[int], Any], n_numbers: int) -> list[Any]:
        """Call `work` with the number of each layer, on several threads if that pays; return what it returns.

        Args:
            n_numbers: of all layers, which several threads hold at a time.
        """
        found: dict[int, Any] = {}

        def some_layers(first: int, last: int) -> None:
            with torch.no_grad(), np.errstate(all="ignore"):  # each thread has modes of its own
                for number in range(first, last):
                    found[number] = work(number)

        if MIN_NUMBERS <= n_numbers <= MAX_NUMBERS:
            in_threads(some_layers, len(self.layers))
        else:
            some_layers(0, len(self.layers))
        return [found[number] for number in range(len(self.layers))]

    def _layer_stats(self, number: int, gradients: GradientStats | None) -> LayerStats:
        samples = self.layers[number]
        layer: dict[str, Any] = {}
        nodes: dict[str, Any] = {}
        edges: dict[str, Any] = {}
        if self.level != "none":
            layer |= parameter_statistics(samples.layer, self.declared[number], quantiles=self.level == "full")
            if self.adaptations is not None:
                layer |= vars(self.adaptations[number])
            layer |= layer_statistics(samples)
            nodes |= node_statistics(samples)
            edges |= {**edge_parameters(samples.layer), **edge_statistics(samples)}
        if gradients is not None:
            layer |= gradients.layers[number]
            slopes = gradients.slopes[number]
            layer["backward"] = {"law": samples.budget.backward(slopes), "measured": slopes.square}
            nodes["gradient"] = gradients.nodes[number]
        return LayerStats(
            n_in=samples.layer.n_in,
            n_out=samples.layer.n_out,
            layer=layer,
            nodes=nodes,
            edges=edges,
            undefined=samples.undefined_reasons(),
            non_finite=samples.non_finite.messages(),
        )
