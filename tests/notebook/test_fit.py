"""`KAN.fit` and `KAN.refine`: pykan's code with only its import changed, its results, and what kancli has not."""

import copy
import inspect
import io
import pickle
import random
import sys

import numpy as np
import pytest
import torch

from kancli.config.fit_arguments import PYKAN_FIT, PYKAN_METHODS
from kancli.errors import ConfigError
from kancli.notebook import KAN, create_dataset


def product(n=40, **options):
    return create_dataset(lambda x: x[:, 0] * x[:, 1], train_num=n, test_num=n // 2, **options)


def rmse(model, dataset, part):
    with torch.no_grad():
        return float((model(dataset[f"{part}_input"]) - dataset[f"{part}_label"]).square().mean().sqrt())


def test_a_fit_gives_the_losses_of_the_model_before_and_after():
    model, dataset = KAN([2, 3, 1], dtype="float64", seed=1), product()
    before = rmse(model.to(torch.float64), {name: tensor.double() for name, tensor in dataset.items()}, "train")
    curves = model.fit(dataset, opt="Adam", steps=3, lr=0.01, update_grid=False)
    assert list(curves) == ["train_loss", "test_loss", "reg"]
    assert [len(curve) for curve in curves.values()] == [3, 3, 3]
    assert curves["train_loss"][0] == pytest.approx(before)
    after = rmse(model, {name: tensor.double() for name, tensor in dataset.items()}, "test")
    assert curves["test_loss"][-1] == pytest.approx(after)
    assert f"{curves['reg'][-1]:.3f}" == f"{curves['reg'][-1].item():.3f}"


def test_the_defaults_are_those_of_pykan():
    arguments = inspect.signature(KAN.fit).parameters
    given = {name: arguments[name].default for name in list(arguments)[2:-1]}
    assert given == {
        "opt": "LBFGS", "steps": 100, "log": 1, "lamb": 0, "lamb_l1": 1, "lamb_entropy": 2, "lamb_coef": 0,
        "lamb_coefdiff": 0, "update_grid": True, "grid_update_num": 10, "loss_fn": None, "lr": 1,
        "start_grid_update_step": -1, "stop_grid_update_step": 50, "batch": -1, "metrics": None,
    }  # fmt: skip


@pytest.mark.slow
def test_the_first_cells_of_hello_kan(default_float64):
    model = KAN(width=[2, 5, 1], grid=3, k=3, seed=42)
    f = lambda x: torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2)  # noqa: E731
    dataset = create_dataset(f, n_var=2, train_num=200, test_num=200)
    model(dataset["train_input"])
    model.plot()
    start = rmse(model, dataset, "train")
    first = model.fit(dataset, opt="LBFGS", steps=10, lamb=0.001)
    assert first["train_loss"][-1] < 0.1 * start
    model.plot()
    model = model.refine(10)
    second = model.fit(dataset, opt="LBFGS", steps=10)
    assert second["train_loss"][-1] < 0.5 * first["train_loss"][-1]
    assert model.plot()._repr_png_()
    assert model.stats(dataset["test_input"])["layers"][1]["output"]


@pytest.mark.slow
def test_a_fit_leaves_no_trace_but_in_the_model(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    dataset = product()
    kept = {name: tensor.clone() for name, tensor in dataset.items()}
    before = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())
    KAN([2, 2, 1]).fit(dataset, steps=2, batch=10)
    after = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert all(torch.equal(dataset[name], kept[name]) for name in kept)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_the_next_fit_draws_other_batches():
    dataset, options = product(), {"opt": "Adam", "steps": 1, "lr": 1e-12, "batch": 5, "update_grid": False}
    model = KAN([2, 2, 1], seed=3)
    losses = [model.fit(dataset, **options)["train_loss"][0] for _ in range(2)]
    again = KAN([2, 2, 1], seed=3)
    assert losses[0] != losses[1]
    assert [again.fit(dataset, **options)["train_loss"][0] for _ in range(2)] == losses


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    KAN([2, 1]).fit(product(), opt="Adam", steps=2, lr=0.01)
    out, err = capsys.readouterr()
    assert out == ""
    assert "training" in err


def test_the_members_of_a_run_are_fitted_together(kan_run):
    run = kan_run("n_seeds=3", "width=2-2-1", "figures=none")
    model = KAN.load(run.folder)
    curves = model.fit(product(), opt="Adam", steps=4, lr=0.01)
    assert np.array(curves["train_loss"]).shape == (4, 3)
    assert (np.array(curves["train_loss"][-1]) < curves["train_loss"][0]).all()
    assert model(torch.zeros(5, 2)).shape == (3, 5, 1)
    assert model.refine(7).layers[0].coef.shape == (3, 2, 2, 10)


