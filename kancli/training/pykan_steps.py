"""Steps of the members of an ensemble, as pykan's `fit` makes them.

Shapes: s members that one optimiser trains, P trained numbers of a member.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kancli.kan.grid_adaptation import adapt_grid_
from kancli.kan.network import KAN
from kancli.tasks.task import Regression, Samples
from kancli.training.dense import DenseRegression
from kancli.training.divergence import locate
from kancli.training.kernels import has_dense_pass, use_compiled
from kancli.training.lbfgs import step_, torch_optimiser
from kancli.training.objectives import RegressionObjective
from kancli.training.optimisers import Adam
from kancli.training.options import Train
from kancli.training.parameters import ParameterRows, ensemble_copy
from kancli.training.pykan_objective import FitObjective, LossFunction
from kancli.training.pykan_options import ALL, FitOptions
from kancli.training.regularisation import Penalty

if TYPE_CHECKING:
    from kancli.training.member_tables import MemberTables

MIN_RANGE = 1e-3  # of a hidden node's values, in the first grid, for a grid update; pykan has no such bound
ITERATIONS = 20  # of a step of LBFGS, about an evaluation each


class MemberSteps:
    """Members that one optimiser trains: all of them by Adam, one by LBFGS.

    Args:
        ensemble: the whole, which is read only.
        seeds: of all its members, for the batches.

    Attributes:
        train, test: objectives by automatic differentiation.
        fast_train: the same without regularisation, several times faster; None where there is none.
        tables: the parameters as numba's kernels take them; None where they save no time.
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
        self.fast_train: RegressionObjective | None = None
        self.tables: MemberTables | None = None
        if loss_fn is None and not options.lamb and not options.update_grid:
            self._set_fast_objective(train, options, shared)
        if options.opt == "Adam":
            self.optimiser = Adam(options.lr)
        else:
            self.optimiser = torch_optimiser(self.train, options.lr)
        self.stopped = torch.zeros(len(members), dtype=torch.bool)

    def _set_fast_objective(self, train: Samples, options: FitOptions, shared: dict[str, Any]) -> None:
        data = Regression(train, None, None)
        n_evaluations = options.steps * (1 if options.opt == "Adam" else ITERATIONS)
        compiled = use_compiled(self.model, data, Train(steps=n_evaluations, batch=shared["batch"]), None, None)
        shared = {**shared, "penalty": None}
        if compiled:
            from kancli.training.compiled import CompiledRegression  # loads numba

            self.fast_train = CompiledRegression(self.rows, self.members, data, **shared)
            self.tables = self.fast_train.tables
        elif has_dense_pass(self.model, None):
            self.fast_train = DenseRegression(self.rows, self.members, data, **shared)

    def test_loss(self, step: int) -> Tensor:
        """Loss on the test samples of a step, `[s]`."""
        if self.tables is None or self.test.batch is not None:
            return self.test.loss(step)
        from kancli.training.compiled_evaluation import squared_errors_by_tables

        test = self.test.samples
        return (squared_errors_by_tables(self.tables, test) / test.y.numel()).to(test.y.dtype)

    def update_grid(self, step: int, eps: float) -> None:
        """Lay the knots over the batch of a step."""
        for layer in self.model.layers:
            if not layer.per_input_knots:
                layer.use_per_input_knots_()
        adapt_grid_(self.model, self.train.inputs(step), eps=eps, rule="pykan", min_range=MIN_RANGE)
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
                stacklevel=7,
            )
