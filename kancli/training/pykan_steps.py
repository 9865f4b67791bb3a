"""Steps of the members of an ensemble, as pykan's `fit` makes them.

Shapes: s members that one optimiser trains, b steps, P trained numbers of a member.
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
        self.optimiser = Adam(options.lr) if options.opt == "Adam" else torch_optimiser(self.train, options.lr)
        self.fast_train: RegressionObjective | None = None
        self.tables: MemberTables | None = None
        if loss_fn is None and not options.lamb and not options.update_grid:
            self._set_fast_objective(train, options, shared)
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
            if options.opt == "Adam":
                from kancli.training.compiled_steps import CompiledAdam

                self.optimiser = CompiledAdam(options.lr)
        elif has_dense_pass(self.model, None):
            self.fast_train = DenseRegression(self.rows, self.members, data, **shared)

    def test_loss(self, step: int) -> Tensor:
        """Loss on the test samples of a step, `[s]`."""
        if self.tables is None or self.test.batch is not None:
            return self.test.loss(step)
        from kancli.training.compiled_evaluation import squared_errors_by_tables

        return self._mean_over_tests(squared_errors_by_tables(self.tables, self.test.samples))

    def _mean_over_tests(self, errors: Tensor) -> Tensor:
        y = self.test.samples.y
        return (errors / y.numel()).to(y.dtype)

    def update_grid(self, step: int, eps: float) -> None:
        """Lay the knots over the batch of a step."""
        for layer in self.model.layers:
            if not layer.per_input_knots:
                layer.use_per_input_knots_()
        adapt_grid_(self.model, self.train.inputs(step), eps=eps, rule="pykan", min_range=MIN_RANGE)
        for objective in (self.train, self.test):
            objective.forget_bases()

    def steps_at_a_time(self) -> int:
        """Up to how many steps `advance` makes in a twentieth of a second."""
        if self.tables is None or self.stopped.any():
            return 1
        from kancli.training.compiled_steps import steps_at_a_time

        assert self.fast_train is not None
        return steps_at_a_time(self.fast_train, self.optimiser)

    def advance(self, number: int, stream_step: int, count: int, *, is_last: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Make some steps; the loss before each, loss on test samples after it, and regularisation, `[s, b]`.

        Args:
            count: up to `steps_at_a_time`.
            is_last: whether the last of them is that of the whole fit, which measures the regularisation.
        """
        losses = None if count == 1 else self._steps_together(count)
        if losses is not None:
            return *losses, torch.zeros_like(losses[0])
        columns = []
        for made in range(count):
            loss, reg = self.step(number + made, stream_step + made, is_last=is_last and made == count - 1)
            columns.append((loss, self.test_loss(stream_step + made), reg))
        loss, test_loss, reg = (torch.stack(steps, dim=1) for steps in zip(*columns, strict=True))
        return loss, test_loss, reg

    def _steps_together(self, count: int) -> tuple[Tensor, Tensor] | None:
        """The losses `[s, b]` of steps in one call of a kernel; None, and nothing done, if one of them fails."""
        from kancli.training.compiled import CompiledRegression
        from kancli.training.compiled_steps import CompiledAdam, make_steps

        objective, optimiser = self.fast_train, self.optimiser
        assert isinstance(objective, CompiledRegression)
        assert isinstance(optimiser, CompiledAdam)
        before, n_steps = self.rows.values.clone(), optimiser.n_steps
        moments = {name: tensor.clone() for name, tensor in optimiser.moments.items()}
        steps = make_steps(objective, optimiser, count, test=self.test.samples)
        if (steps.made < count).any() or not self.rows.values.isfinite().all():
            self.rows.values.copy_(before)
            optimiser.moments, optimiser.n_steps = moments, n_steps
            return None
        return torch.from_numpy(steps.losses), self._mean_over_tests(torch.from_numpy(steps.errors))

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
                stacklevel=8,
            )