def test_another_grid_is_another_model():
    model, x = KAN([2, 3, 1], grid=4, dtype="float64"), torch.rand(50, 2, dtype=torch.float64) * 1.8 - 0.9
    with torch.no_grad():
        before = model.layers[0].spline(x)
        refined = model.refine(8)
        torch.testing.assert_close(refined.layers[0].spline(x), before, rtol=0, atol=1e-12)
    assert (refined.layers[0].grid, model.layers[0].grid) == (8, 4)
    assert (repr(refined), repr(model)) == tuple(
        f"KAN(width=[2, 3, 1], grid={grid}, k=3, init=default, seed=0)" for grid in (8, 4)
    )
    with torch.no_grad():
        refined.layers[0].coef.zero_()
    assert model.layers[0].coef.any()
    assert refined.stats(x)["layers"][0]["coef"]["std"] == 0
    with pytest.raises(ConfigError, match="new_grid=0: allowed: integer, 1 to 100000"):
        model.refine(0)


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ({"stepz": 3}, TypeError, r"fit\(\) has no argument stepz; did you mean steps\?"),
        ({"metric": []}, TypeError, "did you mean metrics"),
        ({"xyz": 3}, TypeError, "allowed: opt, steps, log, .*, loss_fn, metrics"),
        ({"opt": "adam"}, ConfigError, "opt=adam: allowed: one of LBFGS, Adam; did you mean Adam"),
        ({"batch": 0}, ConfigError, "batch=0: allowed: -1 for all samples"),
        (
            {"lr": -1, "steps": 2.5},
            ConfigError,
            r"(?s)steps=2\.5: allowed: integer.*lr=-1: allowed: .*> 0",
        ),
        ({"metrics": [rmse, rmse]}, ConfigError, r"metrics=\[rmse,rmse\]: allowed: functions without arguments"),
        ({"metrics": [3]}, ConfigError, r"metrics=\[null\]: allowed: functions"),
    ],
)
def test_mistakes_are_answered(argument, error, message):
    with pytest.raises(error, match=message):
        KAN([2, 1]).fit(product(), **argument)


OTHER_VALUES = {
    "save_fig": True, "in_vars": ["a"], "out_vars": ["b"], "beta": 10, "save_fig_freq": 5, "img_folder": "./pictures",
    "singularity_avoiding": True, "y_th": 10.0, "reg_metric": "edge_backward", "display_metrics": ["train_loss"],
}  # fmt: skip


@pytest.mark.parametrize("name", PYKAN_FIT)
def test_arguments_of_pykan_alone_are_named_as_such(name):
    wanted = f"^{name}=.*: an argument of pykan's fit without a counterpart in kancli: "
    with pytest.raises(ConfigError, match=wanted) as caught:
        KAN([2, 1]).fit(product(), steps=1, **{name: OTHER_VALUES[name]})
    assert "\n" not in str(caught.value)


def test_arguments_of_pykan_alone_may_have_its_defaults():
    dataset, defaults = product(), {name: default for name, (default, _) in PYKAN_FIT.items()}
    plain = KAN([2, 1]).fit(dataset, steps=2)
    assert KAN([2, 1]).fit(dataset, steps=2, **defaults) == plain


@pytest.mark.parametrize("name", PYKAN_METHODS)
def test_methods_of_pykan_alone_are_named_as_such(name):
    model = KAN([2, 1])
    wanted = f"^KAN has no {name}, a method of pykan without a counterpart in kancli: "
    with pytest.raises(AttributeError, match=wanted):
        getattr(model, name)
    assert not hasattr(model, name)


def test_the_warning_of_a_failure_points_at_the_call():
    with pytest.warns(RuntimeWarning, match=r"fit: step 1 gives numbers that are not finite .* smaller lr") as caught:
        KAN([2, 2, 1]).fit(product(), opt="Adam", steps=2, lr=1e30)
    assert caught[0].filename == __file__


def test_other_attributes_are_missing_as_in_torch():
    with pytest.raises(AttributeError, match="'KAN' object has no attribute 'nothing'"):
        KAN([2, 1]).nothing  # noqa: B018


def test_a_model_that_cannot_be_fitted_says_why():
    with pytest.raises(ValueError, match=r"no parameter requires gradients; type model\.requires_grad_\(True\)"):
        KAN([2, 1]).requires_grad_(False).fit(product())
    with pytest.raises(ConfigError, match=r"standardises its bases over the samples; type update_grid=False"):
        KAN([2, 1], init="lecun_norm").fit(product())
    with pytest.raises(TypeError, match=r"fit: the model is float16; type model\.float\(\) before"):
        KAN([2, 1]).half().fit(product())
    curves = KAN([2, 1], init="lecun_norm").fit(product(), opt="Adam", lr=0.01, steps=3, update_grid=False)
    assert curves["train_loss"][2] < curves["train_loss"][0]


def test_the_state_of_a_fitted_model_loads_into_a_fresh_one():
    """The fit has moved the knots, which are part of the state."""
    fitted, fresh, dataset = KAN([2, 3, 1], seed=0), KAN([2, 3, 1], seed=1), product()
    fitted.fit(dataset, steps=2)
    assert fitted.layers[0].per_input_knots
    fresh.load_state_dict(fitted.state_dict())
    with torch.no_grad():
        assert torch.equal(fresh(dataset["test_input"]), fitted(dataset["test_input"]))


@pytest.mark.parametrize(
    "mode",
    [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", dtype=torch.bfloat16)],
    ids=["no_grad", "inference_mode", "autocast"],
)
def test_modes_of_torch_change_no_number_of_a_fit(mode):
    plain, within, dataset = KAN([2, 3, 1], seed=0), KAN([2, 3, 1], seed=0), product()
    curves = plain.fit(dataset, steps=2)
    with mode():
        assert within.fit(dataset, steps=2) == curves
        assert within.stats(dataset["test_input"]) == plain.stats(dataset["test_input"])
    assert all(torch.equal(a, b) for a, b in zip(within.parameters(), plain.parameters(), strict=True))
    assert not torch.is_autocast_enabled("cpu")


def test_a_fitted_model_is_copied_and_saved_as_it_is():
    model, x = KAN([2, 3, 1], seed=0), product()["test_input"]
    model.fit(product(), steps=2)
    stored = io.BytesIO()
    torch.save(model, stored)
    stored.seek(0)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(stored, weights_only=False)]
    with torch.no_grad():
        assert all(torch.equal(copied(x), model(x)) for copied in copies)
