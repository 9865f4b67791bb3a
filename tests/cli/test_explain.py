"""explain: budgets against an ensemble, and the origins of values. Nothing is run or written."""

import numpy as np
import pytest
import torch
from scipy.stats import norm, qmc

from kancli.cli.budgets import budget_tables, budgets, input_distribution
from kancli.config.validation import validate
from kancli.inits import SCHEMES
from kancli.runs.build import build_model
from tests.alike import slow_but
from tests.inits.test_families import BUDGETS, model_of


@pytest.mark.parametrize("name", BUDGETS)
def test_published_budgets(name):
    settings = validate({"width": [64, 64], "init": {"scheme": name}})
    (budget,) = budgets(settings)
    forward, backward = BUDGETS[name]
    assert budget.base + budget.spline == pytest.approx(forward, abs=6e-4)
    assert budget.backward == pytest.approx(backward, rel=3e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("base", ["silu", pytest.param("zero", marks=pytest.mark.slow)])
def test_budgets_are_the_means_of_an_ensemble(name, base):
    settings = validate({"width": [6, 9], "init": {"scheme": name}, "base_fun": base})
    (budget,) = budgets(settings)
    places = qmc.Sobol(6, seed=0).random(256)
    samples = norm.ppf(places) if input_distribution(settings) == "normal" else 2 * places - 1
    x = torch.from_numpy(samples).requires_grad_()
    squares, slopes = [], []
    for seed in range(40):
        model = model_of((6, 9), settings.init, seed, base=base)
        y = model(x)
        squares.append(float(y.detach().square().mean()))
        signs = torch.from_numpy(np.random.default_rng(seed).choice([-1.0, 1.0], y.shape))
        (slope,) = torch.autograd.grad((y * signs).sum(), x)
        slopes.append(float(slope.square().mean()))
    for sample, expected in ((squares, budget.base + budget.spline), (slopes, budget.backward)):
        assert np.mean(sample) == pytest.approx(expected, abs=4.5 * np.std(sample) / 40**0.5 + 0.02 * expected)


@pytest.mark.parametrize(
    ("config", "inputs", "sample"),
    slow_but(
        1,
        [
            ({"grid": {"range": [0, 5]}}, "x ~ U(0, 5)", lambda x: 5 * x),
            ({"init": {"scheme": "lecun"}, "grid": {"range": [-3, 1]}}, "x ~ U(-3, 1)", lambda x: 4 * x - 3),
            ({"init": {"scheme": "glorot", "distribution": "normal"}}, "x ~ N(0, 1)", norm.ppf),
        ],
    ),
)
def test_budgets_are_for_the_inputs_of_the_law(config, inputs, sample):
    settings = validate({"width": [4, 6], **config})
    (budget,) = budgets(settings)
    assert inputs in budget_tables(settings)[1]
    x = torch.from_numpy(sample(qmc.Sobol(4, seed=0).random(512))).float()
    members = build_model(validate({"width": [4, 6], "n_seeds": 200, **config}))
    squares = members(x).detach().double().square().mean(dim=(1, 2)).numpy()
    expected = budget.base + budget.spline
    assert np.mean(squares) == pytest.approx(expected, abs=4.5 * np.std(squares) / 200**0.5 + 0.01 * expected)


def test_explain_prints_the_law_and_writes_nothing(kan_run, tmp_path):
    outcome = kan_run("explain", "init=glorot", "width=2-8-8-1", "grid=20")
    assert outcome.code == 0
    assert "N(0, 0.0345799)" in outcome.out
    assert list(tmp_path.iterdir()) == []
    assert max(map(len, outcome.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["glorot"], ["init=glorot"]),
        (["linear", "grid=7"], ["init=linear", "grid=7"]),
        (["deep"], ["width=deep"]),
    ],
)
def test_explain_takes_the_bare_name_of_a_preset(kan_run, words, same):
    outcome = kan_run("explain", *words)
    assert outcome.code == 0
    assert outcome.out == kan_run("explain", *same).out


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("spline_inert", "share of the spline branches"),
        ("off_grid", "most values off the grid"),
        ("spline_share", "sum of the spline branches' variances"),
        ("effective_rank", "sum of eigenvalues"),
        ("ntk", "ntk.trace"),
        ("non_finite", "exit code 3"),
        ("seed", "seed of all random streams"),
        ("inputs", "inputs.std"),
    ],
)
def test_explain_defines_one_verdict_or_statistic(kan_run, name, part):
    outcome = kan_run("explain", name)
    assert outcome.code == 0
    assert part in " ".join(outcome.out.split())
    assert len(outcome.out.splitlines()) < 40


