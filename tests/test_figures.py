"""What is drawn is tested as data: curves are the functions, opacities follow the rule, shading starts at the grid."""

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb

from kancli import KAN, figures
from kancli.figures import network
from kancli.figures.scene import Scene
from kancli.figures.style import PALETTES
from kancli.stats import Collector


def scene(width=(2, 5, 1), n=100, **knobs):
    model = KAN(width=list(width), seed=0, dtype="float64", **knobs)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(n, width[0])))
    collector = Collector(model, scopes=True)
    collector.update(model.trace(x))
    return model, x, collector.scopes()


def lines(figure):
    return [each for each in figure.axes[0].collections if isinstance(each, LineCollection)]


def polygons(figure):
    return [each for each in figure.axes[0].collections if isinstance(each, PolyCollection)]


def test_curves_are_the_edge_functions_over_the_sampled_range():
    model, x, scopes = scene(noise_scale=3.0)
    curves = network.sample_curves(model.layers[0], scopes[0], "mean_abs")
    assert curves.n_edges == len(curves.sources) == 10
    assert curves.sources.tolist() == [0] * 5 + [1] * 5
    assert curves.targets.tolist() == [0, 1, 2, 3, 4] * 2
    np.testing.assert_allclose(curves.x[:, 0], x.numpy().min(0)[curves.sources])
    np.testing.assert_allclose(curves.x[:, -1], x.numpy().max(0)[curves.sources])
    places = torch.from_numpy(curves.x[[0, 5]].T.copy())
    postacts = model.layers[0].trace(places).postacts
    np.testing.assert_allclose(curves.y[:5], postacts[:, 0].detach().numpy().T, atol=1e-12)
    np.testing.assert_allclose(curves.y[5:], postacts[:, 1].detach().numpy().T, atol=1e-12)


def test_drawn_curves_at_a_sample_sum_to_the_layers_output():
    model, x, scopes = scene(noise_scale=3.0, grid=3)
    curves = network.sample_curves(model.layers[0], scopes[0], "mean_abs")
    total = np.zeros((len(x), 5))
    for e in range(10):
        total[:, curves.targets[e]] += np.interp(x[:, curves.sources[e]], curves.x[e], curves.y[e])
    assert np.abs(total - model.layers[0](x).detach().numpy()).max() < 0.02


@pytest.mark.parametrize("metric", ["mean_abs", "std"])
def test_opacity_is_tanh_of_beta_times_the_score(metric):
    model, _, scopes = scene()
    figure = figures.draw("network", Scene(model, scopes), figures.Figures(beta=2.0, metric=metric))
    wanted = np.tanh(2.0 * getattr(scopes[0], metric).ravel())
    links, _, ink = lines(figure)[:3]
    np.testing.assert_allclose(links.get_colors()[:, 3], np.tile(wanted, 2))
    np.testing.assert_allclose(ink.get_colors()[:, 3], wanted)


def test_the_drawn_line_is_the_curve_scaled_into_its_frame():
    model, _, scopes = scene(noise_scale=3.0)
    figure = figures.draw("network", Scene(model, scopes), figures.Figures())
    curves = network.sample_curves(model.layers[0], scopes[0], "mean_abs")
    ink = lines(figure)[2]
    for e, segment in enumerate(ink.get_segments()):
        slope, intercept = np.polyfit(curves.y[e], segment[:, 1], 1)
        np.testing.assert_allclose(slope * curves.y[e] + intercept, segment[:, 1], atol=1e-9)
        assert slope > 0


def test_shading_starts_at_the_grid():
    model, _, scopes = scene()
    figure = figures.draw("network", Scene(model, scopes), figures.Figures())
    frames, shades = ([np.asarray(path.vertices)[:4] for path in each.get_paths()] for each in polygons(figure)[:2])
    for edge, node in ((0, 0), (7, 1)):
        left, right = frames[edge][:, 0].min(), frames[edge][:, 0].max()
        inside = [
            shade[:, 0] for shade in shades if left - 1e-9 <= shade[:, 0].min() and shade[:, 0].max() <= right + 1e-9
        ]
        below, above = sorted(inside, key=np.min)
        low, high = scopes[0].low[node], scopes[0].high[node]
        assert below.min() == pytest.approx(left)
        assert (below.max() - left) / (right - left) == pytest.approx((-1 - low) / (high - low))
        assert (above.min() - left) / (right - left) == pytest.approx((1 - low) / (high - low))
        assert above.max() == pytest.approx(right)


def test_nothing_is_shaded_on_the_grid():
    model = KAN(width=[2, 3], seed=0)
    collector = Collector(model, scopes=True)
    collector.update(model.trace(torch.rand(50, 2) * 2 - 1))
    figure = figures.draw("network", Scene(model, collector.scopes()), figures.Figures())
    assert len(polygons(figure)[1].get_paths()) == 0


def test_one_value_is_a_level_line_shaded_if_off_the_grid():
    model = KAN(width=[2, 1], seed=0)
    collector = Collector(model, scopes=True)
    collector.update(model.trace(torch.tensor([[0.5, 3.0]])))
    figure = figures.draw("network", Scene(model, collector.scopes()), figures.Figures())
    for segment in lines(figure)[2].get_segments():
        assert np.ptp(segment[:, 0]) > 0.1
        assert np.ptp(segment[:, 1]) == 0
    assert len(polygons(figure)[1].get_paths()) == 1


