"""Steps of an optimiser for the members that still run, all at once; a member that stops is taken out.

Shapes: s members, P trained numbers of a member.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kancli.kan.threads import one_thread
from kancli.training.divergence import largest_loss, locate
from kancli.training.objectives import Evaluation, Objective
from kancli.training.optimisers import Optimiser
from kancli.training.result import Stop


@dataclass
class Progress:
    """What steps have led to.

    Attributes:
        first_loss: of each member of the whole run, `[s]`; NaN before its first step.
        stops: by number of the member in the whole run.
    """

    first_loss: Tensor
    stops: dict[int, Stop] = field(default_factory=dict)

    def are_new(self, members: list[int]) -> bool:
        """Whether some of the members have no first loss yet."""
        return bool(self.first_loss[members].isnan().any())

    def note_losses(self, members: list[int], loss: Tensor) -> None:
        """Keep the losses `[s]`, float64, of members that have none yet, as their first."""
        first = self.first_loss[members]
        self.first_loss[members] = torch.where(first.isnan(), loss, first)

    def largest_losses(self, members: list[int]) -> Tensor:
        """Beyond which the members diverge, `[s]`."""
        return largest_loss(self.first_loss[members])


class GradientSteps:
    """Steps by the gradients of an objective and an optimiser.

    Args:
        make_objective: the objective of some members, with their parameters as they stand in the whole ensemble.
        optimiser: its moments are those of the members.
        target: a member stops whose loss is not above this; None for no target.
        store: writes the parameters of an objective's members to the whole ensemble.
    """

    def __init__(
        self,
        make_objective: Callable[[list[int]], Objective],
        members: list[int],
        optimiser: Optimiser,
        progress: Progress,
        *,
        target: float | None,
        store: Callable[[Objective], None],
    ) -> None:
        self.make_objective, self.optimiser, self.progress = make_objective, optimiser, progress
        self.target, self.store = target, store
        self.objective = make_objective(members)

    @property
    def members(self) -> list[int]:
        """Numbers of the members that still run."""
        return self.objective.members

    def steps_at_a_time(self) -> int:
        """Up to how many steps `advance` makes in a twentieth of a second."""
        return 1

    def advance(self, step: int, count: int) -> Tensor:
        """Make some steps, fewer if all members stop.

        Returns:
            The losses at the first of them, before its update, `[s]` of the members that ran then.
        """
        losses = None
        for number in range(step, step + count):
            if not self.members:
                break
            loss = self._step(number)
            losses = loss if losses is None else losses
        assert losses is not None
        return losses

    def objectives(self) -> list[Objective]:
        """The objectives of the members that still run."""
        return [self.objective] if self.members else []

    def reload(self) -> None:
        """Take up the parameters and knots of the whole ensemble, and go on with the optimiser."""
        rba = self.objective.rba
        self.objective = self.make_objective(self.members)
        self.objective.rba = rba

    def optimizer_state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors `[s, P]` and plain values."""
        return self.optimiser.moments, {"n_steps": self.optimiser.n_steps}

    def set_optimizer_state(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Set what `optimizer_state` gave."""
        self.optimiser.moments, self.optimiser.n_steps = tensors, plain["n_steps"]

    def _step(self, step: int) -> Tensor:
        now = self.objective.evaluate(step)
        self.objective.rba, grads = now.rba, now.grads
        if stops := self._find_stops(step, now):
            keep = [number for number in range(len(now.loss)) if number not in stops]
            self._take_out(stops, keep)
            grads = grads[keep]
        if self.members:
            with one_thread():  # more gain nothing here, and to wait for a busy core is slow
                self.optimiser.update_(self.objective.rows.values, grads)
        return now.loss

    def _find_stops(self, step: int, now: Evaluation) -> dict[int, Stop]:
        return find_stops(self.objective, self.progress, step, now.loss, now.grads, self.target)

    def _take_out(self, stops: dict[int, Stop], keep: list[int]) -> None:
        """Leave only the members `keep`, by number within the objective."""
        old = self.objective
        self.store(old)
        self.progress.stops.update({old.members[number]: stop for number, stop in stops.items()})
        self.objective = self.make_objective([old.members[number] for number in keep])
        self.objective.rba = None if old.rba is None else old.rba[keep]
        self.optimiser.moments = {name: tensor[keep] for name, tensor in self.optimiser.moments.items()}


def find_stops(
    objective: Objective,
    progress: Progress,
    step: int,
    loss: Tensor,
    grads: Tensor | None,
    target: float | None,
) -> dict[int, Stop]:
    """The members that stop before the update of a step, by number within the objective; notes the first losses.

    Args:
        loss: `[s]`; grads: `[s, P]`, or None where no update follows.
    """
    loss = loss.double().cpu()
    if progress.are_new(objective.members):
        progress.note_losses(objective.members, loss)
    failed = ~(loss <= progress.largest_losses(objective.members))
    if grads is not None:
        failed |= ~grads.isfinite().all(-1).cpu()
    if target is None and not failed.any():
        return {}
    stops = {
        number: locate(objective, number, step, float(loss[number]), grads)
        for number in failed.nonzero().flatten().tolist()
    }
    if target is not None:
        reached = ((loss <= target) & ~failed).nonzero().flatten().tolist()
        stops |= {number: Stop(step, "target", float(loss[number])) for number in reached}
    return stops
