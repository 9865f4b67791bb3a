"""L-BFGS with strong Wolfe line search, member by member.

Each step is one call of torch.optim.LBFGS: up to 20 iterations on one batch, as in pykan's `fit` (Liu et al.,
`kan/LBFGS.py`), whose tolerances are taken over: only a vanishing gradient or change ends a step earlier.

Shapes: s members, P trained numbers of a member.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from kancli.training.divergence import locate
from kancli.training.objectives import Evaluation, Objective
from kancli.training.steps import Progress, find_stops

HISTORY, TOLERANCE = 10, 1e-32


class LBFGSSteps:
    """Steps of L-BFGS; arguments as of `steps.GradientSteps`, `lr` the length of a step before the line search.

    Attributes:
        optimisers: torch's, by number of the member in the whole run.
    """

    def __init__(
        self,
        make_objective: Callable[[list[int]], Objective],
        members: list[int],
        lr: float,
        progress: Progress,
        *,
        target: float | None,
        store: Callable[[Objective], None],
    ) -> None:
        self.make_objective, self.lr = make_objective, lr
        self.progress, self.target, self.store = progress, target, store
        self.objectives_of = {member: make_objective([member]) for member in members}
        self.optimisers = {member: torch_optimiser(objective, lr) for member, objective in self.objectives_of.items()}

    @property
    def members(self) -> list[int]:
        """Numbers of the members that still run."""
        return list(self.objectives_of)

    def steps_at_a_time(self) -> int:
        """As of `GradientSteps`."""
        return 1

    def advance(self, step: int, count: int) -> Tensor:
        """As `GradientSteps.advance`."""
        return torch.cat([self._advance(member, step, count) for member in self.members])

    def objectives(self) -> list[Objective]:
        """The objectives of the members that still run."""
        return list(self.objectives_of.values())

    def reload(self) -> None:
        """Take up the parameters and knots of the whole ensemble; the optimisers start anew."""
        for member, old in self.objectives_of.items():
            objective = self.make_objective([member])
            objective.rba = old.rba
            self.objectives_of[member], self.optimisers[member] = objective, torch_optimiser(objective, self.lr)

    def optimizer_state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values, named by member."""
        tensors, plain = {}, {}
        for member, optimiser in self.optimisers.items():
            own, plain[str(member)] = save_optimiser(optimiser)
            tensors |= {f"{member}.{name}": tensor for name, tensor in own.items()}
        return tensors, plain

    def set_optimizer_state(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Set what `optimizer_state` gave."""
        for member, optimiser in self.optimisers.items():
            prefix = f"{member}."
            own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            load_optimiser_(optimiser, own, plain[str(member)])

    def _advance(self, member: int, step: int, count: int) -> Tensor:
        objective, losses = self.objectives_of[member], []
        for number in range(step, step + count):
            start, now = objective.rows.values.clone(), objective.evaluate(number)
            stops = find_stops(objective, self.progress, number, now.loss, now.grads, self.target)
            losses.append(now.loss)
            if not stops:
                step_(self.optimisers[member], objective, number)
                objective.rba = now.rba
                if not objective.rows.values.isfinite().all():
                    objective.rows.values.copy_(start)
                    stops = {0: locate(objective, 0, number, float(now.loss), now.grads)}
            if stops:
                self.progress.stops[member] = stops[0]
                self.store(objective)
                del self.objectives_of[member], self.optimisers[member]
                break
        return losses[0]


def torch_optimiser(objective: Objective, lr: float) -> torch.optim.LBFGS:
    """torch's optimiser of an objective of one member, whose parameters it shares."""
    vector = nn.Parameter(objective.rows.values[0])  # shares its storage
    return torch.optim.LBFGS(
        [vector],
        lr=lr,
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
        tolerance_grad=TOLERANCE,
        tolerance_change=TOLERANCE,
    )


def step_(optimiser: torch.optim.LBFGS, objective: Objective, step: int) -> Evaluation:
    """One step on the data of that number: up to 20 iterations, in place. Returns the last evaluation."""
    (vector,) = optimiser.param_groups[0]["params"]
    evaluations: list[Evaluation] = []

    def closure() -> Tensor:
        evaluations[:] = [objective.evaluate(step)]
        vector.grad = evaluations[0].grads[0]
        return evaluations[0].total[0]

    optimiser.step(closure)  # pyright: ignore[reportArgumentType]
    return evaluations[0]


def save_optimiser(optimiser: torch.optim.LBFGS) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of torch's optimiser as flat tensors and plain values."""
    state = optimiser.state_dict()["state"].get(0, {})
    tensors, plain = {}, {}
    for name, value in state.items():
        if isinstance(value, Tensor):
            tensors[name] = value
        elif isinstance(value, list) and any(isinstance(entry, Tensor) for entry in value):
            if name != "al":  # scratch space of a step
                tensors[f"{name}[]"] = torch.stack(value)
        elif not isinstance(value, list):
            plain[name] = value
    return tensors, plain


def load_optimiser_(optimiser: torch.optim.LBFGS, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """Set a state that `save_optimiser` gave."""
    if not plain:
        return
    state: dict[str, Any] = dict(plain)
    for name, value in tensors.items():
        if name.endswith("[]"):
            state[name.removesuffix("[]")] = list(value.clone().unbind(0))
        else:
            state[name] = value.clone()
    state.setdefault("old_dirs", [])
    state.setdefault("old_stps", [])
    state.setdefault("ro", [])
    whole = optimiser.state_dict()
    whole["state"] = {0: state}
    optimiser.load_state_dict(whole)
