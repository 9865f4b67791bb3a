"""The keys of training. Imports neither numpy nor torch."""

from __future__ import annotations

import dataclasses
import itertools
import re
from dataclasses import dataclass
from typing import Any

from kancli.schema import Choice, FaultError, Integer, Optional, Real, Several, key

AUTO = "auto"
OPTIMIZERS = ("adam", "adamw", "sgd", "lbfgs")
LEARNING_RATES = {"adam": 1e-3, "adamw": 1e-3, "sgd": 1e-2, "lbfgs": 1.0}
STEPS, EQUATION_STEPS, LBFGS_STEPS = 2000, 5000, 50
ROWS = 100  # of training.csv, about
PARAMETERS = ("coef", "scale_base", "scale_sp", "bias")
OF_SPLINES = ("only", "refine", "adapt_every", "lamb", "compile")  # keys that have no meaning for an MLP


@dataclass(frozen=True)
class Refinements:
    """Steps and the grids from there on, such as 500:6,1000:9."""

    def check(self, value: Any) -> str:
        text = str(value)
        if not re.fullmatch(r"\d{1,9}:\d{1,6}(,\d{1,9}:\d{1,6})*", text):
            raise FaultError(self.describe())
        steps, grids = zip(*read_refinements(text))
        if any(later <= earlier for earlier, later in itertools.pairwise(steps)) or min(steps) < 1 or min(grids) < 1:
            raise FaultError(self.describe())
        return text

    def describe(self) -> str:
        return "STEP:GRID pairs with increasing steps from 1 on, such as 500:6,1000:9"


def read_refinements(text: str) -> list[tuple[int, int]]:
    """The pairs of step and grid in a legal `train.refine`."""
    return [(int(step), int(grid)) for step, grid in (pair.split(":") for pair in text.split(","))]


@dataclass(frozen=True)
class AutoOrTruth:
    """auto, true or false."""

    def check(self, value: Any) -> str | bool:
        if value != AUTO and not isinstance(value, bool):
            raise FaultError(self.describe())
        return value

    def describe(self) -> str:
        return "auto, true or false"


@dataclass(frozen=True)
class Train:
    """How the drawn parameters are trained; without a task nothing is."""

    optimizer: str = key(
        "auto", Choice(("auto", "none", *OPTIMIZERS)), "optimiser; auto: adam with a task, none without"
    )
    lr: float | None = key(
        None,
        Optional(Real(low=0, high=1e6, low_open=True)),
        "learning rate; null: 0.001 for adam and adamw, 0.01 for sgd, 1 for lbfgs",
    )
    steps: int | None = key(None, Optional(Integer(1, 10**9)), "steps; null: 2000, for an equation 5000, with lbfgs 50")
    batch: int | None = key(None, Optional(Integer(1, 10**9)), "training samples a step, drawn anew; null: all of them")
    every: int | None = key(
        None, Optional(Integer(1, 10**9)), "steps between two rows of training.csv; null: about 100 rows"
    )
    target: float | None = key(None, Optional(Real(low=0)), "stop a member whose training loss is not above this")
    minutes: float | None = key(None, Optional(Real(low=0)), "stop after this time, at a whole step", unit="minutes")
    only: tuple[str, ...] | None = key(
        None,
        Optional(Several(Choice(PARAMETERS), at_least=1, example="[coef,scale_base]", bare=True)),
        "train these parameters only; null: all",
    )
    refine: str | None = key(
        None, Optional(Refinements()), "finer grids from these steps on, as STEP:GRID, such as 500:6,1000:9"
    )
    adapt_every: int | None = key(
        None, Optional(Integer(1, 10**9)), "steps between two adaptations of the knots to the samples; null: never"
    )
    lamb: float = key(0.0, Real(low=0), "weight of pykan's regularisation in the loss")
    compile: str | bool = key(
        AUTO,
        AutoOrTruth(),
        "compiled kernels; auto: where they are installed and save time",
        identity=False,
    )
    save_s: float = key(
        60.0, Real(low=0), "time between two saved states, which kan-run resume goes on from", unit="s", identity=False
    )

    def without_splines(self) -> Train:
        """The same keys, without effect on grids, on a KAN's tensors and on its edges: those of an MLP."""
        plain = Train()
        return dataclasses.replace(self, **{name: getattr(plain, name) for name in OF_SPLINES})

    def resolved(self, *, task: bool, equation: bool = False) -> Train:
        """The same keys, without auto and null for optimiser, learning rate, steps and rows.

        Args:
            task: whether there is something to learn.
            equation: whether that is a differential equation.
        """
        optimizer = self.optimizer if self.optimizer != "auto" else "adam" if task else "none"
        if optimizer == "none":
            return dataclasses.replace(self, optimizer=optimizer)
        steps = self.steps or (LBFGS_STEPS if optimizer == "lbfgs" else EQUATION_STEPS if equation else STEPS)
        return dataclasses.replace(
            self,
            optimizer=optimizer,
            lr=self.lr or LEARNING_RATES[optimizer],
            steps=steps,
            every=self.every or max(1, steps // ROWS),
        )
