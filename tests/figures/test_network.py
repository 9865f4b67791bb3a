"""What is drawn is tested as data: curves are the functions, opacities follow the rule, shading starts at the grid."""

import hashlib
import io
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from kancli.figures import compare, network, render
from kancli.figures.data import FigureData
from kancli.figures.diagram import overview
from kancli.figures.diagram.canvas import fit_text, text_width
from kancli.figures.diagram.curves import sample_curves
from kancli.figures.diagram.layout import Layout
from kancli.figures.options import FORMATS, FigureOptions
from kancli.figures.style import PALETTES
from kancli.notebook import KAN
from kancli.stats.collector import Collector


def make_data(width=(2, 5, 1), n=100, **knobs):
    model = KAN(width=list(width), seed=0, dtype="float64", **knobs)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(n, width[0])))
    return data_of(model, x)


def data_of(model, x):
    """The figure data of a model for the samples x."""
    traces = model.trace(x)
    collector = Collector(model, ranges=True)
    collector.update(traces)
    kept = {"inputs" if number == 0 else f"layers.{number}.preacts": each.preacts for number, each in enumerate(traces)}
    return FigureData(model, collector.compute()[1], activations=kept)


def plot(data, **options):
    return render.plot("network", data, FigureOptions(**options))


def part(figure, name):
    """The artist of that name."""
    (sampled,) = (artist for artist in figure.artists if artist.get_gid() == name)
    return sampled


def shapes(figure, name):
    return [np.asarray(path.vertices) for path in part(figure, name).get_paths()]


def texts(figure):
    return [each for each in figure.artists if isinstance(each, Text)]


def sample(data, number=0, metric="mean_abs"):
    return sample_curves(data, number, metric)


def test_curves_are_the_edge_functions_over_the_sampled_range():
    data = make_data(noise_scale=3.0)
    sampled, x = sample(data), data.activations["inputs"].numpy()
    assert sampled.scores.size == len(sampled.sources) == 10
    assert sampled.sources.tolist() == [0] * 5 + [1] * 5
    assert sampled.targets.tolist() == [0, 1, 2, 3, 4] * 2
    np.testing.assert_allclose(sampled.x[:, 0], x.min(0)[sampled.sources])
    np.testing.assert_allclose(sampled.x[:, -1], x.max(0)[sampled.sources])
    layer = data.model.layers[0]
    trace = layer.trace(torch.from_numpy(sampled.x[[0, 5]].T.copy()))
    for node, edges in ((0, slice(0, 5)), (1, slice(5, 10))):
        np.testing.assert_allclose(sampled.y[edges], trace.postacts[:, node].detach().numpy().T, atol=1e-12)
        base = layer.scale_base[node] * trace.base[:, node, None]
        np.testing.assert_allclose(sampled.base[edges], base.detach().numpy().T, atol=1e-12)
        spline = layer.scale_sp[node] * trace.spline[:, node]
        np.testing.assert_allclose(sampled.spline[edges], spline.detach().numpy().T, atol=1e-12)


def test_drawn_curves_at_a_sample_sum_to_the_layers_output():
    """What is drawn: lines in frames, taken back to x and phi by the frames' ranges."""
    data = make_data(noise_scale=3.0, grid=3)
    figure, sampled, x = plot(data), sample(data), data.activations["inputs"].numpy()
    total = np.zeros((len(x), 5))
    for e, (line, frame) in enumerate(zip(shapes(figure, "layer 0 curves"), shapes(figure, "layer 0 frames"))):
        left, right, low, high = frame[:, 0].min(), frame[:, 0].max(), line[:, 1].min(), line[:, 1].max()
        node = sampled.sources[e]
        places = np.interp(line[:, 0], [left, right], [x[:, node].min(), x[:, node].max()])
        values = np.interp(line[:, 1], [low, high], [sampled.y[e].min(), sampled.y[e].max()])
        total[:, sampled.targets[e]] += np.interp(x[:, node], places, values)
    assert np.abs(total - data.model.layers[0](data.activations["inputs"]).detach().numpy()).max() < 0.02


