"""Training as pykan's `fit` does it: its steps, its grid updates, its curves.

After `MultKAN.fit` of pykan 0.2.8 (Liu et al., `kan/MultKAN.py`). A step takes its batch, updates the grid where that
is due, and then the parameters; the optimiser goes on over grid updates. Batches come from private streams.

Shapes: s members (1 for a single model), n samples, P trained numbers of a member.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kancli.kan.grid_adaptation import adapt_grid_
from kancli.kan.modes import standard_modes
from kancli.kan.network import KAN
from kancli.tasks.task import Regression, Samples
from kancli.training.divergence import locate
from kancli.training.kernels import has_dense_pass, use_compiled
from kancli.training.lbfgs import step_, torch_optimiser
from kancli.training.optimisers import Adam
from kancli.training.options import Train
from kancli.training.parameters import ParameterRows, copy_members_, ensemble_copy, store_members_
from kancli.training.pykan_objective import FitObjective, LossFunction
from kancli.training.pykan_options import ALL, CURVES, FitOptions
from kancli.training.regularisation import Penalty

ITERATIONS = 20  # of a step of LBFGS, about an evaluation each
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
        on_step: called after each step with the number of steps made and the last entries of the curves.

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
            for number in range(options.steps):
                entries = run.step(number, first_step + number)
                if metrics:
                    run.write_to(model)
                    entries |= {metric.__name__: _plain(metric()) for metric in metrics}
                for name, entry in entries.items():
                    curves[name].append(entry)
                if on_step is not None:
                    on_step(number + 1, entries)
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
        self.parts = [_Part(self.ensemble, part, train, test, options, seeds, loss_fn) for part in parts]

    def step(self, number: int, stream_step: int) -> dict[str, Any]:
        """Make a step; the entries of the curves."""
        entries = []
        for part in self.parts:
            if self.options.updates_grid(number):
                part.update_grid(stream_step, self.eps)
            loss, reg = part.step(number, stream_step, is_last=number == self.options.steps - 1)
            entries.append((loss.sqrt(), part.test_loss(stream_step).sqrt(), reg))
        curves = (torch.cat(values).cpu().numpy() for values in zip(*entries, strict=True))
        return {name: values[0] if self.is_single else values for name, values in zip(CURVES, curves, strict=True)}

    def write_to(self, model: KAN) -> None:
        """Copy parameters and knots into a model, in place."""
        for part in self.parts:
            store_members_(self.ensemble, torch.tensor(part.members), part.model)
        copy_members_(model, self.ensemble)


class _Part:
    """Members that one optimiser trains: all of them by Adam, one by LBFGS.

    Attributes:
        train, test: objectives by automatic differentiation.
        fast_train: the same without regularisation, several times faster; None where there is none.
        fast_test: None where it is no faster than `test`.
    """

    def __init__(
        self,
        ensemble: KAN,
        members: list[int],
        train: Samples,
        test: Samples,
        options: FitOptions,
        seeds: Sequence[int],
        loss_fn: LossFunction | None,
    ) -> None:
        self.members, self.n_members = members, ensemble.n_members or 1
        self.model = ensemble_copy(ensemble, torch.tensor(members))
        self.rows = ParameterRows(self.model, None)
        shared = {"batch": None if options.batch == ALL else options.batch, "seeds": seeds}
        penalty = Penalty(1.0, options.lamb_l1, options.lamb_entropy, options.lamb_coef, options.lamb_coefdiff)
        minimised = {"loss_fn": loss_fn, "lamb": options.lamb, "penalty": penalty}
        self.train, self.test = (
            FitObjective(self.rows, members, samples, **shared, **minimised) for samples in (train, test)
        )
        self.fast_train, self.fast_test = None, None
        if loss_fn is None and not options.lamb and not options.update_grid:
            self._set_fast_objectives(train, test, options, shared)
        if options.opt == "Adam":
            self.optimiser = Adam(options.lr)
        else:
            self.optimiser = torch_optimiser(self.train, options.lr)
        self.stopped = torch.zeros(len(members), dtype=torch.bool)

    def _set_fast_objectives(self, train: Samples, test: Samples, options: FitOptions, shared: dict[str, Any]) -> None:
        data = Regression(train, None, None)
        n_evaluations = options.steps * (1 if options.opt == "Adam" else ITERATIONS)
        compiled = use_compiled(self.model, data, Train(steps=n_evaluations, batch=shared["batch"]), None, None)
        if compiled:
            from kancli.training.compiled import CompiledRegression as Fast  # loads numba
        elif has_dense_pass(self.model, None):
            from kancli.training.dense import DenseRegression as Fast
        else:
            return
        self.fast_train = Fast(self.rows, self.members, data, **shared, penalty=None)
        if compiled:
            self.fast_test = Fast(self.rows, self.members, Regression(test, None, None), **shared, penalty=None)

    def test_loss(self, step: int) -> Tensor:
        """Loss on the test samples of a step, `[s]`."""
        return self.test.loss(step) if self.fast_test is None else self.fast_test.evaluate(step).loss

    def update_grid(self, step: int, eps: float) -> None:
        """Lay the knots over the batch of a step."""
        for layer in self.model.layers:
            if not layer.per_input_knots:
                layer.use_per_input_knots_()
        adapt_grid_(self.model, self.train.inputs(step), eps=eps, rule="pykan")
        for objective in (self.train, self.test):
            objective.forget_bases()

    def step(self, number: int, stream_step: int, *, is_last: bool) -> tuple[Tensor, Tensor]:
        """Make a step; loss and regularisation, `[s]` each."""
        before = self.rows.values.clone()
        self.train.measures_reg = is_last
        objective = self.train if is_last or self.fast_train is None else self.fast_train
        if isinstance(self.optimiser, Adam):
            now = objective.evaluate(stream_step)
            self.optimiser.update_(self.rows.values, now.grads)
        else:
            now = step_(self.optimiser, objective, stream_step)
        self._put_back(before, number, stream_step, now.loss, now.grads)
        return now.loss, self.train.last_reg

    @torch.no_grad()
    def _put_back(self, before: Tensor, number: int, stream_step: int, loss: Tensor, grads: Tensor) -> None:
        """Restore the parameters of members that a step has made useless; `before` are theirs, `[s, P]`."""
        failed = ~(loss.isfinite() & self.rows.values.isfinite().all(-1))
        if not failed.any():
            return
        self.rows.values[failed] = before[failed]
        for member in (failed.cpu() & ~self.stopped).nonzero().flatten().tolist():
            self.stopped[member] = True
            stop = locate(self.train, member, stream_step, float(loss[member]), grads)
            where = "" if stop.tensor is None else f" (layers.{stop.layer}.{stop.tensor})"
            which = f"member {self.members[member]}: " if self.n_members > 1 else ""
            warnings.warn(
                f"fit: {which}step {number} gives numbers that are not finite{where}: the parameters stay as before it;"
                " type a smaller lr",
                RuntimeWarning,
                stacklevel=2,
            )


def _plain(value: Any) -> Any:
    """A number of torch or numpy as Python's own."""
    return value.item() if hasattr(value, "item") else value


def format_losses(entries: Mapping[str, Any]) -> str:
    """The losses and the regularisation of a step as text, over members the means."""
    return " | ".join(f"{name}: {np.mean(entries[name]):.2e}" for name in CURVES)
