"""What was found out, by number, layer and member; joined over members, and told in plain values.

Shapes: s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kancli.stats.running_moments import Array


@dataclass(frozen=True)
class LayerStats:
    """All that was found out about one layer of every member."""

    n_in: int
    n_out: int
    layer: dict[str, Any]  # names, or names of names, to [s]; plain numbers hold for all members
    nodes: dict[str, Array]  # [s, i]
    edges: dict[str, Array]  # [s, i, o]
    undefined: list[str]  # by member, why a number of it has no value
    non_finite: list[str | None]  # by member, where the first value is that is infinite or NaN


@dataclass(frozen=True)
class NetworkStats:
    """All that was found out about every member."""

    layers: list[LayerStats]
    network: dict[str, dict[str, Array]]  # `propagation`, `jacobian`, `ntk`, where measured: names to [s], or [s, n]

    def member(self, index: int) -> NetworkStats:
        """What was found out about one of them, as if it had been alone."""

        def picked(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: picked(each) for name, each in value.items()}
            return value[index : index + 1] if isinstance(value, (np.ndarray, list)) else value

        return NetworkStats([LayerStats(**picked(vars(layer))) for layer in self.layers], picked(self.network))


def join(parts: Sequence[NetworkStats]) -> NetworkStats:
    """What was found out about some members after what was found out about others."""

    def joined(values: Sequence[Any]) -> Any:
        first = values[0]
        if isinstance(first, Mapping):
            return {name: joined([each[name] for each in values]) for name in first}
        if isinstance(first, np.ndarray):
            return np.concatenate(values)
        return list(itertools.chain(*values)) if isinstance(first, list) else first

    layers = [
        LayerStats(**joined([vars(each) for each in same]))
        for same in zip(*(part.layers for part in parts), strict=True)
    ]
    return NetworkStats(layers, joined([part.network for part in parts]))


def non_finite(layers: Sequence[LayerStats]) -> dict[int, str]:
    """Layer, edge and branch of the first value that is infinite or NaN, in forward order, by member that has one."""
    found: dict[int, str] = {}
    for number, layer in enumerate(layers):
        for member, where in enumerate(layer.non_finite):
            if where is not None:
                found.setdefault(member, f"layer {number}, {where}")
    return dict(sorted(found.items()))


def format_non_finite(bad: Mapping[int, str], ensemble: bool) -> str | None:
    """The first value that is infinite or NaN, in words; None where there is none."""
    if not bad:
        return None
    member, where = next(iter(bad.items()))
    if not ensemble:
        return where
    return f"member {member}, {where}" + (f"; {len(bad)} members in all" if len(bad) > 1 else "")
