"""The networks of a race: those of runs, trained on a part of the data."""

import time

import numpy as np
import pytest
import torch

from kancli.config.compose import compose
from kancli.racing import networks
from kancli.racing.networks import Network
from kancli.runs.experiment import compute
from kancli.training.fit import fit_
from tests.compiled import needs_numba
from tests.racing.trainers import WORDS, train, trainer_of


@pytest.mark.parametrize("grid", ["grid=5", "grid.adapt=samples"])
def test_a_network_is_that_of_a_run_trained_on_the_rows_that_train(presets, grid):
    trainer = trainer_of(presets, "init=default,glorot", grid)
    batches = trainer.divide([Network(0, 3), Network(0, 4), Network(1, 4)])
    found = {}
    for batch in batches:
        done, errors = train(trainer, batch, 6)
        assert done.state.step == 6
        found |= {network: (errors.validation[n], errors.test[n]) for n, network in enumerate(batch.networks)}
    assert len(found) == 3
    run = compose([*WORDS, "init=default", grid, "seed=4"], presets).settings
    model = compute(run).model
    fit_(model, trainer.data.train, run.training, eps=run.grid.eps, seeds=[4])
    with torch.no_grad():
        validation, test = (
            (model(part.x.float()).double() - part.y).square().squeeze(-1)
            for part in (trainer.data.validation, trainer.data.test)
        )
    assert found[Network(0, 4)][0] == pytest.approx(float(validation.mean()), rel=1e-4)
    assert found[Network(0, 4)][1] == pytest.approx(test.numpy(), rel=1e-2, abs=1e-5)


@needs_numba
@pytest.mark.parametrize(("trial_seconds", "made"), [(600.0, 2999), (0.0, 1000)])  # up to the end, and one call
def test_the_time_of_a_step_is_that_of_one_of_many_in_a_call(presets, monkeypatch, trial_seconds, made):
    monkeypatch.setattr(networks, "TRIAL_SECONDS", trial_seconds)
    trainer = trainer_of(presets, "init=default,glorot", "train.compile=true", "train.steps=3000", steps=3000)
    (batch,) = trainer.divide([Network(0, 0), Network(0, 1)])
    trainer.seconds_a_step(batch)  # loads the kernels, which takes longer than the steps
    begin = time.monotonic()
    seconds = made * trainer.seconds_a_step(batch)
    assert 0 < seconds <= time.monotonic() - begin  # a trial takes no less time than its steps


def test_the_first_step_may_be_the_last(presets):
    trainer = trainer_of(presets, "init=default,glorot", steps=1)
    (batch,) = trainer.divide([Network(0, 0)])
    assert trainer.seconds_a_step(batch) > 0


def test_networks_that_diverge_are_lost(presets):
    trainer = trainer_of(presets, "init=default,glorot", "train.lr=1e5", "train.optimizer=sgd")
    (batch, *_) = trainer.divide([Network(0, 0)])
    _, errors = train(trainer, batch, 6)
    assert np.isnan(errors.validation).all()
    assert np.isnan(errors.test_loss).all()
    assert trainer.train(batch, 6, lambda: True) is None