def test_explain_of_nothing_known(kan_run):
    outcome = kan_run("explain", "splin_inert")
    assert outcome.code == 2
    assert outcome.err == (
        "kan-run: explain splin_inert: no preset, verdict, statistic or key of this name; did you mean spline_inert?\n"
    )


def test_explain_names_the_origin_of_each_value(kan_run):
    rows = {}
    out = kan_run("explain", "experiment=off_grid", "init=linear", "noise_scale_base=0.2", "k=2", "inputs.std=3").out
    for line in out[out.index("\nkey ") :].splitlines():
        cells = line.split(maxsplit=2)
        if len(cells) == 3:
            rows[cells[0]] = (cells[1], cells[2].strip())
    assert rows["base_fun"] == ("identity", "preset init=linear")
    assert rows["init.noise_scale_base"] == ("0.2", "command line")
    assert rows["init.noise_scale"] == ("0", "preset init=linear")
    assert rows["inputs.n"] == ("1000", "experiment")
    assert rows["inputs.std"] == ("3", "command line")
    assert rows["k"] == ("2", "command line")
    assert rows["seed"] == ("0", "config.yaml")


def test_explain_answers_a_wrong_config(kan_run):
    outcome = kan_run("explain", "init=gloro")
    assert outcome.code == 2
    assert "init=gloro" in outcome.err


def test_explain_shows_the_gain_in_use(kan_run):
    """The std of U(-1, 1), of N(0, 1) and of U(0, 6), unless a gain is given."""
    for words, gain in (
        ([], "0.57735: the inputs' std"),
        (["distribution=normal"], "1: the inputs' std"),
        (["grid.range=[0,6]"], "1.73205: the inputs' std"),
        (["gain=1.5"], "1.5: as given"),
    ):
        outcome = kan_run("explain", "init=glorot", *words)
        assert outcome.code == 0
        assert f"\ngain {gain}\n" in outcome.out
        assert "exact, by quadrature" in outcome.out
    assert "\ngain" not in kan_run("explain", "init=default").out


FACTS = {
    "f2": ["exp(sin(pi*x)+y^2)", "2 inputs, 1 output", "[-1, 1]^2", "4000 uniform samples", "arXiv 2509.03417"],
    "feynman_I.29.16": ["3 inputs, 1 output", "30^3 points", "AI Feynman"],
    "feynman_I.18.4": ["singular", "rank no networks"],
    "task=f4": ["S(z)*C(z), z=f3+erfinv(y)", "fresnel_s(i1(x)+exp(i1e(y))"],
    "burgers": ["u_t + u u_x = 0.01/pi u_xx", "4096 points, and 192 on the border", "residual-based, detached"],
    "poisson": ["u_xx + u_yy + 2 pi^2 sin(pi x) sin(pi y) = 0", "441 points", "factor 0.01"],
    "task=x0*x5": ["6 inputs", "relative L2 norm on the test samples"],
    "task=none": ["measured at its initialisation"],
}


@pytest.mark.parametrize("word", FACTS)
def test_a_task_is_explained_whatever_the_width(kan_run, word):
    outcome = kan_run("explain", word)
    assert outcome.code == 0
    text = " ".join(outcome.out.split())
    assert all(part in text for part in FACTS[word])
    assert max(map(len, outcome.out.splitlines())) <= 88


def test_a_task_and_a_law_are_explained_together(kan_run):
    outcome = kan_run("explain", "task=f2", "width=in-3-out", "init=glorot")
    assert "exp(sin(pi*x)+y^2)" in outcome.out
    assert "0  2-3" in outcome.out
    assert "forward   4000 of the training samples" in outcome.out
    assert kan_run("explain", "task=f77").code == 2
