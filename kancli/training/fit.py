"""Training of a network, or of all members of an ensemble at once.

The losses and parameters of a member are those of its single run: to the bit for the same members, threads and kernel,
otherwise to rounding.

Shapes: s members (1 for a single model), n samples, P trained numbers of a member.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kancli.kan.layered import LayeredNetwork
from kancli.kan.modes import standard_modes
from kancli.tasks.task import Differential, Regression
from kancli.training import state as states
from kancli.training.engine import Engine
from kancli.training.kernels import use_compiled
from kancli.training.objectives import cast_samples
from kancli.training.options import Train, read_refinements
from kancli.training.regularisation import Penalty
from kancli.training.result import Row, TrainingResult, TrainingState
from kancli.training.state_check import read_plain


def fit_(
    model: LayeredNetwork,
    data: Regression | Differential,
    train: Train,
    *,
    seeds: Sequence[int] | None = None,
    eps: float = 0.02,
    penalty: Penalty | None = None,
    state: TrainingState | None = None,
    on_row: Callable[[Row], None] | None = None,
    on_state: Callable[[TrainingState], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Train a model's parameters in place.

    A member stops before an update if its loss reaches `train.target`, and keeps its parameters. It also stops if it
    diverges: if its loss or its gradient isn't finite, or its loss exceeds 1000 times its first. The others go on.

    Args:
        model: a single model or an ensemble; a refinement changes a KAN's grid, an adaptation its knots.
        data: in float64; cast to the model's dtype and device.
        train: the keys of training; optimiser, learning rate, steps and rows as `Train.resolved` fills them in.
        seeds: of the members, `[s]`, for the streams of mini-batches; None for 0, 1, ...
        eps: of grid adaptations: 1 for equal steps between knots, 0 for quantiles of the samples.
        penalty: weights of the regularisation; None for pykan's, where `train.lamb` is above 0.
        state: of an earlier call with the same arguments, to go on from; the model's parameters are set from it.
        on_row: called with each new row.
        on_state: called about every `train.save_s` seconds with a state to keep.
        should_stop: asked at least once a second or a step; True ends the training with what there is.

    Raises:
        ValueError: the state belongs to another model or optimiser, the seeds are not one a member, or numba is needed
            and isn't installed.
    """
    n_members = model.n_members or 1
    seeds = list(range(n_members)) if seeds is None else list(seeds)
    if len(seeds) != n_members:
        raise ValueError(f"{len(seeds)} seeds for {n_members} members")
    with standard_modes():
        run = _Run(model, data, train.resolved(task=True), seeds, eps, penalty, state)
        run.on_row, run.on_state = on_row, on_state
        try:
            ended = run.run(should_stop or (lambda: False))
            final = run.state()  # before the last row is added, which need not be at a multiple of `every`
            run.add_last_row(ended)
        finally:
            run.engine.write_to(model)
    stops = tuple(run.engine.progress.stops.get(member) for member in range(run.engine.n_members))
    return TrainingResult(tuple(run.rows), stops, final, run.engine.kernel, ended, tuple(run.refits))


def check_state(
    model: LayeredNetwork,
    data: Regression | Differential,
    train: Train,
    seeds: Sequence[int],
    eps: float,
    state: TrainingState,
) -> None:
    """Check that `fit_` with these arguments can go on from a state.

    Raises:
        ValueError: it cannot.
    """
    _Run(model, data, train.resolved(task=True), list(seeds), eps, None, state)


MESH_ROWS = 10  # the relative error is measured at every tenth row, and at the last


