"""The curves of training: losses and errors of each member by step."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kancli.training.result import Row

Array = np.ndarray

ERRORS = ("train_loss", "test_loss", "rel_l2")  # columns of training.csv


@dataclass(frozen=True)
class Curves:
    """Losses and errors by row and member, float64. What was not measured is NaN, and so is what follows the end of a
    member that stopped.

    A loss is that of the parameters before the update of its step; the last row is that of the final parameters.
    """

    steps: Array  # [r]  whole numbers, increasing from 0
    seconds: Array  # [r]  since the start of training
    errors: Mapping[str, Array]  # [r, s] by the names in ERRORS

    @property
    def n_members(self) -> int:
        return self.errors["train_loss"].shape[1]

    def last(self, name: str) -> Array:
        """The last finite value of each member, `[s]`; NaN where there is none."""
        return _last_finite(self.errors[name])

    def first(self, name: str) -> Array:
        """The values before the first step, `[s]`."""
        return self.errors[name][0]

    def steps_to(self, share: float) -> Array:
        """The step of the first row whose training loss is at most a share of the first, `[s]`; NaN without one."""
        loss = self.errors["train_loss"]
        reached = loss <= share * loss[0]  # [r, s]
        return np.where(reached.any(0), self.steps[reached.argmax(0)].astype(float), math.nan)

    def rows(self, seeds: Sequence[int]) -> Iterator[dict[str, float | int | None]]:
        """The rows of training.csv: all of the first member, then those of the next; None for NaN.

        Args:
            seeds: of the members.
        """
        for member, seed in enumerate(seeds):
            for row, (step, seconds) in enumerate(zip(self.steps.tolist(), self.seconds.tolist(), strict=True)):
                values = {name: float(self.errors[name][row, member]) for name in ERRORS}
                if row and math.isnan(values["train_loss"]):
                    continue  # of a member that has stopped
                numbers = {name: value if math.isfinite(value) else None for name, value in values.items()}
                yield {"member": member, "seed": seed, "step": step, **numbers, "seconds": round(seconds, 6)}

    def member(self, index: int) -> Curves:
        """The curves of one member."""
        return Curves(
            self.steps, self.seconds, {name: values[:, index : index + 1] for name, values in self.errors.items()}
        )


def curves_of(rows: Sequence[Row]) -> Curves:
    """The curves of some rows. A member that had stopped before a row has no value there."""
    before = [rows[0].running, *(row.running for row in rows)]
    stopped = np.array([running.numpy() for running in before[:-1]]) == 0  # [r, s]
    errors = {}
    for name in ERRORS:
        columns = [getattr(row, name) for row in rows]
        missing = np.full(stopped.shape[1], math.nan)
        values = np.array([missing if column is None else column.double().numpy() for column in columns])
        errors[name] = np.where(stopped, math.nan, values)
    return Curves(np.array([row.step for row in rows]), np.array([row.seconds for row in rows]), errors)


def read_curves(lines: Sequence[str]) -> Curves:
    """The curves in the lines of a training.csv.

    Raises:
        ValueError, KeyError: they are not as `Curves.rows` gives them.
    """
    rows = list(csv.DictReader(lines))
    numbers = [(int(row["member"]), int(row["step"])) for row in rows]
    steps = sorted({step for _, step in numbers})
    place = {step: number for number, step in enumerate(steps)}
    shape = len(steps), 1 + max(member for member, _ in numbers)
    errors = {name: np.full(shape, math.nan) for name in ERRORS}
    seconds = np.zeros(len(steps))
    for (member, step), row in zip(numbers, rows, strict=True):
        seconds[place[step]] = float(row["seconds"])
        for name in ERRORS:
            if row[name]:
                errors[name][place[step], member] = float(row[name])
    return Curves(np.array(steps), seconds, errors)


def join(curves: Sequence[Curves]) -> Curves:
    """The members of several trainings, at all steps that one of them has."""
    steps = np.unique(np.concatenate([own.steps for own in curves]))
    errors = {name: np.full((len(steps), sum(own.n_members for own in curves)), math.nan) for name in ERRORS}
    seconds, begin = np.zeros(len(steps)), 0
    for own in curves:
        rows, members = np.searchsorted(steps, own.steps), slice(begin, begin + own.n_members)
        seconds[rows] = np.maximum(seconds[rows], own.seconds)
        for name in ERRORS:
            errors[name][rows, members] = own.errors[name]
        begin = members.stop
    return Curves(steps, seconds, errors)


def _last_finite(values: Array) -> Array:
    """The last finite entry of each column of `[r, s]`; NaN where there is none."""
    finite = np.isfinite(values)
    last = len(values) - 1 - finite[::-1].argmax(0)
    return np.where(finite.any(0), values[last, np.arange(values.shape[1])], math.nan)
