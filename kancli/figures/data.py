"""What figures are drawn from, whether the run has just been made or is read from its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from kancli.inits.laws import Law
    from kancli.kan.network import KAN
    from kancli.stats.network_stats import EdgeRanges


class NothingToDrawError(ValueError):
    """A figure cannot be drawn from this run; the message says what it lacks and what to type."""


Array = np.ndarray

MAX_MEMBERS = 50  # of an ensemble, shown by figures that show members


@dataclass(frozen=True)
class FigureData:
    """A run as far as figures need it."""

    model: KAN  # of an ensemble, the first members
    ranges: list[EdgeRanges]  # per layer, the range that its samples covered and the strength of every edge
    stats: Mapping[str, Any] = field(default_factory=dict)  # the contents of stats.json
    activations: Mapping[str, Tensor] = field(default_factory=dict)  # as they were kept
    laws: Sequence[Mapping[str, Law]] = ()  # per layer, that of each tensor where there is one
    n_members: int = 1  # of the whole ensemble

    # Scopes and activations are of the first member.

    @cached_property
    def first(self) -> KAN:
        """The model, or the first member: the one in scopes and activations."""
        return self.model.member(None if self.model.n_members is None else 0)

    def members(self) -> Iterator[KAN]:
        """The model, or the first members one by one."""
        if self.model.n_members is None:
            yield self.model
        else:
            yield from (self.model.member(number) for number in range(self.model.n_members))

    def range(self, number: int) -> tuple[Array, Array]:
        """Least and greatest value that entered each node of layer `number`, `[i]` each. Where the samples were not all
        finite, of those kept that are; NaN where there is none."""
        edge_ranges, samples = self.ranges[number], self.samples(number)
        low, high = edge_ranges.low, edge_ranges.high
        bad = ~(np.isfinite(low) & np.isfinite(high))
        if not bad.any():
            return low, high
        values = np.full((1, len(low)), np.nan) if samples is None else samples.double().cpu().numpy()
        finite = np.where(np.isfinite(values), values, np.nan)
        least, most = (find.reduce(finite) for find in (np.fmin, np.fmax))  # both pass over NaN
        return np.where(bad, least, low), np.where(bad, most, high)

    def samples(self, number: int) -> Tensor | None:
        """What entered layer `number`, `[n, i]`, where it was kept."""
        return self.activations.get("inputs" if number == 0 else f"layers.{number}.preacts")
