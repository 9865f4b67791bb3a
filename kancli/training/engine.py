"""The whole ensemble in training: its parameters, the steps of the members that still run, changes of the knots.

Shapes: s members, n samples, P trained numbers of a member.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kancli.kan.layered import LayeredNetwork
from kancli.kan.network import KAN, as_kan
from kancli.tasks.task import Differential, Regression, Samples
from kancli.training.dense import DenseRegression
from kancli.training.evaluation import squared_errors
from kancli.training.grids import adapt_, refine_
from kancli.training.kernels import has_dense_pass
from kancli.training.lbfgs import LBFGSSteps
from kancli.training.mlp_pass import MLPRegression
from kancli.training.objectives import DifferentialObjective, Objective, RegressionObjective
from kancli.training.optimisers import optimiser
from kancli.training.options import Train
from kancli.training.parameters import ParameterRows, copy_members_, ensemble_copy, store_members_
from kancli.training.regularisation import Penalty
from kancli.training.steps import GradientSteps, Progress, find_stops


class Engine:
    """Steps of an ensemble.

    Args:
        model: a single model or an ensemble; it is read only. The keys of splines have no meaning for an MLP.
        train: resolved keys.
        seeds: of the members, for mini-batches.
        compiled: whether numba kernels compute the gradients.
    """

    def __init__(
        self,
        model: LayeredNetwork,
        data: Regression | Differential,
        train: Train,
        seeds: list[int],
        penalty: Penalty | None,
        *,
        compiled: bool = False,
    ) -> None:
        self.ensemble = ensemble_copy(model)
        self.data, self.train, self.seeds, self.penalty = data, train, seeds, penalty
        self.compiled = compiled
        self.progress = Progress(torch.full((self.n_members,), torch.nan, dtype=torch.float64))
        self.start(list(range(self.n_members)))

    @property
    def n_members(self) -> int:
        return self.ensemble.n_members or 1

    @property
    def members(self) -> list[int]:
        """Numbers of the members that still run."""
        return self.steps.members

    @property
    def grid(self) -> int | None:
        """Number of grid intervals; None of an MLP."""
        return self.ensemble.layers[0].grid if isinstance(self.ensemble, KAN) else None

    @property
    def kernel(self) -> str:
        """ "numba" or "torch"."""
        return "numba" if self.compiled else "torch"

    def start(self, members: list[int]) -> None:
        """Begin to train some members from their parameters in the ensemble, with a fresh optimiser."""
        train = self.train
        name, lr = train.optimizer, train.lr or 0.0
        shared = {"target": train.target, "store": self._store}
        if name == "lbfgs":
            self.steps = LBFGSSteps(self._objective, members, lr, self.progress, **shared)
        elif self.compiled:
            from kancli.training.compiled_steps import CompiledAdam, CompiledSteps  # loads numba

            rule = optimiser(name, lr, CompiledAdam)
            self.steps = CompiledSteps(self._objective, members, rule, self.progress, **shared)
        else:
            self.steps = GradientSteps(self._objective, members, optimiser(name, lr), self.progress, **shared)

    def steps_at_a_time(self) -> int:
        """Up to how many steps `advance` makes in a twentieth of a second."""
        return self.steps.steps_at_a_time()

    def advance(self, step: int, count: int) -> Tensor:
        """Make some steps; the losses before the first of them, of the members that ran then."""
        return self.steps.advance(step, count)

    def synchronised(self) -> LayeredNetwork:
        """The ensemble with the parameters of all members as they stand."""
        for objective in self.steps.objectives():
            self._store(objective)
        return self.ensemble

    def squared_errors(self, samples: Samples) -> Tensor:
        """The sum over samples and outputs of (y_hat - y)^2 of all members, float64 `[s]`."""
        if not self.compiled:
            return squared_errors(self.synchronised(), samples).cpu()
        from kancli.training import compiled_evaluation  # loads numba

        objectives = self.steps.objectives()
        if len(objectives) == 1 and len(self.members) == self.n_members:
            tables = objectives[0].tables  # pyright: ignore[reportAttributeAccessIssue]
        else:
            tables = compiled_evaluation.MemberTables(ParameterRows(self.synchronised(), None))
        return compiled_evaluation.squared_errors_by_tables(tables, samples)

    def write_to(self, model: LayeredNetwork) -> None:
        """Copy parameters and knots into a model, in place."""
        copy_members_(model, self.synchronised())

    def last_losses(self, step: int) -> Tensor:
        """The losses after all steps, `[s]`, NaN of members that had stopped; those that fail now stop."""
        losses = torch.full((self.n_members,), torch.nan, dtype=torch.float64)
        for objective in self.steps.objectives():
            loss = objective.loss(step)
            losses[objective.members] = loss.double().cpu()
            stops = find_stops(objective, self.progress, step, loss, None, self.train.target)
            self.progress.stops.update({objective.members[number]: stop for number, stop in stops.items()})
        return losses

    def refine(self, grid: int) -> list[float]:
        """Finer grids for all members; the optimiser starts anew. Returns the change of each layer's splines."""
        residuals = refine_(as_kan(self.synchronised()), grid)
        rba = self.rba()
        self.start(self.members)
        self.set_rba(rba)
        return residuals

    def adapt(self, eps: float) -> list[float]:
        """Knots by the samples for the members that still run; the optimiser goes on."""
        ensemble, members = as_kan(self.synchronised()), torch.tensor(self.members)
        for layer in ensemble.layers:
            if not layer.per_input_knots:
                layer.use_per_input_knots_()
        part = ensemble_copy(ensemble, members)
        x = self.data.train.x if isinstance(self.data, Regression) else self.data.collocation
        residuals = adapt_(part, x.to(part.layers[0].coef), eps)
        store_members_(ensemble, members, part)
        self.steps.reload()
        return residuals

    def rba(self) -> dict[int, Tensor]:
        """The residual-based weights of the members that have them, `[n, 1]`."""
        return {
            member: weights
            for objective in self.steps.objectives()
            if objective.rba is not None
            for member, weights in zip(objective.members, objective.rba, strict=True)
        }

    def set_rba(self, weights: dict[int, Tensor]) -> None:
        """Set what `rba` gave."""
        for objective in self.steps.objectives():
            if objective.rba is not None:
                objective.rba = torch.stack([weights[member] for member in objective.members])

    def _objective(self, members: list[int]) -> Objective:
        model = ensemble_copy(self.ensemble, torch.tensor(members, dtype=torch.long))
        rows = ParameterRows(model, self.train.only if isinstance(model, KAN) else None)
        if isinstance(self.data, Differential):
            return self._equation_kind()(rows, members, self.data)
        options = {"batch": self.train.batch, "seeds": self.seeds, "penalty": self.penalty}
        return self._regression_kind()(rows, members, self.data, **options)

    def _equation_kind(self) -> type[DifferentialObjective]:
        if not self.compiled:
            return DifferentialObjective
        from kancli.training.compiled import CompiledDifferential  # loads numba

        return CompiledDifferential

    def _regression_kind(self) -> type[RegressionObjective]:
        if self.compiled:
            from kancli.training.compiled import CompiledRegression  # loads numba

            return CompiledRegression
        if not isinstance(self.ensemble, KAN):
            return MLPRegression if self.ensemble.like.device.type == "cpu" else RegressionObjective
        return DenseRegression if has_dense_pass(self.ensemble, self.penalty) else RegressionObjective

    def _store(self, objective: Objective) -> None:
        store_members_(self.ensemble, torch.tensor(objective.members, dtype=torch.long), objective.model)
