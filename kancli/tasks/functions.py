"""Tasks that are functions of uniform samples: those of the catalogue, and a typed formula.

Imports neither numpy nor torch.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from kancli.errors import ConfigError
from kancli.inputs.table import OVERFLOW
from kancli.schema import REQUIRED, Choice, FaultError, Integer, Real, key
from kancli.seeding import MAX_SEED
from kancli.synonyms import nearest
from kancli.tasks.catalogue import FEYNMAN, FUNCTIONS, KnownFunction
from kancli.tasks.expression import FormulaKind
from kancli.tasks.task import MAX_TARGET, Regression, Task

COUNT = Integer(1, 10**9)
# Points a side of the mesh for the relative error, by number of inputs; with more inputs there is none.
MESH_SIDES = {1: 1000, 2: 200, 3: 30, 4: 10, 5: 10}
VALUES_AT_ONCE = 6  # numbers for each sample while a formula is computed, about


@dataclass(frozen=True, kw_only=True)
class _Sampled(Task):
    """A function of one output on a box, learned from uniform samples."""

    seed: int = key(42, Integer(0, MAX_SEED), "seed of the data, which all members and jobs share")
    n: int = key(4000, COUNT, "training samples")
    test_n: int = key(1000, COUNT, "test samples")
    noise: float = key(0.0, Real(0, 1e30), "standard deviation of the normal noise on the training targets")

    @property
    @abstractmethod
    def function(self) -> KnownFunction:
        """The function and its box."""

    @property
    def n_in(self) -> int:
        return self.function.formula.n_in

    @property
    def n_out(self) -> int:
        return 1

    @property
    def n_train(self) -> int:
        return self.n

    @property
    def singular(self) -> bool:
        return self.function.singular

    @property
    def data_bytes(self) -> int:
        mesh = MESH_SIDES.get(self.n_in, 0) ** self.n_in
        return 8 * (self.n_in + VALUES_AT_ONCE) * (self.n + self.test_n + mesh)

    def facts(self) -> dict[str, str]:
        function, sides = self.function, MESH_SIDES.get(self.n_in)
        facts = super().facts() | ({"formula": function.text} if function.title else {})
        facts["domain"] = f"[{function.low:g}, {function.high:g}]" + (f"^{self.n_in}" if self.n_in > 1 else "")
        facts["training"] = f"{self.n} uniform samples"
        if self.noise:
            facts["training"] += f", targets with noise of standard deviation {self.noise:g}"
        facts["test"] = f"{self.test_n} uniform samples"
        mesh = "the test samples" if sides is None else f"a regular mesh of {sides}^{self.n_in} points"
        facts["error"] = f"relative L2 norm on {mesh}"
        if self.singular:
            facts["singular"] = "a pole on the domain: a few samples decide the errors, which rank no networks"
        return facts | ({"source": function.source} if function.source else {})

    def data(self) -> Regression:
        """Uniform samples from the streams "task/train" and "task/test", and a regular mesh.

        Raises:
            ConfigError: a value of the function is not finite; the message names the place.
        """
        from kancli.tasks.sampling import regression

        side = MESH_SIDES.get(self.n_in)
        return regression(self.function, n=self.n, test_n=self.test_n, side=side, noise=self.noise, seed=self.seed)


@dataclass(frozen=True)
class KnownName(Choice):
    """The name of a function of the catalogue; all kinds of them describe it alike in the help."""

    def check(self, value: Any) -> str:
        if value not in self.options:
            raise FaultError(f"one of {', '.join(self.options)}{nearest(value, self.options)}")
        return value

    def describe(self) -> str:
        return "such as f2; with kind=feynman a label such as I.12.11"


@dataclass(frozen=True, kw_only=True)
class Function(_Sampled):
    """A function of the catalogue."""

    name: str = key(REQUIRED, KnownName(tuple(FUNCTIONS)), "name of the function")

    @property
    def function(self) -> KnownFunction:
        return FUNCTIONS[self.name]

    @property
    def label(self) -> str:
        return f"{self.name}: {self.function.title or self.function.text}"


@dataclass(frozen=True, kw_only=True)
class Feynman(_Sampled):
    """A dimensionless formula of physics, by its label in AI Feynman."""

    name: str = key(REQUIRED, KnownName(tuple(FEYNMAN)), "label of the formula")

    @property
    def function(self) -> KnownFunction:
        return FEYNMAN[self.name]

    @property
    def label(self) -> str:
        return f"feynman_{self.name}: {self.function.text}"


@dataclass(frozen=True, kw_only=True)
class Expression(_Sampled):
    """A typed formula."""

    formula: str = key(REQUIRED, FormulaKind(), "formula in x0, x1, ... or x, y, z", typed="task")
    low: float = key(-1.0, Real(), "least value of each input")
    high: float = key(1.0, Real(), "greatest value of each input")

    @property
    def function(self) -> KnownFunction:
        return KnownFunction(self.formula, low=self.low, high=self.high)

    @property
    def label(self) -> str:
        return self.formula

    def faults(self, width: tuple[int, ...], dtype: str = "float32") -> list[str]:
        if not self.low < self.high:
            return [f"task.low={self.low:g} task.high={self.high:g}: allowed: low < high"]
        return super().faults(width, dtype)

    def value_faults(self, dtype: str = "float32") -> list[str]:
        try:
            data = self.data()
        except ConfigError as error:
            return error.faults
        parts = [part for part in (data.train, data.test, data.mesh) if part]
        largest = max(float(values.abs().max()) for part in parts for values in (part.x, part.y))
        target = max(float(part.y.abs().max()) for part in parts)
        if largest >= OVERFLOW[dtype]:
            fault = f"numbers of size {largest:g}, beyond {dtype} (3.4e38 at most)"
        elif target > MAX_TARGET[dtype]:
            fault = f"targets of size {target:g}, whose squares, of which the loss is a mean, are beyond {dtype}"
        else:
            return []
        return [f"task={self.formula}: has {fault}; take dtype=float64 or another formula, task.low and task.high"]