@pytest.mark.parametrize("metric", ["mean_abs", "std"])
def test_opacity_is_tanh_of_beta_times_the_score(metric):
    data = make_data()
    figure = plot(data, beta=2.0, metric=metric)
    expected = np.tanh(2.0 * getattr(data.ranges[0], metric).ravel())
    np.testing.assert_allclose(part(figure, "layer 0 links").get_colors()[:, 3], np.tile(expected, 2))
    np.testing.assert_allclose(part(figure, "layer 0 curves").get_colors()[:, 3], expected)
    np.testing.assert_allclose(part(figure, "layer 0 borders").get_edgecolors()[:, 3], expected)
    entry = {"mean_abs": "opacity tanh(2 · mean |φ|)", "std": "opacity tanh(2 · std of φ)"}[metric]
    assert entry in [text.get_text() for text in texts(figure)]


def test_the_drawn_line_is_the_curve_scaled_into_its_frame():
    data = make_data(noise_scale=3.0)
    figure, sampled = plot(data), sample(data)
    for e, line in enumerate(shapes(figure, "layer 0 curves")):
        slope, intercept = np.polyfit(sampled.y[e], line[:, 1], 1)
        np.testing.assert_allclose(slope * sampled.y[e] + intercept, line[:, 1], atol=1e-9)
        assert slope > 0
        frame = shapes(figure, "layer 0 frames")[e]
        assert frame[:, 1].min() < line[:, 1].min()
        assert line[:, 1].max() < frame[:, 1].max()


def test_base_and_spline_parts_add_up_to_the_curve():
    """All three in one frame's scale, so that the sum holds for what is drawn."""
    figure, sampled = plot(make_data(noise_scale=3.0), parts=True), sample(make_data(noise_scale=3.0))
    for e in range(10):
        whole, base, spline = (
            shapes(figure, f"layer 0 {name}")[e][:, 1] for name in ("curves", "base parts", "spline parts")
        )
        slope, zero = np.polyfit(sampled.y[e], whole, 1)
        np.testing.assert_allclose((base - zero) + (spline - zero), whole - zero, atol=1e-9)
        np.testing.assert_allclose(base, slope * sampled.base[e] + zero, atol=1e-9)
    assert not any("parts" in (artist.get_gid() or "") for artist in plot(make_data()).artists)


def test_the_rug_marks_the_samples():
    data = make_data(n=7)
    figure = plot(data)
    marks = np.asarray(part(figure, "layer 0 samples").get_path().vertices)[::2, 0].reshape(10, 7)
    x = data.activations["inputs"].numpy()
    for e, frame in enumerate(shapes(figure, "layer 0 frames")):
        node = e // 5
        left, right = frame[:, 0].min(), frame[:, 0].max()
        expected = np.interp(x[:, node], [x[:, node].min(), x[:, node].max()], [left, right])
        np.testing.assert_allclose(np.sort(marks[e]), np.sort(expected))
    assert "samples" in [text.get_text() for text in texts(figure)]
    assert not any("samples" in (artist.get_gid() or "") for artist in plot(data, sample=False).artists)


def test_shading_starts_at_the_grid():
    data = make_data()
    figure = plot(data)
    frames, shades = shapes(figure, "layer 0 frames"), shapes(figure, "layer 0 off the grid")
    for edge, node in ((0, 0), (7, 1)):
        left, right = frames[edge][:, 0].min(), frames[edge][:, 0].max()
        inside = [
            shade[:, 0] for shade in shades if left - 1e-9 <= shade[:, 0].min() and shade[:, 0].max() <= right + 1e-9
        ]
        below, above = sorted(inside, key=np.min)
        low, high = data.ranges[0].low[node], data.ranges[0].high[node]
        assert below.min() == pytest.approx(left)
        assert (below.max() - left) / (right - left) == pytest.approx((-1 - low) / (high - low))
        assert (above.min() - left) / (right - left) == pytest.approx((1 - low) / (high - low))
        assert above.max() == pytest.approx(right)


