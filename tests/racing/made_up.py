"""Candidates whose losses are formulas, in place of networks."""

import dataclasses

import numpy as np
import torch

from kancli.config.compose import compose
from kancli.racing.candidates import Candidate, Entrants
from kancli.racing.networks import Batch, Errors
from kancli.racing.options import RaceOptions
from kancli.racing.race import Race
from kancli.racing.result import SCHEMA, CandidateRecord, RaceRecord
from kancli.training.result import TrainingState

N_SAMPLES = 200


class CurveTrainer:
    """Networks of a candidate have the loss `curve(steps)` times noise of their seed.

    Args:
        curves: by candidate; NaN for a network that diverged.
        noise: standard deviation of the log loss over seeds.
    """

    def __init__(self, curves, noise=0.1):
        self.curves, self.noise, self.trained = curves, noise, []

    def divide(self, networks):
        return [Batch(networks[start : start + 7]) for start in range(0, len(networks), 7)]

    def train(self, batch, steps, should_stop):
        if should_stop():
            return None
        begin = batch.state.step if batch.state else 0
        self.trained += [(network, steps - begin) for network in batch.networks if steps > begin]
        losses = np.array([self.loss(network, steps) for network in batch.networks])
        state = TrainingState(
            {"first_loss": torch.ones(len(losses)), "members": torch.arange(len(losses))},
            {"step": steps, "stops": {}, "optimizer": {"name": "adam"}},
        )
        return Batch(batch.networks, state), Errors(losses, np.repeat(losses[:, None], N_SAMPLES, 1))

    def loss(self, network, steps):
        rng = np.random.default_rng([network.candidate, network.seed])
        return self.curves[network.candidate](steps) * np.exp(self.noise * rng.normal())


def make_race(folder, trainer, presets, *, record=None, says=None, written=None, **options):
    """A race of made-up candidates; the last one is the default, and may win."""
    settings = compose(["task=f1", "width=in-2-out"], presets).settings
    names = [f"c{number}" for number in range(len(trainer.curves) - 1)] + ["default"]
    entrants = Entrants([Candidate(name, [], settings) for name in names], len(names) - 1, True, [], folder)
    options = dataclasses.replace(RaceOptions(), **options)
    record = record or RaceRecord(
        schema=SCHEMA, status="running", typed=[], options=options, task="made up", is_equation=False,
        samples={"train": 10, "validation": 10, "test": N_SAMPLES}, untrained={"validation": 1.0, "test": 1.0},
        steps=800, final_steps=800,
        candidates=[CandidateRecord(name, f"kan-run init={name}", "", True, False, 0.0) for name in names],
    )  # fmt: skip
    record = dataclasses.replace(record, status="running", options=options)  # as `resume` has it
    says, written = ([] if given is None else given for given in (says, written))
    return Race(folder, entrants, trainer, options, record, written.append, says.append)
