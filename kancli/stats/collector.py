"""What an initialisation did, in numbers: parameters, signal and symmetry from traces that arrive chunk by chunk, and
gradients and kernel from the first samples.

All sums are float64. Measuring reads the model and changes nothing. Shapes: s members (1 for a single model), i inputs,
o outputs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kancli.kan.layer import LayerTrace
from kancli.kan.network import KAN
from kancli.stats.gradients import Backward
from kancli.stats.layer_stats import EdgeRanges, LayerSignal, MeasureOptions
from kancli.stats.network_stats import LayerStats, NetworkStats
from kancli.stats.nodes import NodeValues
from kancli.stats.parameters import Declared, edge_parameters, parameters
from kancli.stats.running_moments import Array

_QUIET = np.errstate(all="ignore")  # infinities and 0/0 are reported by name and reason, not by warnings


class Collector:
    """Takes in the traces of a model chunk by chunk, then tells what happened.

    Args:
        declared: per layer, what the scheme's law says of each tensor; leave out where no law is known.
        more: per layer, further statistics to tell of it, `[s]` each, by name.
        level: "none" looks for values that are not finite only, "full" takes quantiles, extremes and mean |postact|.
        first: how many samples roughness and quantiles are taken over.
        flat: an edge is flat whose std is at most so much of the rms over all edges of its layer.
        scopes: whether what the figures need is wanted, whatever the level.
    """

    def __init__(
        self,
        model: KAN,
        declared: Sequence[Mapping[str, Declared]] | None = None,
        more: Sequence[dict[str, Any]] | None = None,
        *,
        level: str = "basic",
        first: int = 100,
        flat: float = 1e-6,
        ranges: bool = False,
    ) -> None:
        self.model, self.level = model, level
        self.declared = [{}] * len(model.layers) if declared is None else declared
        self.more = [{}] * len(model.layers) if more is None else more
        measures = level != "none"
        self.nodes = [NodeValues(alike=measures and number > 0) for number in range(len(model.width))]
        full = level == "full"
        options = MeasureOptions(first if measures else 0, terms=measures or ranges, passes=full or ranges, full=full)
        self.signals = [
            LayerSignal(layer, *ends, options=options, flat=flat)
            for layer, ends in zip(model.layers, itertools.pairwise(self.nodes), strict=True)
        ]

    @_QUIET
    def update(self, traces: Sequence[LayerTrace]) -> None:
        """Take in one chunk of samples: a trace for each layer."""
        single = self.model.n_members is None
        values = [each.preacts for each in traces] + [traces[-1].output]
        for nodes, each in zip(self.nodes, values, strict=True):
            nodes.update((each.unsqueeze(0) if single else each).detach().cpu())
        for signal, trace in zip(self.signals, traces, strict=True):
            signal.update(trace)

    @_QUIET
    def ranges(self) -> list[EdgeRanges]:
        """What the figures need, of the first member: range and strength, layer by layer."""
        return [signal.ranges() for signal in self.signals]

    @_QUIET
    def found(self, back: Backward | None = None) -> NetworkStats:
        """All statistics; with those of the way back where it was gone."""
        layers = [self._layer(number, back) for number in range(len(self.signals))]
        if self.level == "none":
            return NetworkStats(layers, {})
        network = {"propagation": self._propagation(back)}
        if back is not None:
            network |= {"jacobian": back.jacobian, "ntk": back.ntk}
        return NetworkStats(layers, network)

    def _layer(self, number: int, back: Backward | None) -> LayerStats:
        signal, layer = self.signals[number], self.model.layers[number]
        told: tuple[dict[str, Any], ...] = {}, {}, {}  # of the layer, its nodes, its edges
        if self.level != "none":
            drawn = parameters(layer, self.declared[number], quantiles=self.level == "full")
            told = (
                {**drawn, **self.more[number], **signal.layer()},
                signal.nodes(),
                {**edge_parameters(layer), **signal.edges()},
            )
        if self.level == "full":
            for each, quantiles in zip(told, signal.first.quantiles(), strict=True):
                _put_in(each, quantiles)
        if back is not None:
            _put_in(told[0], back.layers[number])
            told[1]["gradient"] = back.nodes[number]
        return LayerStats(layer.n_in, layer.n_out, *told, signal.why_undefined(), signal.non_finite())

    def _propagation(self, back: Backward | None) -> dict[str, Array]:
        """How fast signal and gradient grow with depth, `[s]` each.

        `signal`: slope of the least-squares line through log sqrt(mean variance of a node) against the layer, 0 for
            the inputs, as in a coordinate check (Yang et al. 2022): -0.1 is a loss of about 10 % a layer.
        `gradient`: the same of the log rms gradient by the nodes' values, counted from the outputs back.
        `signal_ratio`: the std of the outputs over that of the inputs; `gradient_ratio`: the rms gradient by the
            inputs over that by the outputs.
        """
        stds = np.stack([np.sqrt(each.moments.variance.mean(axis=1)) for each in self.nodes], axis=-1)  # [s, L + 1]
        told = {"signal": growth_slope(stds), "signal_ratio": stds[:, -1] / stds[:, 0]}
        if back is not None:
            values = [each["gradient"]["values"] for each in back.layers]
            last = values[-1] / back.layers[-1]["gradient_gain"]
            gradients = np.stack([*values, last], axis=-1)[:, ::-1]  # [s, L + 1]
            told |= {"gradient": growth_slope(gradients), "gradient_ratio": gradients[:, -1] / gradients[:, 0]}
        return told


def growth_slope(sizes: Array) -> Array:
    """Of the log of `[s, l]` against l."""
    steps = np.arange(sizes.shape[-1]) - (sizes.shape[-1] - 1) / 2
    return (_log(sizes) * steps).sum(axis=-1) / (steps**2).sum()


def _log(values: Array) -> Array:
    """The natural log, number by number: the last bit of numpy's depends on where in memory a number lies."""
    return np.array([math.log(value) if value > 0 else np.log(value) for value in values.flat]).reshape(values.shape)


def _put_in(told: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add entries to a dict of dicts."""
    for name, each in more.items():
        told[name] = {**told[name], **each} if isinstance(told.get(name), Mapping) else each
