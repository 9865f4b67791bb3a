"""Tests of training by pykan's steps and curves, against torch.optim on a network restated in the tests."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from kancli.tasks.task import Samples
from kancli.training.pykan_fit import fit_like_pykan_, format_losses
from kancli.training.pykan_options import FitOptions
from tests.oracles import training as oracle
from tests.training.networks import kan, regression

ADAM = FitOptions(opt="Adam", steps=20, lr=0.01, update_grid=False)


def fit(model, options, *, train=None, test=None, seeds=None, **further):
    data = regression(n_out=model.width[-1])
    seeds = range(model.n_members or 1) if seeds is None else seeds
    return fit_like_pykan_(model, train or data.train, test or data.test, options, seeds=seeds, eps=0.02, **further)


def oracle_losses(model, steps):
    """RMSE on training samples before each step of Adam, and on test samples after it."""
    layers, knots, data = oracle.copy_of(model), oracle.knots_of(model), regression()

    def loss(samples):
        return (oracle.forward(layers, samples.x, knots, model.layers[0].k) - samples.y).square().mean()

    tests = []

    def loss_of(step):
        tests.append(math.sqrt(float(loss(data.test).detach())))
        return loss(data.train)

    trained = oracle.train(layers, loss_of, steps, lr=0.01)
    return np.sqrt(trained[:-1]), tests[1:]


def test_curves_of_adam_are_those_of_torch_optim():
    train, test = oracle_losses(kan(), 20)
    curves = fit(kan(), ADAM)
    np.testing.assert_allclose(curves["train_loss"], train, rtol=1e-9)
    np.testing.assert_allclose(curves["test_loss"], test, rtol=1e-9)
    assert curves["reg"][:-1] == [0] * 19
    assert curves["reg"][-1] > 0


@pytest.mark.slow
def test_the_compiled_kernels_give_the_same_curves(monkeypatch):
    pytest.importorskip("numba")
    curves = fit(kan(), ADAM)
    called = []
    monkeypatch.setattr("kancli.training.pykan_steps.use_compiled", lambda *_: called.append(True) or True)
    compiled = fit(kan(), ADAM)
    assert called
    for name, curve in curves.items():
        np.testing.assert_allclose(compiled[name], curve, rtol=1e-9, err_msg=name)


def test_the_function_of_the_loss_takes_prediction_and_label():
    curves = fit(kan(), ADAM, loss_fn=lambda prediction, label: ((prediction - label) ** 2).mean())
    np.testing.assert_allclose(curves["train_loss"], fit(kan(), ADAM)["train_loss"], rtol=1e-9)
    doubled = fit(kan(), dataclasses.replace(ADAM, steps=1), loss_fn=lambda a, b: 2 * ((a - b) ** 2).mean())
    assert doubled["train_loss"][0] ** 2 == pytest.approx(2 * curves["train_loss"][0] ** 2)


def test_labels_of_classes_stay_whole_numbers():
    data = regression()
    train, test = (Samples(part.x, (part.x[:, 0] > 0).long()) for part in (data.train, data.test))
    model = kan((2, 3, 2))
    before = torch.nn.functional.cross_entropy(model(train.x), train.y)
    curves = fit(model, ADAM, train=train, test=test, loss_fn=torch.nn.CrossEntropyLoss())
    assert curves["train_loss"][0] == pytest.approx(float(before.detach().sqrt()))
    assert curves["train_loss"][-1] < curves["train_loss"][0]


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match=r"loss_fn returned shape \[60, 1\]: allowed: a tensor of one number"):
        fit(kan(), ADAM, loss_fn=lambda prediction, label: prediction - label)


@pytest.mark.slow
@pytest.mark.parametrize("opt", ["Adam", "LBFGS"])
def test_members_train_as_they_do_alone(opt):
    options = dataclasses.replace(ADAM, opt=opt, steps=4, lamb=0.01, batch=20, update_grid=True)
    together = fit(kan(n_members=2), options, seeds=(7, 8))
    for member in range(2):
        alone = fit(kan(seed=member), options, seeds=(7 + member,))
        for name, curve in alone.items():
            ours = np.array(together[name])
            assert ours.shape == (4, 2)
            np.testing.assert_allclose(ours[:, member], curve, rtol=1e-5, err_msg=name)


def test_batches_depend_on_the_seed_and_the_step_alone():
    options = dataclasses.replace(ADAM, batch=10)
    first = fit(kan(), options)
    torch.rand(3)
    assert fit(kan(), options) == first
    assert fit(kan(), options, seeds=(5,)) != first
    assert fit(kan(), options, first_step=20) != first
    assert fit(kan(), dataclasses.replace(ADAM, batch=10**6)) == fit(kan(), ADAM)


@pytest.mark.slow
def test_the_regularisation_counts_by_its_weight():
    weak, strong = (fit(kan(), dataclasses.replace(ADAM, lamb=lamb)) for lamb in (1e-9, 1.0))
    assert weak["reg"][0] == strong["reg"][0]
    assert strong["reg"][-1] < weak["reg"][-1]
    assert strong["train_loss"][-1] > weak["train_loss"][-1]


@pytest.mark.slow
@pytest.mark.parametrize("lamb", [0, 0.1])
def test_dense_products_give_the_same_curves(monkeypatch, lamb):
    options = dataclasses.replace(ADAM, lamb=lamb, update_grid=True, grid_update_num=25)
    curves = fit(kan(), options)
    for module in ("pykan_objective", "regularisation"):
        monkeypatch.setattr(f"kancli.training.{module}.has_dense_bases", lambda model: False)
    plain = fit(kan(), options)
    for name, curve in curves.items():
        np.testing.assert_allclose(curve, plain[name], rtol=1e-8, err_msg=name)


@pytest.mark.slow
def test_lbfgs_reaches_a_small_loss():
    curves = fit(kan(), FitOptions(steps=10))
    assert curves["train_loss"][-1] < 0.1 * curves["train_loss"][0]
    assert len(curves["test_loss"]) == 10


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (FitOptions(), [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]),
        (FitOptions(start_grid_update_step=8, stop_grid_update_step=20, grid_update_num=4), [10, 15]),
        (FitOptions(stop_grid_update_step=3), [0, 1, 2]),
        (FitOptions(stop_grid_update_step=0), []),
        (FitOptions(update_grid=False), []),
    ],
)
def test_steps_of_grid_updates(options, wanted):
    assert [step for step in range(100) if options.updates_grid(step)] == wanted


def test_a_grid_update_lays_the_knots_over_the_samples():
    data, model = regression(low=-3, high=2), kan()
    fit(model, dataclasses.replace(ADAM, steps=1, update_grid=True), train=data.train)
    knots = model.layers[0].knots
    assert knots.shape == (2, 12)
    torch.testing.assert_close(knots[:, 3], data.train.x.amin(0))
    torch.testing.assert_close(knots[:, -4], data.train.x.amax(0))
    untouched = kan()
    fit(untouched, ADAM)
    assert untouched.layers[0].knots.shape == (12,)


@pytest.mark.parametrize("opt", ["Adam", "LBFGS"])
def test_parameters_without_gradients_stay(opt):
    model = kan()
    model.layers[0].scale_base.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    fit(model, dataclasses.replace(ADAM, opt=opt, steps=2))
    kept = [name for name, tensor in model.named_parameters() if torch.equal(tensor, before[name])]
    assert kept == ["layers.0.scale_base"]


@pytest.mark.parametrize("opt", ["Adam", "LBFGS"])
def test_a_member_that_fails_keeps_its_parameters_and_the_others_go_on(opt):
    model = kan(n_members=2)
    with torch.no_grad():
        model.layers[1].coef[0, 0, 0, 3] = torch.inf
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    wanted = r"member 0: step 0 gives numbers that are not finite \(layers.1.coef\)"
    with pytest.warns(RuntimeWarning, match=wanted) as caught:
        curves = fit(model, dataclasses.replace(ADAM, opt=opt, steps=3))
    assert len(caught) == 1
    assert all(torch.equal(tensor[0], before[name][0]) for name, tensor in model.named_parameters())
    assert curves["train_loss"][-1][1] < curves["train_loss"][0][1]


def test_metrics_see_the_model_after_each_step():
    model, data = kan(), regression()

    def error():
        return (model(data.test.x) - data.test.y).square().mean().sqrt()

    curves = fit(model, ADAM, metrics=[error])
    np.testing.assert_allclose(curves["error"], curves["test_loss"], rtol=1e-12)
    assert all(type(value) is float for value in curves["error"])


def test_an_interrupted_fit_keeps_what_it_has():
    model = kan()
    before = model.layers[0].coef.clone()

    def interrupt(step, entries):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(model, ADAM, on_step=interrupt)
    twice = kan()
    fit(twice, dataclasses.replace(ADAM, steps=2))
    assert not torch.equal(model.layers[0].coef, before)
    torch.testing.assert_close(model.layers[0].coef, twice.layers[0].coef)


def test_the_text_of_the_bar():
    entries = {"train_loss": np.array([0.01, 0.03]), "test_loss": np.float32(0.5), "reg": np.float64(12.34), "other": 1}
    assert format_losses(entries) == "train_loss: 2.00e-02 | test_loss: 5.00e-01 | reg: 1.23e+01"
