"""Each figure of one fixed run equals its record in `tests/golden/figures.json`; `--rewrite-golden` rewrites it."""

import dataclasses
import itertools

import numpy as np
import pytest
from matplotlib.text import Text

from kancli.config.validation import validate
from kancli.figures import compare, render, sweep
from kancli.figures.data import FigureData, Fit, TrainingData
from kancli.figures.options import NAMES, FigureOptions
from kancli.runs import experiment
from kancli.runs.build import laws_of
from kancli.stats.verdicts import Verdict
from kancli.sweeps.verdict_tables import Run, verdict_tables
from kancli.training.curves import Curves
from tests.figures.drawing import differences, differences_from_golden, drawn_data

CONFIG = {"width": [2, 4, 3, 1], "n_seeds": 2, "dtype": "float64", "stats": {"level": "full", "ntk": {"n": 20}}}


def figure_data(**config):
    result = experiment.compute(validate({**CONFIG, **config}))
    laws = laws_of(result.settings, result.model)
    data = FigureData(result.figure_model, result.ranges, result.stats, result.activations, laws)
    return dataclasses.replace(data, training=training_data(data))


def training_data(trained):
    steps = np.arange(0, 40, 10)
    losses = np.outer(1 / (1.0 + steps), [1.0, 2.0])
    curves = Curves(steps, 0.1 * steps, {"train_loss": losses, "test_loss": 2 * losses, "rel_l2": np.sqrt(losses)})
    x = np.array([[a, b] for a in (0.0, 1.0, 2.0) for b in (0.0, 1.0)])
    return TrainingData("f1: x*y", curves, Fit(x, x[:, :1] * x[:, 1:], x[:, :1]), trained)


def verdict(name, value):
    return Verdict(name, value, threshold=None, verdict=None, detail="")


@pytest.fixture(scope="module")
def data():
    return figure_data()


@pytest.fixture
def rewrite(pytestconfig):
    return pytestconfig.getoption("--rewrite-golden")


@pytest.mark.parametrize("name", NAMES)
def test_each_figure_equals_its_golden_record(name, data, rewrite):
    options = FigureOptions(in_vars=("x", "y"), title="a title", parts=True)
    assert differences_from_golden(name, render.plot(name, data, options), rewrite) == []


def test_runs_side_by_side_equal_their_golden_record(data, rewrite):
    runs = [("first", data), ("second", figure_data(seed=1))]
    assert differences_from_golden("compare", compare.plot(runs, FigureOptions()), rewrite) == []


@pytest.mark.parametrize("swept", [("noise_scale", "seed"), ("grid", "noise_scale")])
def test_a_sweep_equals_its_golden_record(swept, rewrite):
    runs = [
        Run(dict(zip(swept, values)), [verdict("rough", float(values[0]) + float(values[1]) / 8)])
        for values in itertools.product(("1", "2", "4"), ("1", "3"))
    ]
    name = f"sweep over {' and '.join(swept)}"
    assert (
        differences_from_golden(
            name, sweep.plot(verdict_tables(runs), FigureOptions(), {"rough": "roughness of an edge"}), rewrite
        )
        == []
    )


@pytest.mark.parametrize("change", ["colour", "point", "order", "text"])
def test_one_changed_artist_is_one_difference(data, change):
    figure = render.plot("network", data, FigureOptions())
    before = drawn_data(figure)
    curves = next(artist for artist in figure.artists if artist.get_gid() == "layer 0 curves")
    text = next(artist for artist in figure.artists if isinstance(artist, Text))
    segments = [np.array(segment) for segment in curves.get_segments()]
    if change == "colour":
        curves.set_color(curves.get_colors() * 0.99)
    elif change == "point":
        segments[0][50, 1] += 0.01
        curves.set_segments(segments)
    elif change == "order":
        curves.set_segments([segments[1], segments[0], *segments[2:]])
    else:
        text.set_text(text.get_text() + "!")
    ((record, _),) = differences(drawn_data(figure), before)
    assert record["artist"] == ("Text" if change == "text" else "LineCollection")
