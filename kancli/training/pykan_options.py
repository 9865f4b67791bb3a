"""The arguments of pykan's `fit`. Imports neither numpy nor torch.

Names, defaults and meanings are those of `MultKAN.fit` of pykan 0.2.8 (Liu et al., `kan/MultKAN.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kancli.schema import Choice, FaultError, Integer, Real, Truth, key

ALL = -1  # the batch of all samples
MAX_STEPS = 10**9
CURVES = ("train_loss", "test_loss", "reg")  # of the result, besides the metrics


@dataclass(frozen=True)
class BatchSize:
    """-1 for all samples, or their number from 1 on."""

    def check(self, value: Any) -> int:
        try:
            return ALL if value == ALL else Integer(1, 10**9).check(value)
        except FaultError:
            raise FaultError(self.describe()) from None

    def describe(self) -> str:
        return "-1 for all samples, or an integer from 1 on"


@dataclass(frozen=True)
class FitOptions:
    """How `KAN.fit` trains."""

    opt: str = key("LBFGS", Choice(("LBFGS", "Adam")), "optimiser")
    steps: int = key(100, Integer(0, MAX_STEPS), "steps; of LBFGS, each up to 20 iterations")
    log: int = key(1, Integer(1, MAX_STEPS), "steps between two updates of the progress bar")
    lamb: float = key(0.0, Real(low=0), "weight of the regularisation in what training minimises")
    lamb_l1: float = key(1.0, Real(low=0), "weight of the edges' sizes in the regularisation")
    lamb_entropy: float = key(2.0, Real(low=0), "weight of their entropy")
    lamb_coef: float = key(0.0, Real(low=0), "weight of the coefficients' sizes")
    lamb_coefdiff: float = key(0.0, Real(low=0), "weight of the differences of neighbouring coefficients")
    update_grid: bool = key(True, Truth(), "lay the knots over the samples while training")
    grid_update_num: int = key(10, Integer(1, MAX_STEPS), "number of grid updates in stop_grid_update_step steps")
    lr: float = key(
        1.0, Real(low=0, low_open=True), "learning rate; of LBFGS the first length that a line search tries"
    )
    start_grid_update_step: int = key(-1, Integer(-MAX_STEPS, MAX_STEPS), "no grid update before this step")
    stop_grid_update_step: int = key(50, Integer(-MAX_STEPS, MAX_STEPS), "no grid update from this step on")
    batch: int = key(ALL, BatchSize(), "training samples a step, drawn anew, and as many test samples; -1: all")

    def updates_grid(self, step: int) -> bool:
        """Whether the grid is updated before a step: every stop // num steps from start to stop."""
        start, stop = self.start_grid_update_step, self.stop_grid_update_step
        every = max(1, stop // self.grid_update_num)
        return self.update_grid and start <= step < stop and step % every == 0
