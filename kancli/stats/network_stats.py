"""Statistics of a network as arrays per layer and member, and their concatenation over members.

Shapes: s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kancli.stats.running_moments import Array

BELOW_ROUNDING = "below the rounding of float64: the samples vary too little for their mean"  # an undefined number


@dataclass(frozen=True)
class LayerStats:
    """Statistics of one layer, for all members; names are those of stats.json."""

    n_in: int
    n_out: int
    layer: dict[str, Any]  # [s] by name, or by name and name; a plain number holds for all members
    nodes: dict[str, Any]  # [s, i] by name, or by name and name
    edges: dict[str, Any]  # [s, i, o] by name, or by name and name
    undefined: list[str]  # by member, the reason why a number has no value
    non_finite: list[str | None]  # by member, the location of the first value that is infinite or NaN


@dataclass(frozen=True)
class EdgeRanges:
    """The range of the samples at each node and the strength of each edge, in one layer of one model, for figures."""

    low: Array  # [i]         least value entering
    high: Array  # [i]        greatest value entering
    mean_abs: Array  # [i, o] mean |postact|
    std: Array  # [i, o]      std of the postacts


@dataclass(frozen=True)
class NetworkStats:
    """Statistics of all members."""

    layers: list[LayerStats]
    network: dict[str, dict[str, Any]]  # `propagation`, `jacobian`, `ntk`, where measured: names to [s], or [s, n]

    def member(self, index: int) -> NetworkStats:
        """The statistics of one member, as those of a single model."""

        def select(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: select(entry) for name, entry in value.items()}
            return value[index : index + 1] if isinstance(value, (np.ndarray, list)) else value

        return NetworkStats([LayerStats(**select(vars(layer))) for layer in self.layers], select(self.network))


def join(parts: Sequence[NetworkStats]) -> NetworkStats:
    """Concatenate the statistics of groups of members."""

    def concatenate(values: Sequence[Any]) -> Any:
        first = values[0]
        if isinstance(first, Mapping):
            return {name: concatenate([value[name] for value in values]) for name in first}
        if isinstance(first, np.ndarray):
            return np.concatenate(values)
        return list(itertools.chain(*values)) if isinstance(first, list) else first

    layers = [
        LayerStats(**concatenate([vars(layer) for layer in groups]))
        for groups in zip(*(part.layers for part in parts), strict=True)
    ]
    return NetworkStats(layers, concatenate([part.network for part in parts]))


def non_finite(layers: Sequence[LayerStats]) -> dict[int, str]:
    """By member that has one, the location of the first value in forward order that is infinite or NaN."""
    locations: dict[int, str] = {}
    for number, layer in enumerate(layers):
        for member, message in enumerate(layer.non_finite):
            if message is not None:
                locations.setdefault(member, f"layer {number}, {message}")
    return dict(sorted(locations.items()))


def format_non_finite(locations: Mapping[int, str], ensemble: bool) -> str | None:
    """Describe the first of the locations that `non_finite` returns; None where there is none."""
    if not locations:
        return None
    member, location = next(iter(locations.items()))
    if not ensemble:
        return location
    return f"member {member}, {location}" + (f"; {len(locations)} members in all" if len(locations) > 1 else "")
