"""explain: the law's numbers against an ensemble, and where values come from. Nothing is run or written."""

import numpy as np
import pytest
import torch
from scipy.stats import qmc

from kancli.cli.explanation import expected
from kancli.config.validation import validate
from kancli.inits import SCHEMES
from tests.inits.test_families import BUDGETS, model_of


@pytest.mark.parametrize("name", BUDGETS)
def test_published_budgets(name):
    settings = validate({"width": [64, 64], "init": {"scheme": name}})
    (layer,) = expected(settings)
    forward, backward = BUDGETS[name]
    assert layer["base"] + layer["spline"] == pytest.approx(forward, abs=6e-4)
    assert layer["backward"] == pytest.approx(backward, rel=3e-3)


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("base", ["silu", pytest.param("zero", marks=pytest.mark.slow)])
def test_expected_squares_against_an_ensemble(name, base):
    settings = validate({"width": [6, 9], "init": {"scheme": name}, "base_fun": base})
    (wanted,) = expected(settings)
    x = torch.from_numpy(2 * qmc.Sobol(6, seed=0).random(256) - 1).requires_grad_()
    squares, slopes = [], []
    for seed in range(40):
        model = model_of((6, 9), settings.init, seed, base=base)
        y = model(x)
        squares.append(float(y.detach().square().mean()))
        (slope,) = torch.autograd.grad(
            (y * torch.from_numpy(np.random.default_rng(seed).choice([-1.0, 1.0], y.shape))).sum(), x
        )
        slopes.append(float(slope.square().mean()))
    for found, value in ((squares, wanted["base"] + wanted["spline"]), (slopes, wanted["backward"])):
        assert np.mean(found) == pytest.approx(value, abs=4.5 * np.std(found) / 40**0.5 + 0.02 * value)


def test_it_prints_the_numbers_and_leaves_nothing(kan_run, tmp_path):
    outcome = kan_run("explain", "init=glorot", "width=2-8-8-1", "grid=20")
    assert outcome.code == 0
    assert "N(0, 0.0345799)" in outcome.out
    assert list(tmp_path.iterdir()) == []
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_it_tells_where_values_come_from(kan_run):
    rows = {}
    out = kan_run("explain", "experiment=off_grid", "init=linear", "noise_scale_base=0.2", "k=2").out
    for line in out[out.index("\nkey ") :].splitlines():
        cells = line.split(maxsplit=2)
        if len(cells) == 3:
            rows[cells[0]] = (cells[1], cells[2].strip())
    assert rows["base_fun"] == ("identity", "preset init=linear")
    assert rows["init.noise_scale_base"] == ("0.2", "command line")
    assert rows["init.noise_scale"] == ("0", "preset init=linear")
    assert rows["inputs.n"] == ("1000", "experiment")
    assert rows["k"] == ("2", "command line")
    assert rows["seed"] == ("0", "config.yaml")


def test_mistakes_are_mistakes_here_too(kan_run):
    assert kan_run("explain", "init=gloro").code == 2
    assert kan_run("explane", "init=glorot").code == 2
