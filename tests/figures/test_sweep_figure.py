"""The figure of a sweep: numbers of verdicts against the swept keys, with their bounds."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from scipy import stats

from kancli.figures import sweep
from kancli.figures.data import NothingToDrawError
from kancli.figures.style import PALETTES
from kancli.stats.glossary import meanings
from kancli.sweeps.verdict_tables import Run, verdict_tables
from tests.figures.panels import OPTIONS, drawn, plot_sweep, sweep_runs, verdict


def test_a_statistic_against_one_key_with_bands_over_seeds():
    """Of a ratio: the geometric mean, and Student's t of the logs."""
    data = sweep_runs("signal_explodes", noise_scale=[3, 1, 2], seed=range(5))
    (axes,) = plot_sweep(data).axes
    (line,) = drawn(axes)
    logs = np.log(np.add.outer([1, 2, 3], [0, 0.1, 0.2, 0.3, 0.4]))
    np.testing.assert_allclose(line, np.stack([[1, 2, 3], np.exp(logs.mean(1))], axis=1))
    ends = np.asarray(axes.collections[0].get_paths()[0].vertices)
    margin = stats.t.ppf(0.975, 4) * np.std(logs[1], ddof=1) / math.sqrt(5)
    at = ends[ends[:, 0] == 2, 1]
    assert (at.min(), at.max()) == pytest.approx(tuple(np.exp(logs[1].mean() + np.array([-margin, margin]))))
    assert axes.get_xlabel() == "noise_scale"
    assert axes.get_ylabel().replace("\n", " ") == meanings()["signal_explodes"], "the quantity, not the verdict's name"


BOUNDS = {"rough": (2.0, 2.5), "signal_vanishes": (0.1, 0.001)}


def test_the_bounds_of_a_verdict_are_lines_where_they_lie_near_its_numbers():
    runs = [Run({"noise_scale": str(n)}, [verdict("rough", n), verdict("signal_vanishes", 1 / n)]) for n in (1, 2, 3)]
    rough, signal = sweep.plot(verdict_tables(runs), OPTIONS, meanings(), BOUNDS).axes
    _, warn, fail = drawn(rough)
    assert (warn[:, 1].tolist(), fail[:, 1].tolist()) == ([2, 2], [2.5, 2.5])
    assert [text.get_text() for text in rough.texts] == ["warns ≥ 2", "fails ≥ 2.5"]
    assert [line[0, 1] for line in drawn(signal)[1:]] == [0.1, 0.001]
    assert signal.get_ylim()[0] < 0.001
    far = sweep.plot(verdict_tables(runs), OPTIONS, meanings(), {"rough": (50.0, None), "signal_vanishes": (-9, None)})
    assert [text.get_text() for axes in far.axes for text in axes.texts] == ["↑ warns ≥ 50", "↓ warns ≤ -9"]
    assert [len(drawn(axes)) for axes in far.axes] == [1, 1]
    assert far.axes[0].get_ylim()[1] < 4, "a far bound does not squash the data"


def test_cells_that_reach_a_bound_are_outlined():
    runs = [Run({"a": a, "b": b}, [verdict("rough", 1.0 + int(a) + int(b) / 4)]) for a in "01" for b in "012"]
    figure = sweep.plot(verdict_tables(runs), OPTIONS, meanings(), BOUNDS)
    outlines = {
        (patch.get_center()[1], patch.get_center()[0]): patch.get_edgecolor() for patch in figure.axes[0].patches
    }
    warn, fail = (to_rgba(colour) for colour in PALETTES["light"].bounds)
    assert outlines == {(1, 0): warn, (1, 1): warn, (1, 2): fail}
    assert figure.axes[0].get_title(loc="left").endswith("\noutlined where it warns ≥ 2, fails ≥ 2.5")


def test_a_statistic_over_two_keys_is_a_heat_map():
    figure = plot_sweep(sweep_runs(grid=[3, 5], noise_scale=[0, 1, 2]))
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.get_images()[0].get_array(), [[30, 31, 32], [50, 51, 52]])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "1", "2"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["3", "5"]
    assert [text.get_text() for text in axes.texts] == ["30", "31", "32", "50", "51", "52"]


def test_values_that_are_not_numbers_keep_their_order():
    runs = [Run({"init": name}, [verdict("rough", value)]) for name, value in (("b", 2.0), ("a", 1.0))]
    (axes,) = plot_sweep(runs).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["b", "a"]
    np.testing.assert_array_equal(drawn(axes)[0], [[0, 2], [1, 1]])


@pytest.mark.parametrize(
    ("swept", "says"),
    [({"seed": [0, 1]}, "nothing besides the seed"), ({"a": [1, 2], "b": [1, 2], "c": [1, 2]}, "a, b, c differs"),
     ({"a": [1, 2]}, "the same in all runs")],
)  # fmt: skip
def test_a_sweep_that_cannot_be_plotted_raises(swept, says):
    with pytest.raises(NothingToDrawError, match=says):
        plot_sweep(sweep_runs(**swept))
