"""The result of a run, before anything is written."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kancli.config.settings import Settings
from kancli.figures.data import MAX_MEMBERS
from kancli.kan.basis_statistics import STANDARDISED, BasisStatistics
from kancli.kan.mlp import MLP
from kancli.kan.network import KAN
from kancli.runs.forward import ForwardResult
from kancli.runs.stopwatch import Stopwatch
from kancli.stats.network_stats import EdgeRanges, NetworkStats, format_non_finite, non_finite
from kancli.stats.stats_json import as_json, member_rows
from kancli.stats.verdicts import Verdict, judge
from kancli.training.curves import Curves


@dataclass(frozen=True)
class TrainingOutcome:
    """How the training of some members ended."""

    curves: Curves
    diverged: tuple[str | None, ...]  # why, by member; None for those that did not
    steps: int
    ended: str  # why: steps, stopped, minutes or interrupted
    kernel: str  # that computed: "torch" or "numba"

    @property
    def all_diverged(self) -> bool:
        """Whether no member has a result."""
        return None not in self.diverged

    def member(self, index: int) -> TrainingOutcome:
        """The outcome of one member."""
        return dataclasses.replace(self, curves=self.curves.member(index), diverged=self.diverged[index : index + 1])


@dataclass(frozen=True)
class Trained:
    """A run's network after training."""

    outcome: TrainingOutcome
    model: KAN | MLP
    after: Result | None  # over the run's inputs, with stats.after


@dataclass(frozen=True)
class Result:
    """A run's model, statistics and activations."""

    settings: Settings
    model: KAN | MLP
    basis_statistics: list[BasisStatistics | None]  # by layer; of an ensemble, the first members'
    network_stats: NetworkStats  # of all members
    stats: dict[str, Any]  # the contents of stats.json
    verdicts: list[Verdict]
    members: list[dict[str, Any]]  # the rows of members.csv; empty for a single model
    ranges: list[EdgeRanges]  # of the first member; empty without figures
    activations: dict[str, Tensor]  # of the first member, by the names of activations.safetensors; may be empty
    non_finite: str | None  # layer, edge and branch of the first value that is infinite or NaN
    seconds: Mapping[str, float]  # by part of the computation
    trained: Trained | None = None

    @functools.cached_property
    def figure_model(self) -> KAN | MLP:
        """The model with its basis statistics, or the first members of an ensemble: those in figures."""
        model = self.model.member(None if self.model.n_members is None else slice(0, MAX_MEMBERS))
        for layer, statistics in zip(model.layers, self.basis_statistics, strict=True):
            layer.basis_statistics = statistics
        return model


def parameters_of(model: KAN | MLP) -> dict[str, Tensor]:
    """By the names of params.safetensors; in an ensemble all have the member axis, shared knots too."""
    tensors = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    if model.n_members is not None and isinstance(model, KAN):
        for number, layer in enumerate(model.layers):
            if not layer.per_input_knots:
                tensors[f"layers.{number}.knots"] = layer.knots.cpu().expand(model.n_members, -1)
    return tensors


def metadata_of(model: KAN | MLP) -> dict[str, str] | None:
    """What the parameters do not show, for their file."""
    standardises = isinstance(model, KAN) and model.layers[0].standardise
    return {STANDARDISED: "true"} if standardises else None


def make_result(settings: Settings, model: KAN | MLP, forward: ForwardResult, watch: Stopwatch) -> Result:
    """Judge the statistics of a run and convert them to the contents of its files.

    Args:
        forward: of all members.
        watch: laps "report"; its seconds become the result's.
    """
    ensemble = model.n_members is not None
    verdicts = judge(forward.stats, vars(settings.verdicts), ensemble=ensemble)
    written = NetworkStats([], {}) if settings.stats.level == "none" else forward.stats
    stats = as_json(written, verdicts, epsilon=torch.finfo(model.like.dtype).eps, ensemble=ensemble)
    members = member_rows(written.layers, settings.seed) if ensemble else []
    location = format_non_finite(non_finite(forward.stats.layers), ensemble)
    watch.lap("report")
    return Result(
        settings=settings,
        model=model,
        basis_statistics=forward.basis_statistics,
        network_stats=forward.stats,
        stats=stats,
        verdicts=verdicts,
        members=members,
        ranges=forward.ranges,
        activations={name: tensor[0] for name, tensor in forward.activations.items()},
        non_finite=location,
        seconds=watch.seconds,
    )
