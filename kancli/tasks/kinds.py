"""The kinds of tasks by name, and the samples that a task has for the forward pass. Imports neither numpy nor torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kancli.inputs.samplers import COUNT, Normal, Sampler
from kancli.schema import Optional, derived, key
from kancli.tasks.data import Data
from kancli.tasks.functions import Expression, Feynman, Function
from kancli.tasks.pdes import Equation
from kancli.tasks.task import NoTask, Task

if TYPE_CHECKING:
    import numpy as np

TASKS: dict[str, type[Task]] = {
    "none": NoTask,
    "function": Function,
    "feynman": Feynman,
    "pde": Equation,
    "data": Data,
    "expression": Expression,
}


@dataclass(frozen=True)
class TrainingSamples(Sampler):
    """The training samples of the task, or where its equation is imposed: the same for all members."""

    random: ClassVar[bool] = False

    n: int | None = key(None, Optional(COUNT), "take the first n samples; null takes them all")
    task: Task = derived(NoTask())

    def faults(self, n_in: int, dtype: str = "float32") -> list[str]:
        if not self.task.exists:
            return ["inputs=task: there is no task; add one, such as task=f2, or take other inputs"]
        if self.n is not None and self.n > self.task.n_train:
            return [
                f"inputs.n={self.n}: the task {self.task.label} has {self.task.n_train} training samples; give fewer,"
                " or leave inputs.n out"
            ]
        return []

    def count(self) -> int:
        return self.task.n_train if self.n is None else self.n

    def sample(self, n_in: int, *, seed: int) -> np.ndarray:
        return self.task.data().x[: self.n].numpy()


def inputs_with_task(inputs: Sampler, task: Task) -> Sampler:
    """The sampler of a run with a task: its training samples in place of the default, normal samples.

    Args:
        inputs: as configured; a number of samples that is not the default's is kept.
    """
    if task.exists and isinstance(inputs, Normal) and dataclasses.replace(inputs, n=Normal().n) == Normal():
        inputs = TrainingSamples(n=None if inputs.n == Normal().n else inputs.n)
    return dataclasses.replace(inputs, task=task) if isinstance(inputs, TrainingSamples) else inputs
