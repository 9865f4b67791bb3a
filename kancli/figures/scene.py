"""What figures are drawn from, whether the run has just been made or is read from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from kancli.model import KAN
    from kancli.stats import LayerScope


class NothingToDrawError(ValueError):
    """A figure cannot be drawn from this run; the message says what it lacks and what to type."""


@dataclass(frozen=True)
class Scene:
    """A run as far as figures need it."""

    model: KAN  # a single model: of an ensemble, the first member
    scopes: list[LayerScope]  # per layer, the range that its samples covered and the strength of every edge
    stats: Mapping[str, Any] = field(default_factory=dict)  # the contents of stats.json
    activations: Mapping[str, Tensor] = field(default_factory=dict)  # of the first member, as they were kept
