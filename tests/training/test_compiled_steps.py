"""Tests of many steps in one call of a kernel: nobody can tell it from single steps."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch

from kancli.tasks.task import Regression, Samples
from kancli.training.fit import fit_
from kancli.training.options import Train
from kancli.training.pykan_fit import fit_like_pykan_
from kancli.training.pykan_options import FitOptions
from tests.compiled import needs_numba
from tests.training.networks import kan, regression

pytestmark = [pytest.mark.slow, needs_numba]  # a kernel takes ten seconds of compilation

ADAM = Train(optimizer="adam", lr=0.01, steps=40, every=10, compile=True)


@pytest.fixture
def calls(monkeypatch):
    """The numbers of steps of the kernel's calls; `calls.limit(1)` lets it make single steps only."""
    from kancli.training import compiled_steps

    class Calls(list):
        def limit(self, most):
            monkeypatch.setattr(compiled_steps, "MAX_STEPS", most)

    made, make_steps = Calls(), compiled_steps.make_steps

    def counted(objective, optimiser, count, **options):
        made.append(count)
        return make_steps(objective, optimiser, count, **options)

    monkeypatch.setattr(compiled_steps, "make_steps", counted)
    return made


def equal(first, second):
    torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)


def same(first, second):
    assert [row.step for row in first.rows] == [row.step for row in second.rows]
    for mine, theirs in zip(first.rows, second.rows, strict=True):
        for name in ("train_loss", "test_loss", "running"):
            equal(getattr(mine, name), getattr(theirs, name))
    assert repr(first.stops) == repr(second.stops)  # in which NaN equals NaN
    assert first.state.tensors.keys() == second.state.tensors.keys()
    for name, tensor in first.state.tensors.items():
        if name != "rows.seconds":
            equal(tensor, second.state.tensors[name])


def near_its_end(model, member, error):
    """Data that a member fits but for a small error, so that a step of usual size is divergence."""
    data = regression(n=700)
    with torch.no_grad():
        y = model(data.train.x.float())[member].double()
    return Regression(Samples(data.train.x, y + error), data.test, data.mesh)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_steps_together_are_single_steps_to_the_bit(calls, optimizer):
    train = dataclasses.replace(ADAM, optimizer=optimizer)
    shape = {"n_members": 3, "dtype": torch.float32, "bias": True, "masked": True}
    results = []
    for most in (1000, 7, 1):
        calls.limit(most)
        results.append(fit_(kan(**shape), regression(n=700), train))
    assert {10, 7} <= set(calls)
    same(results[0], results[1])
    same(results[0], results[2])


def test_members_that_end_within_a_call_end_at_their_own_steps(calls):
    data, results = near_its_end(kan(n_members=4, dtype=torch.float32), 1, 1e-6), []
    whole = fit_(kan(n_members=3, dtype=torch.float32), data, dataclasses.replace(ADAM, every=1))
    target = float(whole.rows[25].train_loss[[0, 2]].min())  # the first of two to reach it does so by step 25
    for most in (1000, 1):
        calls.limit(most)
        model = kan(n_members=4, dtype=torch.float32)
        with torch.no_grad():
            model.layers[1].scale_base[3] = torch.nan
        results.append(fit_(model, data, dataclasses.replace(ADAM, target=target)))
    same(*results)
    stops = results[0].stops
    assert stops[1].describe().startswith("target reached at step 0")
    assert stops[3].describe() == "diverged at step 0: layers.1.scale_base"
    assert 0 < min(stop.step for stop in (stops[0], stops[2]) if stop is not None) <= 25


def test_divergence_within_a_call_is_named_by_its_step_and_tensor(calls):
    data, results = near_its_end(kan(n_members=2, dtype=torch.float32), 1, 1e-5), []
    for most in (1000, 1):
        calls.limit(most)
        results.append(fit_(kan(n_members=2, dtype=torch.float32), data, ADAM))
    same(*results)
    first, second = results[0].stops
    assert first is None
    assert second.reason == "diverged"
    assert 0 < second.step < 10
    assert second.tensor.endswith(" gradient")


def test_the_bounds_are_those_of_single_steps_by_torch(calls):
    data = near_its_end(kan(n_members=2, dtype=torch.float32), 1, 1e-5)
    results = [fit_(kan(n_members=2), data, dataclasses.replace(ADAM, compile=kernel)) for kernel in (True, False)]
    assert max(calls) > 1
    mine, theirs = (result.stops[1] for result in results)
    assert (mine.step, mine.layer, mine.tensor) == (theirs.step, theirs.layer, theirs.tensor)
    assert mine.loss == pytest.approx(theirs.loss, rel=1e-9)
    for ours, plain in zip(*(result.rows for result in results), strict=True):
        torch.testing.assert_close(ours.train_loss, plain.train_loss, rtol=1e-9, atol=0)


@pytest.mark.parametrize("after", [1, 3])
def test_a_resumed_training_ends_as_one_without_a_pause(calls, after):
    calls.limit(4)
    data, asked = regression(n=700), iter(range(after))
    wanted = fit_(kan(n_members=2), data, ADAM)
    first = fit_(kan(n_members=2), data, ADAM, should_stop=lambda: next(asked, None) is None)
    assert 0 < first.state.step < 40
    same(fit_(kan(n_members=2, seed=9), data, ADAM, state=first.state), wanted)


def fit(options, members=None):
    data, model = regression(n=700), kan(n_members=members, dtype=torch.float32)
    train, test = (Samples(part.x.float(), part.y.float()) for part in (data.train, data.test))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        curves = fit_like_pykan_(model, train, test, options, seeds=range(members or 1), eps=0.02)
    values = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    return curves, values, [str(warning.message) for warning in caught]


@pytest.mark.parametrize(("lr", "members"), [(0.01, None), (0.01, 2), (3e37, 2)])
def test_the_curves_of_fit_are_those_of_single_steps(monkeypatch, calls, lr, members):
    monkeypatch.setattr("kancli.training.pykan_steps.use_compiled", lambda *_: True)
    options = FitOptions(opt="Adam", steps=30, lr=lr, update_grid=False)
    together = fit(options, members)
    assert calls[0] == 29
    calls.limit(1)
    single = fit(options, members)
    for name, curve in together[0].items():
        np.testing.assert_array_equal(curve, single[0][name], err_msg=name)
    assert torch.equal(together[1], single[1])
    assert together[2] == single[2]
    assert bool(together[2]) == (lr > 1)
