"""What a training run hands back: rows of losses, why members stopped, and the state that resuming needs.

Shapes: s members (1 for a single model), r rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Row:
    """Losses and errors of all members before the update of one step; at the last row, after all updates."""

    step: int
    train_loss: Tensor  # [s]  float64, over all training samples; a stopped member keeps its last value
    test_loss: Tensor | None  # [s]  float64
    rel_l2: Tensor | None  # [s]  float64, ||y_hat - y|| / ||y||
    seconds: float  # spent in training so far, rows included
    running: Tensor  # [s]  bool: members that had not stopped


@dataclass(frozen=True)
class Stop:
    """Why a member stopped before the last step."""

    step: int  # number of updates it made
    reason: str  # "target" or "diverged"
    loss: float  # before the update that it did not make
    layer: int | None = None  # of a divergence: where, if it is a tensor of one layer
    tensor: str | None = None  # "coef", ..., "coef gradient", "output"

    def describe(self) -> str:
        """One clause, such as "diverged at step 12: layers.1.coef gradient"."""
        if self.reason == "target":
            return f"target reached at step {self.step}"
        where = "" if self.tensor is None else f": layers.{self.layer}.{self.tensor}"
        return f"diverged at step {self.step}{where}"


@dataclass(frozen=True)
class TrainingState:
    """Everything that resuming needs.

    `tensors` is flat and can be written as safetensors; `plain` holds JSON values only.
    """

    tensors: dict[str, Tensor]
    plain: dict[str, Any]

    @property
    def step(self) -> int:
        """Number of steps done."""
        return self.plain["step"]


@dataclass(frozen=True)
class TrainingResult:
    """Outcome of `fit_`; the parameters are in the model."""

    rows: tuple[Row, ...]
    stops: tuple[Stop | None, ...]  # by member; None for one that did not stop by itself
    state: TrainingState
    kernel: str  # "torch" or "numba"
    ended: str  # "steps", "stopped" (no member runs on), "minutes" or "interrupted"
    refits: tuple[dict[str, Any], ...] = field(default=())  # step, grid and residual of each change of the knots

    @property
    def all_diverged(self) -> bool:
        return all(stop is not None and stop.reason == "diverged" for stop in self.stops)


ROW_TENSORS = ("train_loss", "test_loss", "rel_l2", "running")


def rows_as_tensors(rows: list[Row]) -> dict[str, Tensor]:
    """The rows as `rows.*` tensors: step and seconds `[r]`, the others `[r, s]`."""
    tensors = {
        "rows.step": torch.tensor([row.step for row in rows], dtype=torch.int64),
        "rows.seconds": torch.tensor([row.seconds for row in rows], dtype=torch.float64),
    }
    for name in ROW_TENSORS:
        if rows and getattr(rows[0], name) is not None:
            tensors[f"rows.{name}"] = torch.stack([getattr(row, name) for row in rows])
    return tensors


def rows_from_tensors(tensors: dict[str, Tensor]) -> list[Row]:
    """The inverse of `rows_as_tensors`."""
    steps, seconds = tensors["rows.step"].tolist(), tensors["rows.seconds"].tolist()
    columns = {name: tensors[f"rows.{name}"] for name in ROW_TENSORS if f"rows.{name}" in tensors}
    absent = dict.fromkeys(ROW_TENSORS)
    return [
        Row(step=step, seconds=time, **{**absent, **{name: column[number] for name, column in columns.items()}})  # pyright: ignore[reportArgumentType]
        for number, (step, time) in enumerate(zip(steps, seconds, strict=True))
    ]
