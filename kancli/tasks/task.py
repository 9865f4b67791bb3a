"""What a task is: its data, and the interface of every kind of task. Imports neither numpy nor torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

RBA = ("published", "detached", "none")
MAX_TARGET = {"float32": 1.8e19, "float64": 1.3e154}  # whose square, of which the loss is a mean, is finite


@dataclass(frozen=True)
class Samples:
    """Inputs x `[n, n_in]` and targets y `[n, n_out]`, float64, on the CPU."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Regression:
    """The data of a function, an expression or a table.

    Args:
        train: training samples.
        test: test samples; None if there are none.
        mesh: where the relative L2 error ||yhat - y|| / ||y|| is measured; None: at the test samples.
    """

    train: Samples
    test: Samples | None
    mesh: Samples | None

    @property
    def x(self) -> Tensor:
        """The samples of the forward pass before training, `[n, n_in]`."""
        return self.train.x


@dataclass(frozen=True)
class Differential(ABC):
    """The data of a partial differential equation in two variables, for one unknown u.

    Args:
        collocation: `[n, 2]`, where the residual is evaluated.
        boundary: x `[m, 2]` and y `[m, 1]`, initial and boundary values.
        mesh: the reference solution, for the relative L2 error.
        derivatives: those that the residual needs, by the numbers of their variables: (0,) is u_x0, (1, 1) is u_x1x1.
        rba: residual-based weights: published (gradients flow through them), detached or none.
        residual_weight: factor of the residual's part of the loss; that of the boundary is 1.
    """

    collocation: Tensor
    boundary: Samples
    mesh: Samples
    derivatives: tuple[tuple[int, ...], ...]
    rba: str = "detached"
    residual_weight: float = 1.0

    @property
    def x(self) -> Tensor:
        """The samples of the forward pass before training, `[n, 2]`."""
        return self.collocation

    @abstractmethod
    def residual(self, x: Tensor, u: Mapping[tuple[int, ...], Tensor]) -> Tensor:
        """The residual of the equation, `[(s,) n, 1]`, by differentiable operations in the dtype given.

        Args:
            x: `[(s,) n, 2]`.
            u: `u[()]` is u, `u[(0,)]` its derivative by x0, ...: `()` and each of `derivatives`, `[(s,) n, 1]`.
        """


class Task(ABC):
    """What a network is to learn: a frozen dataclass whose fields are its legal keys."""

    exists: ClassVar[bool] = True
    is_equation: ClassVar[bool] = False

    @property
    @abstractmethod
    def n_in(self) -> int:
        """Number of inputs of a network for this task."""

    @property
    @abstractmethod
    def n_out(self) -> int:
        """Number of outputs of a network for this task."""

    @property
    @abstractmethod
    def n_train(self) -> int:
        """Number of training samples, or of places where an equation is imposed."""

    @property
    @abstractmethod
    def label(self) -> str:
        """Short text for titles, such as "f2: exp(sin(pi*x)+y^2)"."""

    @property
    def singular(self) -> bool:
        """Whether a pole on the domain makes the relative error say nothing about a network."""
        return False

    def facts(self) -> dict[str, str]:
        """What the task is, by headings, for `kan-run explain`."""
        return {"task": self.label, "network": f"{_count(self.n_in, 'input')}, {_count(self.n_out, 'output')}"}

    def faults(self, width: tuple[int, ...], dtype: str = "float32") -> list[str]:
        """Reasons why a network of this width and number type cannot learn the task, one line each."""
        if (width[0], width[-1]) == (self.n_in, self.n_out):
            return []
        typed = "-".join(map(str, width))
        hidden = "-".join(map(str, width[1:-1]))
        fitting = f"in-{hidden}-out" if hidden else "in-out"
        return [
            f"width={typed}: the task {self.label} has {_count(self.n_in, 'input')} and {_count(self.n_out, 'output')};"
            f" type width={fitting}"
        ]

    def value_faults(self, dtype: str = "float32") -> list[str]:
        """Reasons why the values of the data cannot be learned in a number type. It may compute them: call it last."""
        return []

    @property
    def data_bytes(self) -> int:
        """The memory of the data while they are computed."""
        return 0

    @abstractmethod
    def data(self) -> Regression | Differential:
        """The data, the same for the same fields."""


@dataclass(frozen=True)
class NoTask(Task):
    """Nothing is to be learned: the network is measured at its initialisation only."""

    exists: ClassVar[bool] = False

    @property
    def n_in(self) -> int:
        return 0

    @property
    def n_out(self) -> int:
        return 0

    @property
    def n_train(self) -> int:
        return 0

    @property
    def label(self) -> str:
        return "none"

    def facts(self) -> dict[str, str]:
        return {"task": "none; the network is measured at its initialisation"}

    def faults(self, width: tuple[int, ...], dtype: str = "float32") -> list[str]:
        return []

    def data(self) -> Regression | Differential:
        raise ValueError("there is no task")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
