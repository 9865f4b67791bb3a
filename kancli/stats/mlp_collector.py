"""The statistics of an MLP: those of a KAN's that need neither splines nor edges, by the same names and definitions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kancli.kan.mlp import MLP, MLPTrace
from kancli.stats.gradients import GradientStats
from kancli.stats.law_distance import Declared
from kancli.stats.layer_stats import gain_of, node_moments
from kancli.stats.network_stats import EdgeRanges, LayerStats, NetworkStats
from kancli.stats.nodes import NodeValues, node_distance
from kancli.stats.parameters import parameter_statistics
from kancli.stats.propagation import propagation_statistics


class MLPCollector:
    """Accumulates traces of an MLP; `compute` returns the statistics.

    Args:
        declared: per layer, what the law declares for each tensor; empty where no law is known.
        level: "none" only checks that values are finite; "full" adds quantiles of the parameters.
    """

    def __init__(self, model: MLP, declared: Sequence[Mapping[str, Declared]], *, level: str) -> None:
        self.model, self.declared, self.level = model, declared, level
        self.nodes = [NodeValues(similarity=level != "none") for _ in model.width]

    @np.errstate(all="ignore")
    def update(self, traces: Sequence[MLPTrace]) -> None:
        """Accumulate one chunk of samples: a trace for each layer."""
        is_single = self.model.n_members is None
        values = [trace.preacts for trace in traces] + [traces[-1].output]
        for nodes, tensor in zip(self.nodes, values, strict=True):
            nodes.update((tensor.unsqueeze(0) if is_single else tensor).detach().cpu())

    @np.errstate(all="ignore")
    def compute(self, gradients: GradientStats | None) -> tuple[NetworkStats, list[EdgeRanges]]:
        """Compute the statistics of all samples so far, as `Collector.compute`; an MLP has no ranges.

        Args:
            gradients: statistics of the backward pass, to be included.
        """
        layers = [
            self._layer_stats(number, entering, leaving, gradients)
            for number, (entering, leaving) in enumerate(itertools.pairwise(self.nodes))
        ]
        network = {} if self.level == "none" else {"propagation": propagation_statistics(self.nodes, gradients)}
        if gradients is not None:
            network |= {"jacobian": gradients.jacobian, "ntk": gradients.ntk}
        return NetworkStats(layers, network), []

    def _layer_stats(
        self, number: int, entering: NodeValues, leaving: NodeValues, gradients: GradientStats | None
    ) -> LayerStats:
        layer, stats, nodes = self.model.layers[number], dict[str, Any](), dict[str, Any]()
        if self.level != "none":
            stats = {
                **parameter_statistics(layer, self.declared[number], quantiles=self.level == "full"),
                "preacts": entering.pooled(),
                "output": leaving.pooled(),
                "gain": gain_of(entering, leaving),
                **leaving.similarity_statistics(),
                "node_distance": node_distance(entering, leaving),
            }
            nodes = dict(node_moments(entering))
        if gradients is not None:
            stats |= gradients.layers[number]
            nodes["gradient"] = gradients.nodes[number]
        messages = [_non_finite(entering, leaving, member) for member in range(len(leaving.finite))]
        variances = (np.isfinite(values.moments.variance).all(axis=1) for values in (entering, leaving))
        no_overflow = np.logical_and.reduce(list(variances))
        undefined = [
            "some values are not finite" if message else "nothing varies" if is_finite else "overflow in float64"
            for message, is_finite in zip(messages, no_overflow.tolist(), strict=True)
        ]
        return LayerStats(layer.n_in, layer.n_out, stats, nodes, {}, undefined, messages)


def _non_finite(entering: NodeValues, leaving: NodeValues, member: int) -> str | None:
    """The first node with a value that is infinite or NaN."""
    if not entering.finite[member]:
        return f"node {entering.first_non_finite(member)} entering: not finite"
    return None if leaving.finite[member] else f"node {leaving.first_non_finite(member)}: not finite"
