"""The network diagram draws the data: curves are the functions, opacities the scores, shading starts at the grid."""

import io

import numpy as np
import pytest
import torch

from kancli.figures import compare, network
from kancli.figures.data import FigureData
from kancli.figures.options import FigureOptions
from kancli.notebook import KAN
from tests.figures.networks import data_of, make_data, part, plot, sample, shapes, texts


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


def test_marks_are_at_the_samples():
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


def test_non_finite_functions_are_marked():
    data = make_data()
    with torch.no_grad():
        data.model.layers[0].coef[0, 0] = torch.nan
    figure = plot(data_of(data.model, data.activations["inputs"]))
    figure.savefig(io.BytesIO(), dpi=30)
    assert "not\nfinite" in [text.get_text() for text in texts(figure)]


def test_the_legend_lists_the_marks_in_use():
    on_grid = data_of(KAN(width=[2, 3], seed=0), torch.rand(50, 2) * 2 - 1)
    assert not any("off the grid" in text.get_text() for text in texts(plot(on_grid)))
    ensemble = FigureData(on_grid.model, on_grid.ranges, n_members=20)
    assert "first of 20 members" in [text.get_text() for text in texts(plot(ensemble))]


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
