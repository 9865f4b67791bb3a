"""The result of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from kancli.config.settings import Settings
from kancli.kan.network import KAN
from kancli.stats.network_stats import EdgeRanges, NetworkStats
from kancli.stats.verdicts import Verdict


@dataclass(frozen=True)
class Result:
    """A run's model, statistics and activations, before anything is written."""

    settings: Settings
    model: KAN
    figure_model: KAN  # the model itself, or an ensemble's first members: those in figures
    found: NetworkStats  # of every member
    stats: dict[str, Any]  # the contents of stats.json
    verdicts: list[Verdict]
    members: list[dict[str, Any]]  # the rows of members.csv; empty for a single model
    ranges: list[EdgeRanges]  # of the first member
    activations: dict[str, Tensor]  # of the first member, by the names of activations.safetensors; empty for none
    non_finite: str | None  # layer, edge and branch of the first value that is infinite or NaN
    seconds: Mapping[str, float]  # of each part of the computation

    def parameters(self) -> dict[str, Tensor]:
        """By the names of params.safetensors; in an ensemble each with the member axis, shared knots too."""
        tensors = {name: tensor.detach().cpu() for name, tensor in self.model.state_dict().items()}
        members = self.model.n_members
        if members is not None:
            for number, layer in enumerate(self.model.layers):
                if not layer.per_input_knots:
                    tensors[f"layers.{number}.knots"] = layer.knots.cpu().expand(members, -1)
        return tensors