class _Run:
    """One call of `fit_`."""

    on_row: Callable[[Row], None] | None
    on_state: Callable[[TrainingState], None] | None

    def __init__(
        self,
        model: LayeredNetwork,
        data: Regression | Differential,
        train: Train,
        seeds: list[int],
        eps: float,
        penalty: Penalty | None,
        state: TrainingState | None,
    ) -> None:
        self.model, self.data, self.train, self.eps = model, data, train, eps
        self.rows: list[Row] = []
        self.refits: list[dict[str, object]] = []
        self.step, self.spent = 0, 0.0
        self.steps, self.every = train.steps or 0, train.every or 1
        if penalty is None and train.lamb:
            penalty = Penalty(train.lamb)
        recorded = None if state is None else read_plain(state).kernel
        compiled = use_compiled(model, data, train, penalty, recorded)
        self.engine = Engine(model, data, train, seeds, penalty, compiled=compiled)
        self.refinements = dict(read_refinements(train.refine)) if train.refine else {}
        self.test, self.mesh = None, None
        like = model.like
        if isinstance(data, Regression):
            self.test = cast_samples(data.test, like) if data.test else None
        self.mesh = cast_samples(data.mesh, like) if data.mesh else self.test
        if state is not None:
            self._load(state)
        self.started = self.saved = time.monotonic()

    @property
    def seconds(self) -> float:
        return self.spent + time.monotonic() - self.started

    def run(self, should_stop: Callable[[], bool]) -> str:
        """Train; return why the training ended."""
        while self.engine.members and self.step < self.steps:
            if should_stop():
                return "interrupted"
            if self.train.minutes is not None and self.seconds >= 60 * self.train.minutes:
                return "minutes"
            self._change_knots()
            if self.step % self.every == 0:
                self._row_and_step()
            else:
                self._advance(self._count_to_event())
            self._save_now_and_then()
        return "steps" if self.engine.members else "stopped"

    def add_last_row(self, ended: str) -> None:
        """A row of the parameters at the end, unless the training can go on from there."""
        if ended == "interrupted" or (self.rows and self.rows[-1].step == self.step):
            return
        errors = self._errors()
        self._add_row(self.step, self.engine.last_losses(self.step), errors)

    def state(self) -> TrainingState:
        return states.pack(self.engine, self.rows, self.step, self.seconds, self.refits)

    def _load(self, state: TrainingState) -> None:
        self.rows, self.refits = states.unpack_(self.engine, state)
        self.step, self.spent = state.step, state.plain["seconds"]

    def _count_to_event(self) -> int:
        """Number of steps until the next row, change of the knots, or the end."""
        events = [
            self.steps,
            (self.step // self.every + 1) * self.every,
            *(at for at in self.refinements if at > self.step),
        ]
        if self.train.adapt_every:
            events.append((self.step // self.train.adapt_every + 1) * self.train.adapt_every)
        return min(min(events) - self.step, self.engine.steps_at_a_time())

    def _change_knots(self) -> None:
        every = self.train.adapt_every
        if grid := self.refinements.get(self.step):
            self.refits.append({"step": self.step, "grid": grid, "residual": self.engine.refine(grid)})
        if every and self.step and self.step % every == 0:
            self.refits.append({"step": self.step, "grid": self.engine.grid, "residual": self.engine.adapt(self.eps)})

    def _row_and_step(self) -> None:
        errors, step = self._errors(mesh=len(self.rows) % MESH_ROWS == 0), self.step
        self._add_row(step, self._advance(self._count_to_event()), errors)

    def _add_row(self, step: int, losses: Tensor, errors: tuple[Tensor | None, Tensor | None]) -> None:
        """Args: losses: `[s]`, NaN of members that had stopped before."""
        stops = self.engine.progress.stops
        running = torch.ones(self.engine.n_members, dtype=torch.bool)
        for member, stop in stops.items():
            if stop.step < step:
                running[member], losses[member] = False, stop.loss
        row = Row(step, losses, *errors, self.seconds, running)
        self.rows.append(row)
        if self.on_row is not None:
            self.on_row(row)

    def _save_now_and_then(self) -> None:
        if self.on_state is not None and time.monotonic() - self.saved >= self.train.save_s:
            self.on_state(self.state())
            self.saved = time.monotonic()

    def _advance(self, count: int) -> Tensor:
        members = self.engine.members
        losses = self.engine.advance(self.step, count)
        done = torch.full((self.engine.n_members,), torch.nan, dtype=torch.float64)
        done[members] = losses.double().cpu()
        self.step += count
        return done

    def _errors(self, *, mesh: bool = True) -> tuple[Tensor | None, Tensor | None]:
        """Test loss and relative L2 error of all members, `[s]` each.

        Args:
            mesh: whether to measure the relative error: on a large mesh it takes as long as some steps.
        """
        errors = None if self.test is None else self.engine.squared_errors(self.test)
        test = None if self.test is None or errors is None else errors / self.test.y.numel()
        rel_l2 = None
        if self.mesh is not None and mesh:
            if errors is None or self.mesh is not self.test:
                errors = self.engine.squared_errors(self.mesh)
            rel_l2 = (errors / self.mesh.y.double().square().sum().cpu()).sqrt()
        elif self.mesh is not None:
            rel_l2 = torch.full((self.engine.n_members,), torch.nan, dtype=torch.float64)
        return test, rel_l2