def test_links_join_the_right_nodes():
    model, _, scopes = scene()
    figure = figures.draw("network", Scene(model, scopes), figures.Figures())
    nodes = [np.asarray(each.get_offsets()) for each in figure.axes[0].collections if len(each.get_offsets()) > 1]
    inputs, hidden = nodes[0], nodes[1]
    segments = np.array(lines(figure)[0].get_segments())
    for e in range(10):
        assert tuple(segments[e, 0]) == pytest.approx(tuple(inputs[e // 5]))
        assert tuple(segments[10 + e, 1]) == pytest.approx(tuple(hidden[e % 5]))
    assert inputs[0, 1] < hidden[0, 1], "inputs below, outputs above"


def test_names_and_title_are_written():
    model, _, scopes = scene()
    look = figures.Figures(in_vars=("left", "right"), out_vars=("f",), title="a title")
    texts = [text.get_text() for text in figures.draw("network", Scene(model, scopes), look).axes[0].texts]
    assert {"left", "right", "f", "a title"} <= set(texts)
    assert any("tanh(3" in text and "[-1, 1]" in text for text in texts)


def test_a_wide_layer_shows_its_strongest_edges_and_says_so():
    model, _, scopes = scene((30, 20))
    curves = network.sample_curves(model.layers[0], scopes[0], "mean_abs")
    assert len(curves.sources) == network.MOST_EDGES
    assert curves.score.min() >= np.sort(scopes[0].mean_abs.ravel())[-network.MOST_EDGES]
    texts = [t.get_text() for t in figures.draw("network", Scene(model, scopes), figures.Figures()).axes[0].texts]
    assert "strongest 200 of 600 edges shown" in texts


@pytest.mark.parametrize("width", [(1, 1), (2, 1), (4, 10, 10, 1), (2, *[3] * 20, 1), (64, 10)])
@pytest.mark.parametrize("knobs", [{}, {"noise_scale": 0, "base_fun": "zero"}, {"noise_scale": 1e30}])
def test_any_network_can_be_drawn(width, knobs):
    model, _, scopes = scene(width, **knobs)
    figures.draw("network", Scene(model, scopes), figures.Figures()).savefig(io.BytesIO(), dpi=30)


def test_non_finite_functions_are_marked():
    model, x, _ = scene()
    with torch.no_grad():
        model.layers[0].coef[0, 0] = torch.nan
    collector = Collector(model, scopes=True)
    collector.update(model.trace(x))
    figure = figures.draw("network", Scene(model, collector.scopes()), figures.Figures())
    figure.savefig(io.BytesIO(), dpi=30)
    assert "not\nfinite" in [text.get_text() for text in figure.axes[0].texts]


def test_frames_of_a_wide_layer_do_not_overlap():
    model, _, scopes = scene((4, 25))
    figure = figures.draw("network", Scene(model, scopes), figures.Figures())
    corners = np.array([np.asarray(path.vertices)[:4] for path in polygons(figure)[0].get_paths()])
    low, high = corners.min(1), corners.max(1)
    for e in range(len(low)):
        apart = (low > high[e]).any(1) | (high < low[e]).any(1)
        assert apart.sum() == len(low) - 1


def test_the_bytes_repeat():
    def digest():
        diagram = figures.draw("network", Scene(*scene()[::2]), figures.Figures())
        return hashlib.sha256(figures.encode(diagram, "png", 100)).hexdigest()

    assert digest() == digest()


FILES = """
import hashlib, sys
sys.path.insert(0, {root!r})
from kancli import figures
from kancli.figures.scene import Scene
from tests.test_figures import scene
model, _, scopes = scene(noise_scale=3.0)
for style in ("light", "dark"):
    look = figures.Figures(style=style, title="a title", in_vars=("x", "y"))
    figure = figures.draw("network", Scene(model, scopes), look)
    print(*(hashlib.sha256(figures.encode(figure, each, 100)).hexdigest() for each in figures.FORMATS))
"""


@pytest.mark.slow
def test_the_bytes_of_every_format_repeat_in_fresh_processes():
    root = str(Path(__file__).parents[1])
    outputs = [
        subprocess.run(
            [sys.executable, "-c", FILES.format(root=root)],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "TZ": zone, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in ((1, "UTC"), (2, "Asia/Tokyo"))
    ]
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].split())) == 2 * len(figures.FORMATS)


@pytest.mark.parametrize("style", ["light", "dark"])
def test_text_can_be_read_on_its_paper(style):
    """Contrast of at least 4.5 to 1 (WCAG 2.1), for lines 3 to 1 but for those told apart by their place."""
    palette = PALETTES[style]

    def luminance(colour):
        channels = np.array(to_rgb(colour))
        return np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ (
            0.2126,
            0.7152,
            0.0722,
        )

    def contrast(one, other):
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    assert contrast(palette.ink, palette.paper) > 7
    assert contrast(palette.ink, palette.shade) > 4.5
    assert contrast(palette.quiet, palette.paper) > 4.5
