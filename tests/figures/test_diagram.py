"""The layout of a network diagram: positions, text and colours, for networks of any size."""

import io
import itertools

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from kancli.figures.diagram import overview
from kancli.figures.diagram.canvas import fit_text, text_width
from kancli.figures.diagram.layout import Layout
from kancli.figures.style import PALETTES
from kancli.notebook import KAN
from tests.figures.networks import data_of, make_data, plot, sample, shapes, texts


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


def test_links_join_the_right_nodes():
    figure = plot(make_data())
    inputs, hidden = (np.array([dot[:-1].mean(0) for dot in shapes(figure, f"nodes {layer}")]) for layer in (0, 1))
    links = shapes(figure, "layer 0 links")
    for e in range(10):
        assert tuple(links[e][0]) == pytest.approx(tuple(inputs[e // 5]), abs=1e-6)
        assert tuple(links[10 + e][-1]) == pytest.approx(tuple(hidden[e % 5]), abs=1e-6)
    assert inputs[0, 1] < hidden[0, 1], "inputs below, outputs above"


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
def test_any_network_can_be_plotted(width, knobs):
    figure = plot(make_data(width, **knobs), tick=True, parts=True)
    figure.savefig(io.BytesIO(), dpi=30)


LONG = tuple(f"a rather long name {number}" for number in range(64))


@pytest.mark.parametrize("width", first(3, (1, 1), (2, 1), (2, 5, 1), (4, 10, 10, 1), (2, 32, 32, 32, 1), (64, 64, 10),
                                        (2, *[3] * 20, 1), (100, 3)))  # fmt: skip
@pytest.mark.parametrize("names", [None, ("x", "y"), LONG])
def test_texts_do_not_overlap_and_fit_the_figure(width, names):
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


def test_a_range_that_is_not_finite_is_that_of_the_finite_samples():
    model = KAN(width=[1, 2, 1], seed=0, base_fun="exp", dtype="float64")
    data = data_of(model, torch.tensor([[-1.0], [0.5], [2.0], [1e4]], dtype=torch.float64))
    values = data.activations["layers.1.preacts"].numpy()
    low, high = data.preact_range(1)
    np.testing.assert_array_equal(low, values[:3].min(0))
    np.testing.assert_array_equal(high, values[:3].max(0))
    written = [text.get_text() for text in texts(plot(data))]
    assert written.count("partly\nnot finite") == 2, "of layer 0, whose curves overflow"


def test_a_title_that_fits_is_not_truncated():
    for length in range(5, 80):
        words = "x" * length
        cut, size = fit_text(words, 12, 4.7, min_size=4)
        assert cut == words
        assert text_width(cut, size) <= 4.7 + 1e-6


@pytest.mark.parametrize("width", [(4, 16), (2, 32), (2, 5, 1), (30, 30)])
def test_frames_do_not_overlap(width):
    corners = np.array(shapes(plot(make_data(width)), "layer 0 frames"))
    low, high = corners.min(1), corners.max(1)
    for e in range(len(low)):
        apart = (low > high[e]).any(1) | (high < low[e]).any(1)
        assert apart.sum() == len(low) - 1


def test_a_deep_network_has_columns_of_equal_height():
    layout = Layout([3] * 21, [9] * 20, [False] * 20, 3, 0.3, 0)
    assert layout.n_columns == 3
    assert [layout.left(layer) for layer in (0, 6, 7, 14)] == [0, 0, layout.column_width, 2 * layout.column_width]
    assert layout.bottom(7) == layout.bottom(0)
    assert layout.top(19) < layout.height
    assert layout.height < 20


@pytest.mark.parametrize("style", ["light", "dark"])
def test_colours_contrast_with_the_background(style):
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
    for colour in (palette.quiet, *palette.bounds):
        assert contrast(colour, palette.paper) > 4.5
