"""The networks of a race, in batches that train together.

Shapes: s members, n samples.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kancli.config.settings import Settings
from kancli.errors import ConfigError, one_line
from kancli.kan.layered import LayeredNetwork
from kancli.racing.held_out import RaceData
from kancli.runs.batch import start_together
from kancli.runs.training import grid_eps
from kancli.sweeps.batches import batches
from kancli.training.evaluation import sample_errors
from kancli.training.fit import fit_
from kancli.training.kernels import use_compiled
from kancli.training.objectives import cast_samples
from kancli.training.options import Train
from kancli.training.regularisation import Penalty
from kancli.training.result import TrainingResult, TrainingState
from kancli.training.state import select_members

Array = np.ndarray

NO_ROWS = 10**9  # steps between two rows of losses: a race measures at the end of a round
TRIAL_SECONDS = 0.5


@dataclass(frozen=True)
class Network:
    """One network of a race."""

    candidate: int
    seed: int


@dataclass(frozen=True)
class Batch:
    """Networks that train together."""

    networks: Sequence[Network]
    state: TrainingState | None = None  # None before training

    def select(self, candidates: set[int]) -> Batch | None:
        """The networks of some candidates; None without any."""
        kept = [number for number, network in enumerate(self.networks) if network.candidate in candidates]
        if not kept:
            return None
        state = None if self.state is None else select_members(self.state, kept)
        return Batch([self.networks[number] for number in kept], state)


@dataclass(frozen=True)
class Errors:
    """How a batch does on the samples that do not train."""

    validation: Array  # [s]  mean squared error; NaN of networks that diverged
    test: Array  # [s, n]  squared error by sample

    @property
    def test_loss(self) -> Array:
        """`[s]`"""
        return np.where(np.isfinite(self.validation), self.test.mean(1), np.nan)


class Trainer:
    """Trains the networks of the candidates of a race.

    Args:
        settings: of each candidate.
        steps: of the final.
    """

    def __init__(self, settings: Sequence[Settings], data: RaceData, steps: int) -> None:
        self.settings, self.data, self.steps = settings, data, steps

    def divide(self, networks: Sequence[Network]) -> list[Batch]:
        """Batches of networks of one shape, before training."""
        runs = {number: self._run(network) for number, network in enumerate(networks)}
        return [Batch([networks[number] for number in numbers]) for numbers in batches(runs, 1)]

    def train(self, batch: Batch, steps: int, should_stop: Callable[[], bool]) -> tuple[Batch, Errors] | None:
        """Train a batch up to a step, and measure it; None if it was told to stop before."""
        model, result = self._fit(batch, steps, should_stop)
        if result.ended == "interrupted":
            return None
        like = model.like
        validation, test = (
            sample_errors(model, cast_samples(samples, like)).cpu().numpy()
            for samples in (self.data.validation, self.data.test)
        )
        lost = np.array([stop is not None and stop.reason == "diverged" for stop in result.stops])
        means = np.where(lost | ~np.isfinite(test).all(1), np.nan, validation.mean(1))
        return Batch(batch.networks, result.state), Errors(means, test)

    def seconds_a_step(self, batch: Batch) -> float:
        """The time of a step of a batch, by a short trial whose networks are thrown away."""
        begin = time.monotonic()
        _, first = self._fit(batch, 1, lambda: False)  # loads kernels and measures errors
        calls: list[float] = []  # kernels make many steps between two

        def should_stop() -> bool:
            calls.append(time.monotonic())
            return calls[-1] - calls[0] > TRIAL_SECONDS

        _, result = self._fit(Batch(batch.networks, first.state), self.steps, should_stop)
        if not calls:  # the first step is the last
            return time.monotonic() - begin
        end = calls[-1] if result.ended == "interrupted" else time.monotonic()
        return (end - calls[0]) / (result.state.step - first.state.step)

    def _fit(self, batch: Batch, steps: int, should_stop: Callable[[], bool]) -> tuple[LayeredNetwork, TrainingResult]:
        """Train a batch up to a step, or until it is told to stop."""
        runs = [self._run(network) for network in batch.networks]
        model = start_together(runs)
        train = self._train(runs[0], steps)
        penalty = Penalty(train.lamb) if train.lamb else None
        full = dataclasses.replace(train, steps=self.steps)
        compiled = use_compiled(model, self.data.train, full, penalty, None)
        try:
            result = fit_(
                model,
                self.data.train,
                dataclasses.replace(train, compile=compiled),
                seeds=[run.seed for run in runs],
                eps=grid_eps(runs[0]),
                state=batch.state,
                should_stop=should_stop,
            )
        except ValueError as error:
            if batch.state is None:
                raise
            raise ConfigError([f"a saved state of the race is damaged: {one_line(error)}; start it again"]) from None
        return model, result

    def _run(self, network: Network) -> Settings:
        return dataclasses.replace(self.settings[network.candidate], seed=network.seed)

    def _train(self, settings: Settings, steps: int) -> Train:
        return dataclasses.replace(settings.training, steps=steps, every=NO_ROWS, minutes=None)
