"""Training as pykan's `fit` does it: its steps, its grid updates, its curves.

After `MultKAN.fit` of pykan 0.2.8 (Liu et al., `kan/MultKAN.py`). A step takes its batch, updates the grid where that
is due, and then the parameters; the optimiser goes on over grid updates. Batches come from private streams. Unlike in
pykan, a node that training has silenced keeps its knots.

Shapes: s members (1 for a single model), b steps, n samples, P trained numbers of a member.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from kancli.kan.modes import standard_modes
from kancli.kan.network import KAN
from kancli.tasks.task import Samples
from kancli.training.parameters import copy_members_, ensemble_copy, store_members_
from kancli.training.pykan_objective import LossFunction
from kancli.training.pykan_options import CURVES, FitOptions
from kancli.training.pykan_steps import MemberSteps

Metric = Callable[[], Any]


def fit_like_pykan_(
    model: KAN,
    train: Samples,
    test: Samples,
    options: FitOptions,
    *,
    seeds: Sequence[int],
    eps: float,
    first_step: int = 0,
    loss_fn: LossFunction | None = None,
    metrics: Sequence[Metric] = (),
    on_step: Callable[[int, dict[str, Any]], None] | None = None,
) -> dict[str, list[Any]]:
    """Train a model's parameters in place, and adapt its knots.

    A member whose loss or parameters would not be finite keeps those from before the step, with a warning.

    Args:
        train, test: in the model's dtype and on its device.
        seeds: of the members, `[s]`, for the batches.
        eps: of grid updates: 1 for equal steps between knots, 0 for order statistics of the samples.
        first_step: number of the first step, for the streams of batches.
        loss_fn: of prediction and label to a number, called for one member at a time; None: the mean squared error.
        metrics: called after each step, when the model has its parameters of then.
        on_step: called for each step with the number of steps made and the last entries of the curves; of steps that
            one kernel makes together, a twentieth of a second's, when all are made.

    Returns:
        One entry a step: train_loss and test_loss, the square roots of the loss on the step's training samples (by Adam
        before its update, by LBFGS at the last point that its line search tried) and on test samples after the update;
        reg, the regularisation without lamb at the same point as train_loss, 0 where lamb is 0 but for the last step;
        and the values of each metric by its name. An entry is a number of numpy, in an ensemble an array `[s]`.
    """
    with standard_modes():
        run = _Run(model, train, test, options, seeds, eps, loss_fn)
        curves: dict[str, list[Any]] = {name: [] for name in (*CURVES, *(metric.__name__ for metric in metrics))}
        try:
            made = 0
            while made < options.steps:
                count = 1 if metrics else run.steps_at_a_time(made)
                for entries in run.steps(made, first_step + made, count):
                    if metrics:
                        run.write_to(model)
                        entries |= {metric.__name__: _plain(metric()) for metric in metrics}
                    for name, entry in entries.items():
                        curves[name].append(entry)
                    made += 1
                    if on_step is not None:
                        on_step(made, entries)
        finally:
            run.write_to(model)
    return curves


class _Run:
    """One call of `fit_like_pykan_`."""

    def __init__(
        self,
        model: KAN,
        train: Samples,
        test: Samples,
        options: FitOptions,
        seeds: Sequence[int],
        eps: float,
        loss_fn: LossFunction | None,
    ) -> None:
        self.is_single, self.ensemble = model.n_members is None, ensemble_copy(model)
        self.options, self.eps = options, eps
        members = list(range(len(seeds)))
        parts = [members] if options.opt == "Adam" else [[member] for member in members]
        self.parts = [MemberSteps(self.ensemble, part, train, test, options, seeds, loss_fn) for part in parts]

    def steps_at_a_time(self, number: int) -> int:
        """How many steps to make together from a step on; the last is made alone."""
        before_last = max(1, self.options.steps - 1 - number)
        return min(before_last, *(part.steps_at_a_time() for part in self.parts))

    def steps(self, number: int, stream_step: int, count: int) -> list[dict[str, Any]]:
        """Make some steps; the entries of the curves of each."""
        columns = []
        for part in self.parts:
            if self.options.updates_grid(number):  # then only one step is made at a time
                part.update_grid(stream_step, self.eps)
            is_last = number + count == self.options.steps
            loss, test_loss, reg = part.advance(number, stream_step, count, is_last=is_last)
            columns.append((loss.sqrt(), test_loss.sqrt(), reg))
        curves = [torch.cat(values).T.cpu().numpy() for values in zip(*columns, strict=True)]  # [b, s] each
        return [
            {name: values[0] if self.is_single else values for name, values in zip(CURVES, entries, strict=True)}
            for entries in zip(*curves, strict=True)
        ]

    def write_to(self, model: KAN) -> None:
        """Copy parameters and knots into a model, in place."""
        for part in self.parts:
            store_members_(self.ensemble, torch.tensor(part.members), part.model)
        copy_members_(model, self.ensemble)


def _plain(value: Any) -> Any:
    """A number of torch or numpy as Python's own."""
    return value.item() if hasattr(value, "item") else value


def format_losses(entries: Mapping[str, Any]) -> str:
    """The losses and the regularisation of a step as text, over members the means."""
    return " | ".join(f"{name}: {np.mean(entries[name]):.2e}" for name in CURVES)
