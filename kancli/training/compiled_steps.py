"""Steps of Adam by numba: a single update, or many steps of some members in one call of a kernel.

The numbers are the same to the bit, however many steps a call makes.

Shapes: s members, b steps of a call, P parameters of a member.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kancli.kan.compiled.kernels import CHUNK
from kancli.kan.shares import in_threads
from kancli.tasks.task import Samples
from kancli.training import steps_kernel as kernel
from kancli.training.compiled import CompiledRegression
from kancli.training.objectives import Objective
from kancli.training.optimisers import BETAS, EPS, Adam
from kancli.training.steps import GradientSteps

SECONDS_A_FACTOR = 2.5e-9  # of a sum over edges, forward and backward
MAX_SECONDS, MAX_STEPS = 0.05, 1000  # of a call, about: an interruption waits for its end
ANY = float(torch.finfo(torch.float64).max)


class CompiledAdam(Adam):
    """`Adam` by a kernel, which rounds in the same way in a call of one step and of many."""

    def update_(self, values: Tensor, grads: Tensor) -> None:
        first, second = self.moments_of(values)
        ((step_size, root),) = self.corrections(1)
        self.n_steps += 1
        arrays = (tensor.numpy() for tensor in (values, grads, first, second))
        kernel.adam_of_members(*arrays, BETAS, EPS, step_size, root, self.kept_share)


@dataclass(frozen=True)
class Steps:
    """What some steps have led to."""

    losses: np.ndarray  # [s, b]  before each step, in the parameters' dtype
    errors: np.ndarray  # [s, b]  float64, sums of squared errors over the test samples after it
    made: np.ndarray  # [s]  updates; fewer than b for a member that ended early


def steps_at_a_time(objective: Objective, optimiser: Any) -> int:
    """The number of steps that a call may make; 1 where `make_steps` can make none."""
    if not (isinstance(objective, CompiledRegression) and isinstance(optimiser, CompiledAdam)):
        return 1
    layout, n, n_members = objective.tables.layout, len(objective.samples.x), len(objective.members)
    if objective.batch is not None or not objective.tables.all_train or not n_members:
        return 1
    n_threads, n_chunks = torch.get_num_threads(), -(-n // CHUNK)
    if n_members < n_threads and n_chunks > max(1, layout.least_share(CHUNK)):
        return 1  # threads share the samples of each member, which takes less time than the calls
    seconds = SECONDS_A_FACTOR * n * layout.n_factors * -(-n_members // n_threads)
    return int(min(MAX_STEPS, max(1, MAX_SECONDS / seconds)))


def make_steps(
    objective: CompiledRegression,
    optimiser: CompiledAdam,
    count: int,
    *,
    largest: Tensor | None = None,
    target: float | None = None,
    test: Samples | None = None,
) -> Steps:
    """Make some steps; a member ends before the first whose loss or gradient is not finite, or loss out of bounds.

    Args:
        objective, optimiser: of which `steps_at_a_time` is above 1; changed in place.
        largest: a loss above this is out of bounds, float64 `[s]`; None for no such bound.
        target: a loss at or below this is out of bounds; None for no such bound.
        test: samples to compute the errors of after each step.
    """
    tables, train = objective.tables, objective.samples
    layout, values, n_members = tables.layout, tables.values(), len(objective.members)
    first, second = (moment.numpy() for moment in optimiser.moments_of(objective.rows.values))
    step_sizes, roots = np.array(optimiser.corrections(count)).T.copy()
    bounds = np.full(n_members, ANY) if largest is None else largest.numpy()
    steps = Steps(
        np.full((n_members, count), np.nan, values.dtype), np.zeros((n_members, count)), np.zeros(n_members, np.int64)
    )
    test = Samples(train.x[:0], train.y[:0]) if test is None else test
    samples = [tensor.contiguous().numpy() for part in (train, test) for tensor in (part.x, part.y)]
    where = (layout.layers, layout.grid, layout.ends, *samples, tables.mask)
    how = (BETAS, EPS, step_sizes, roots, optimiser.kept_share, bounds, np.nan if target is None else target)
    out = (values, first, second, steps.losses, steps.errors, steps.made)
    least = layout.least_share(count * len(train.x))
    in_threads(lambda begin, end: kernel.member_steps(begin, end, *where, *how, *out), n_members, least)
    optimiser.n_steps += count
    return steps


class CompiledSteps(GradientSteps):
    """`GradientSteps`, many in one call where that is possible."""

    def steps_at_a_time(self) -> int:
        return steps_at_a_time(self.objective, self.optimiser)

    def advance(self, step: int, count: int) -> Tensor:
        losses = None
        while count and self.members and (most := self.steps_at_a_time()) > 1:
            is_first = self.progress.are_new(self.members)
            part = 1 if is_first else min(count, most)
            loss = self._make_steps(step, part, is_first=is_first)
            losses = loss if losses is None else losses
            step, count = step + part, count - part
        if not count or not self.members:
            assert losses is not None
            return losses
        loss = super().advance(step, count)
        return loss if losses is None else losses

    def _make_steps(self, step: int, count: int, *, is_first: bool) -> Tensor:
        """Losses before the first of some steps, `[s]`."""
        objective, optimiser = self.objective, self.optimiser
        assert isinstance(objective, CompiledRegression)
        assert isinstance(optimiser, CompiledAdam)
        # The first loss has no bound but to be finite: its own thousandfold.
        largest = None if is_first else self.progress.largest_losses(objective.members)
        steps = make_steps(objective, optimiser, count, largest=largest, target=self.target)
        losses = torch.from_numpy(steps.losses)
        if is_first:
            self.progress.note_losses(objective.members, losses[:, 0].double())
        if (steps.made < count).any():
            self._take_out_stopped(step, steps.made, count)
        return losses[:, 0]

    def _take_out_stopped(self, step: int, made: np.ndarray, count: int) -> None:
        """Take out members that made fewer steps than `count`, from `step` on: each as at the step that it missed."""
        stops = {}
        for missed in np.unique(made[made < count]).tolist():
            found = self._find_stops(step + missed, self.objective.evaluate(step + missed))
            stops |= {number: found[number] for number in np.flatnonzero(made == missed).tolist()}
        self._take_out(stops, [number for number in range(len(made)) if number not in stops])
