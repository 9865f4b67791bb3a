"""Texts of panels overlap neither one another nor the edge of the figure."""

import itertools

import numpy as np
import pytest

from kancli.figures import propagation, render
from kancli.figures.data import DepthProfile, NothingToDrawError
from kancli.figures.options import NAMES, FigureOptions
from kancli.sweeps.verdict_tables import Run
from tests.alike import slow_but
from tests.figures.panels import OPTIONS, make_data, plot_sweep, sweep_runs, verdict


def assert_nothing_overlaps(figure):
    """Check that panels with their labels fit the figure and do not overlap."""
    figure.canvas.draw()
    renderer, paper = figure.canvas.get_renderer(), figure.bbox.padded(1)
    bars = [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]
    plain = [axes for axes in figure.axes if axes not in bars]
    boxes = [axes.get_tightbbox(renderer) for axes in plain]
    for box in [*boxes, *(axes.get_tightbbox(renderer) for axes in bars)]:
        assert paper.x0 <= box.x0
        assert box.x1 <= paper.x1
        assert paper.y0 <= box.y0
        assert box.y1 <= paper.y1
    for one, other in itertools.combinations(boxes, 2):
        assert not one.padded(-1).overlaps(other.padded(-1))
    for axes in figure.axes:
        if axes.images:
            cells = [text.get_window_extent(renderer) for text in axes.texts]
            for one, other in itertools.combinations(cells, 2):
                assert not one.padded(-0.5).overlaps(other.padded(-0.5))
        for axis in (axes.xaxis, axes.yaxis):
            written = [text.get_window_extent(renderer) for text in axis.get_ticklabels() if text.get_text()]
            for one, other in itertools.pairwise(written):
                assert not one.padded(-0.5).overlaps(other.padded(-0.5))


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        {"width": [2, 5, 1]},
        {"width": [2] * 21, "n_seeds": 3},
        {"width": [64, 64, 10], "n_seeds": 2},
        {"width": [2, 8, 16, 8], "init": {"scheme": "pykan_0_2_8"}},
        {"width": [4, 5, 3], "init": {"scheme": "pykan_0_2_8", "sparse_init": True}},
        {"width": [3, 3, 3], "init": {"scheme": "glorot_fine"}, "inputs": {"kind": "normal", "std": 1e6}},
        {"width": [1, 1], "inputs": {"kind": "normal", "mean": 1234567.0, "std": 1e-3}, "dtype": "float64"},
    ],
)
def test_panels_do_not_overlap_and_fit_the_figure(config):
    data = make_data(stats={"level": "full", "ntk": {"n": 10}}, **config)
    for name in [name for name in NAMES if name != "network"]:
        try:
            figure = render.plot(name, data, OPTIONS)
        except NothingToDrawError:
            continue
        assert_nothing_overlaps(figure)


@pytest.mark.slow
def test_panels_of_a_sweep_do_not_overlap():
    long = ["2-32-32-32-1", "a_preset_with_a_very_long_name", *"abcdefgh"]
    for swept in ({"width": long}, {"width": long, "grid": [3, 5]}, {"grid": [3, 5], "width": long}):
        data = sweep_runs(**{name: values if name == "grid" else range(len(values)) for name, values in swept.items()})
        named = [
            Run({**keys, "width": long[int(keys["width"])]}, [
                verdict(name, (verdicts[0].value or 0) + 3.7 * int(keys["width"]))
                for name in ("rough", "nodes_degenerate", "spline_inert", "off_law")
            ])
            for keys, verdicts in data
        ]  # fmt: skip
        assert_nothing_overlaps(plot_sweep(named))


@pytest.mark.parametrize("style", slow_but(1, ["light", "dark"]))
@pytest.mark.parametrize("count", [1, 16])
def test_names_of_profiles_fit_the_figure(count, style):
    values = {"signal": {"middle": np.ones(9)}, "gradient": {"middle": np.ones(9) / 2}}
    name = "width=32-32-32-32-32-32-32-32-32 init=pykan_0_2_8 noise_scale=0.25"
    profiles = [DepthProfile(f"{name} grid={number}", values, {"signal": -0.5}) for number in range(count)]
    remarks = ["16 of 40 combinations: the 8 of smallest and the 8 of largest output std"]
    figure = propagation.plot_profiles(profiles, FigureOptions(style=style), {}, remarks)
    assert_nothing_overlaps(figure)
    (size,) = {text.get_fontsize() for text in figure.axes[-1].get_legend().get_texts()}
    assert float(size) >= 4