def test_nothing_is_shaded_on_the_grid():
    figure = plot(data_of(KAN(width=[2, 3], seed=0), torch.rand(50, 2) * 2 - 1))
    assert shapes(figure, "layer 0 off the grid") == []


def test_one_value_is_a_level_line_shaded_if_off_the_grid():
    figure = plot(data_of(KAN(width=[2, 1], seed=0), torch.tensor([[0.5, 3.0]])))
    for line in shapes(figure, "layer 0 curves"):
        assert np.ptp(line[:, 0]) > 0.1
        assert np.ptp(line[:, 1]) == 0
    assert len(shapes(figure, "layer 0 off the grid")) == 1


def test_links_join_the_right_nodes():
    figure = plot(make_data())
    inputs, hidden = (np.array([dot[:-1].mean(0) for dot in shapes(figure, f"nodes {layer}")]) for layer in (0, 1))
    links = shapes(figure, "layer 0 links")
    for e in range(10):
        assert tuple(links[e][0]) == pytest.approx(tuple(inputs[e // 5]), abs=1e-6)
        assert tuple(links[10 + e][1]) == pytest.approx(tuple(hidden[e % 5]), abs=1e-6)
    assert inputs[0, 1] < hidden[0, 1], "inputs below, outputs above"


def test_names_title_and_the_grid_are_written():
    figure = plot(make_data(), in_vars=("left", "right"), out_vars=("f",), title="a title")
    assert {"left", "right", "f", "a title", "off the grid [-1, 1]"} <= {text.get_text() for text in texts(figure)}


def test_ticks_are_the_ranges():
    data = make_data(noise_scale=3.0)
    written = [text.get_text() for text in texts(plot(data, tick=True))]
    sampled = sample(data)
    for e in range(10):
        for value in (sampled.x[e, 0], sampled.x[e, -1], sampled.y[e].min(), sampled.y[e].max()):
            assert f"{value:.2g}" in written


def test_scale_enlarges_everything():
    plain, large = plot(make_data(), title="a"), plot(make_data(), title="a", scale=2.0)
    np.testing.assert_allclose(large.get_size_inches(), 2 * plain.get_size_inches())
    assert [text.get_fontsize() for text in texts(large)] == [2 * text.get_fontsize() for text in texts(plain)]
    for one, other in zip(plain.artists, large.artists, strict=True):
        np.testing.assert_allclose(
            other.get_transform().transform([[1, 1]]), 2 * one.get_transform().transform([[1, 1]])
        )


def test_a_large_layer_shows_some_of_the_strongest_the_middle_and_the_weakest():
    data = make_data((30, 20))
    sampled, scores = sample(data), data.ranges[0].mean_abs
    falling = np.sort(scores.ravel())[::-1]
    assert sampled.score.tolist() == [*falling[:4], *falling[298:302], *falling[-4:]]
    np.testing.assert_array_equal(sampled.score, scores[sampled.sources, sampled.targets])
    figure = plot(data)
    written = [text.get_text() for text in texts(figure)]
    assert {"12 of 600 edges shown", "strongest", "median", "weakest"} <= set(written)
    assert [f"{i}→{j}" for i, j in zip(sampled.sources, sampled.targets)] == [text for text in written if "→" in text]
    cells = part(figure, "layer 0 scores")
    np.testing.assert_array_equal(np.asarray(cells.get_array()), scores.T)
    assert cells.get_clim() == (0, scores.max())


def test_a_very_large_layer_is_a_map_of_means():
    scores = np.random.default_rng(0).random((1000, 30))
    blocks = overview.block_means(scores)
    assert blocks.shape == (30, 64)
    edges = np.linspace(0, 1000, 65).astype(int)
    np.testing.assert_allclose(blocks[3, 10], scores[edges[10] : edges[11], 3].mean())
    assert "1,000 nodes" in [text.get_text() for text in texts(plot(make_data((1000, 2), n=5)))]


def first(number, *values):
    """The first `number` values of a parameter, and the others marked as slow."""
    return [*values[:number], *(pytest.param(each, marks=pytest.mark.slow) for each in values[number:])]


@pytest.mark.parametrize("width", first(2, (1, 1), (2, 1), (4, 10, 10, 1), (2, *[3] * 20, 1), (64, 10), (2, 64, 1)))
@pytest.mark.parametrize("knobs", [{}, {"noise_scale": 0, "base_fun": "zero"}, {"noise_scale": 1e30}])
def test_any_network_can_be_drawn(width, knobs):
    figure = plot(make_data(width, **knobs), tick=True, parts=True)
    figure.savefig(io.BytesIO(), dpi=30)


LONG = tuple(f"a rather long name {number}" for number in range(64))


@pytest.mark.parametrize("width", first(3, (1, 1), (2, 1), (2, 5, 1), (4, 10, 10, 1), (2, 32, 32, 32, 1), (64, 64, 10),
                                        (2, *[3] * 20, 1), (100, 3)))  # fmt: skip
@pytest.mark.parametrize("names", [None, ("x", "y"), LONG])
def test_no_text_lies_over_another_or_off_the_paper(width, names):
    figure = plot(make_data(width, n=20), in_vars=names, out_vars=names, title="A title " * 12)
    figure.canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    for (one, box), (other, second) in itertools.combinations(boxes, 2):
        assert not box.padded(-0.5).overlaps(second.padded(-0.5)), (one, other)
    for words, box in boxes:
        assert figure.bbox.padded(1).x0 <= box.x0, words
        assert box.x1 <= figure.bbox.padded(1).x1, words
        assert figure.bbox.padded(1).y0 <= box.y0, words
        assert box.y1 <= figure.bbox.padded(1).y1, words


def test_non_finite_functions_are_marked():
    data = make_data()
    with torch.no_grad():
        data.model.layers[0].coef[0, 0] = torch.nan
    figure = plot(data_of(data.model, data.activations["inputs"]))
    figure.savefig(io.BytesIO(), dpi=30)
    assert "not\nfinite" in [text.get_text() for text in texts(figure)]


def test_a_range_that_is_not_finite_is_that_of_the_finite_samples():
    model = KAN(width=[1, 2, 1], seed=0, base_fun="exp", dtype="float64")
    data = data_of(model, torch.tensor([[-1.0], [0.5], [2.0], [1e4]], dtype=torch.float64))
    values = data.activations["layers.1.preacts"].numpy()
    low, high = data.preact_range(1)
    np.testing.assert_array_equal(low, values[:3].min(0))
    np.testing.assert_array_equal(high, values[:3].max(0))
    written = [text.get_text() for text in texts(plot(data))]
    assert written.count("partly\nnot finite") == 2, "of layer 0, whose curves overflow"


def test_a_title_that_fits_is_not_cut():
    for length in range(5, 80):
        words = "x" * length
        cut, size = fit_text(words, 12, 4.7, min_size=4)
        assert cut == words
        assert text_width(cut, size) <= 4.7 + 1e-6


def test_the_legend_names_what_is_there():
    on_grid = data_of(KAN(width=[2, 3], seed=0), torch.rand(50, 2) * 2 - 1)
    assert not any("off the grid" in text.get_text() for text in texts(plot(on_grid)))
    ensemble = FigureData(on_grid.model, on_grid.ranges, n_members=20)
    assert "first of 20 members" in [text.get_text() for text in texts(plot(ensemble))]


@pytest.mark.parametrize("width", [(4, 16), (2, 32), (2, 5, 1), (30, 30)])
def test_frames_do_not_overlap(width):
    corners = np.array(shapes(plot(make_data(width)), "layer 0 frames"))
    low, high = corners.min(1), corners.max(1)
    for e in range(len(low)):
        apart = (low > high[e]).any(1) | (high < low[e]).any(1)
        assert apart.sum() == len(low) - 1


def test_a_deep_network_stands_in_columns_of_equal_height():
    layout = Layout([3] * 21, [9] * 20, [False] * 20, 3, 0.3, 0)
    assert layout.n_columns == 3
    assert [layout.left(layer) for layer in (0, 6, 7, 14)] == [0, 0, layout.column_width, 2 * layout.column_width]
    assert layout.bottom(7) == layout.bottom(0)
    assert layout.top(19) < layout.height
    assert layout.height < 20


def test_runs_side_by_side_share_their_axes():
    """phi of all frames of a layer, and x of all frames of an input: a curve's place tells its values in any run."""
    runs = [("calm", make_data(noise_scale=0.1)), ("noisy", make_data(noise_scale=10.0))]
    options = FigureOptions()
    all_curves = [network.sample_all_curves(data, options) for _, data in runs]
    limits = compare.shared_limits([data for _, data in runs], all_curves, options)
    assert limits is not None
    for layer in (0, 1):
        every = np.concatenate([curves[layer].y.ravel() for curves in all_curves])
        for run in (0, 1):
            assert set(limits[run][layer].low.ravel()) == {every.min()}
            assert set(limits[run][layer].high.ravel()) == {every.max()}
            lows = np.minimum(*(data.ranges[layer].low for _, data in runs))
            np.testing.assert_array_equal(limits[run][layer].left[:, 0], lows[all_curves[run][layer].sources])
    figure = compare.plot(runs, options)
    assert {"calm", "noisy"} <= {text.get_text() for text in texts(figure)}
    everywhere = np.concatenate([curves[0].y.ravel() for curves in all_curves])
    lines, frames = (
        [
            np.array([path.vertices for path in artist.get_paths()])
            for artist in figure.artists
            if artist.get_gid() == name
        ]
        for name in ("layer 0 curves", "layer 0 frames")
    )
    for run in (0, 1):
        bottom, top = frames[run][:, :, 1].min(1), frames[run][:, :, 1].max(1)
        share = (lines[run][:, :, 1] - bottom[:, None]) / (top - bottom)[:, None]
        expected = 0.08 + 0.84 * (all_curves[run][0].y - everywhere.min()) / np.ptp(everywhere)
        np.testing.assert_allclose(share, expected, atol=1e-6)
    apart = compare.plot(runs, FigureOptions(share=False))
    own = [
        np.ptp(artist.get_paths()[0].vertices[:, 1]) for artist in apart.artists if artist.get_gid() == "layer 0 curves"
    ]
    assert own[0] == pytest.approx(own[1]), "each fills its frame"


def test_runs_of_other_widths_keep_their_own_axes():
    runs = [("a", make_data((2, 3, 1))), ("b", make_data((2, 5, 1)))]
    options = FigureOptions()
    assert (
        compare.shared_limits(
            [data for _, data in runs], [network.sample_all_curves(data, options) for _, data in runs], options
        )
        is None
    )
    compare.plot(runs, options).savefig(io.BytesIO(), dpi=30)


def test_the_bytes_repeat():
    def digest():
        return hashlib.sha256(render.encode(plot(make_data()), "png", 100)).hexdigest()

    assert digest() == digest()


FILES = """
import hashlib, sys
sys.path.insert(0, {root!r})
from kancli.figures import options, render
from tests.figures.test_network import make_data
data = make_data(noise_scale=3.0)
for style in ("light", "dark"):
    figure_options = options.FigureOptions(style=style, title="a title", in_vars=("x", "y"))
    figure = render.plot("network", data, figure_options)
    print(*(hashlib.sha256(render.encode(figure, format, 100)).hexdigest() for format in options.FORMATS))
"""


@pytest.mark.slow
def test_the_bytes_of_every_format_repeat_in_fresh_processes():
    root = str(Path(__file__).parents[2])
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
    assert len(set(outputs[0].split())) == 2 * len(FORMATS)


@pytest.mark.parametrize("style", ["light", "dark"])
def test_text_can_be_read_on_its_paper(style):
    """Contrast of at least 4.5 to 1 (WCAG 2.1), ."""
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
