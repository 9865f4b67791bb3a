"""The data of a race: what trains, what selects, and what the answer is measured on.

Shapes: s members, n samples, i inputs, o outputs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kancli.errors import ConfigError
from kancli.seeding import stream
from kancli.tasks.task import Differential, Regression, Samples

if TYPE_CHECKING:
    import torch

    from kancli.tasks.task import Task

PURPOSE = "race/validation"
MIN_ROWS = 5  # that select, and that the answer is measured on
MAX_POINTS = 4000  # of an equation's reference solution, each


@dataclass(frozen=True)
class RaceData:
    """Samples by their use. Those of `validation` and `test` never train."""

    train: Regression | Differential
    validation: Samples  # selects
    test: Samples  # measured for the answer alone

    def sizes(self) -> dict[str, int]:
        """The numbers of samples by their use."""
        train = self.train.train.x if isinstance(self.train, Regression) else self.train.collocation
        return {"train": len(train), "validation": len(self.validation.x), "test": len(self.test.x)}


def divide(task: Task, share: float) -> RaceData:
    """Divide the data of a task.

    Validation samples are a share of the training samples; test samples are the task's. For an equation, whose loss
    says little about its error, they are two random parts of the mesh on which the solution is known.

    Args:
        share: of the training samples.

    Raises:
        ConfigError: too few samples are held out.
    """
    data, seed = task.data(), getattr(task, "seed", 0)
    if isinstance(data, Differential):
        order = _order(len(data.mesh.x), seed)
        size = min(MAX_POINTS, len(order) // 2)
        validation = _select(data.mesh, order[:size])
        train = dataclasses.replace(data, mesh=validation)  # training measures its error there
        return RaceData(train, validation, _select(data.mesh, order[size : 2 * size]))
    if data.test is None:
        raise ConfigError(["task.test=0: held-out rows decide a race; leave task.test out, or give a share such as .2"])
    rows = len(data.train.x)
    size = round(share * rows)
    if min(size, len(data.test.x)) < MIN_ROWS or size == rows:
        total = rows + len(data.test.x)
        raise ConfigError(
            [f"task={task.label}: of {total} rows {size} select and {len(data.test.x)} test; a race needs {MIN_ROWS} of"
             " each: give more rows, or larger shares race.validation and task.test"]
        )  # fmt: skip
    order = _order(rows, seed)
    kept, chosen = order[size:].sort().values, order[:size].sort().values
    train = dataclasses.replace(data, train=_select(data.train, kept), test=None, mesh=None)
    return RaceData(train, _select(data.train, chosen), data.test)


def _order(count: int, seed: int) -> torch.Tensor:
    import torch

    return torch.from_numpy(stream(seed, PURPOSE).permutation(count))


def _select(samples: Samples, rows: torch.Tensor) -> Samples:
    return Samples(samples.x[rows], samples.y[rows])
