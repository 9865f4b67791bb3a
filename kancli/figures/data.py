"""The input of figures: a run, in memory or read from its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from kancli.inits.laws import Law
    from kancli.kan.layered import LayeredNetwork
    from kancli.kan.network import KAN
    from kancli.stats.network_stats import EdgeRanges
    from kancli.training.curves import Curves


class NothingToDrawError(ValueError):
    """The run lacks the data for a figure; the message names the data and the option that records it."""


Array = np.ndarray

MAX_MEMBERS = 50  # of an ensemble, that figures show


@dataclass(frozen=True)
class FigureData:
    """The data of one run that figures draw. Ranges and activations are those of the first member."""

    model: LayeredNetwork  # the model, or the first members of an ensemble
    ranges: list[EdgeRanges]  # by layer, input ranges and edge scores
    stats: Mapping[str, Any] = field(default_factory=dict)  # the contents of stats.json
    activations: Mapping[str, Tensor] = field(default_factory=dict)  # as in activations.safetensors
    laws: Sequence[Mapping[str, Law]] = ()  # by layer and tensor; tensors without a law are absent
    n_members: int = 1  # of the full ensemble
    bounds: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)  # of the verdicts, by name
    training: TrainingData | None = None

    @property
    def is_kan(self) -> bool:
        """Whether the model has splines."""
        from kancli.kan.network import KAN  # with torch

        return isinstance(self.model, KAN)

    @property
    def kan(self) -> KAN:
        """The model, of a figure that shows splines or edges."""
        from kancli.kan.network import as_kan  # with torch

        return as_kan(self.model)

    @cached_property
    def first_member(self) -> KAN:
        """The model, or the first member of an ensemble."""
        return self.kan.member(None if self.model.n_members is None else 0)

    def members(self) -> Iterator[KAN]:
        """Iterate over the model, or over the first members."""
        if self.model.n_members is None:
            yield self.kan
        else:
            yield from map(self.kan.member, range(self.model.n_members))

    def preact_range(self, layer_index: int) -> tuple[Array, Array]:
        """Lowest and highest preactivation of each node, `[i]` each.

        Where one of them is not finite, the range of the finite activations that were kept; NaN if there are none.
        """
        low, high = self.ranges[layer_index].low, self.ranges[layer_index].high
        non_finite = ~(np.isfinite(low) & np.isfinite(high))
        if not non_finite.any():
            return low, high
        preacts = self.preacts(layer_index)
        values = np.full((1, len(low)), np.nan) if preacts is None else preacts.double().cpu().numpy()
        finite = np.where(np.isfinite(values), values, np.nan)
        # fmin and fmax ignore NaN.
        return (
            np.where(non_finite, np.fmin.reduce(finite), low),
            np.where(non_finite, np.fmax.reduce(finite), high),
        )

    def preacts(self, layer_index: int) -> Tensor | None:
        """The preactivations of a layer that were kept, `[n, i]`."""
        return self.activations.get("inputs" if layer_index == 0 else f"layers.{layer_index}.preacts")


@dataclass(frozen=True)
class Fit:
    """Target and prediction of the first member at some points."""

    x: Array  # [n, n_0]
    target: Array  # [n, n_L]
    prediction: Array  # [n, n_L]
    samples: tuple[Array, Array] | None = None  # some of the training samples, x [m, n_0] and y [m, n_L]


@dataclass(frozen=True)
class TrainingData:
    """What training adds to a run's figures."""

    label: str  # of the task
    curves: Curves
    fit: Fit
    trained: FigureData  # the network after training


@dataclass(frozen=True)
class VerdictTable:
    """The numbers of one verdict over one or two swept keys."""

    axes: Mapping[str, list[str]]  # the values of each key, in the order of the jobs
    numbers: Mapping[str, Array]  # mean, and low and high if known; of the shape of the axes, NaN for missing


@dataclass(frozen=True)
class DepthProfile:
    """Signal and gradient of one run by layer, or of several runs together."""

    name: str
    values: Mapping[str, Mapping[str, Array]]  # "signal", "gradient": `middle`, and over seeds `low`, `high`; [L + 1]
    slopes: Mapping[str, float | None]  # of their logs against the layer


def depth_profile(stats: Mapping[str, Any]) -> DepthProfile | None:
    """The profile of one run from the contents of stats.json; None where it has none.

    Raises:
        ValueError: its lists do not have an entry for each layer.
    """
    propagation = stats.get("propagation") or {}
    measured = [name for name in ("signal", "gradient") if propagation.get(f"{name}_by_layer") is not None]
    values = {name: _by_layer(propagation[f"{name}_by_layer"], len(stats["layers"]) + 1) for name in measured}
    slopes = {name: slope["mean"] if isinstance(slope, Mapping) else slope
              for name in measured if (slope := propagation.get(name)) is not None}  # fmt: skip
    return DepthProfile("", values, slopes) if values else None


def _by_layer(entry: Any, count: int) -> dict[str, Array]:
    is_ensemble = isinstance(entry, Mapping)
    columns = {"middle": entry["q50"], "low": entry["q05"], "high": entry["q95"]} if is_ensemble else {"middle": entry}
    return {name: np.array(column, dtype=float).reshape(count) for name, column in columns.items()}
