"""The paths of links: none crosses a frame or a text, and no two share a stretch."""

import numpy as np
import pytest

from kancli.figures import compare
from kancli.figures.options import FigureOptions
from tests.alike import slow_but
from tests.figures.networks import make_data, plot, sample, shapes, texts

SLACK = 1e-4  # inches
WIDTHS = [(2, 5, 1), (4, 16), (17, 1), (5, 5, 5), (2, 32), (7, 8, 1), (8, 8), (64, 10), (100, 70, 3), (3, *[3] * 9)]


def segments_of(paths):
    """Start and end `[m, 2]` of each straight part, and the number of its path."""
    starts = np.concatenate([path[:-1] for path in paths])
    ends = np.concatenate([path[1:] for path in paths])
    return starts, ends, np.repeat(np.arange(len(paths)), [len(path) - 1 for path in paths])


def crosses(start, end, low, high):
    """Whether the part of a line lies inside each box, by clipping it at the four sides (Liang and Barsky 1984)."""
    step = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        entry, leave = np.sort([(low - start) / step, (high - start) / step], axis=0)
    level = np.abs(step) < 1e-12
    inside = (low < start) & (start < high)
    entry = np.where(level, np.where(inside, -np.inf, np.inf), entry)
    leave = np.where(level, np.where(inside, np.inf, -np.inf), leave)
    first, last = np.maximum(entry.max(-1), 0), np.minimum(leave.min(-1), 1)
    return last - first > 1e-9


def assert_clear(paths, low, high, what):
    starts, ends, _ = segments_of(paths)
    for start, end in zip(starts, ends):
        hit = np.flatnonzero(crosses(start, end, low + SLACK, high - SLACK))
        assert len(hit) == 0, (what, start, end, low[hit], high[hit])


def assert_no_shared_stretch(paths):
    starts, ends, path = segments_of(paths)
    steps = ends - starts
    lengths = np.linalg.norm(steps, axis=1)
    assert lengths.min() > SLACK
    along = steps / lengths[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], -1)
    for number in range(len(starts)):
        to_start, to_end = starts - starts[number], ends - starts[number]
        is_on_line = np.maximum(np.abs(to_start @ across[number]), np.abs(to_end @ across[number])) < SLACK
        places = np.sort([to_start @ along[number], to_end @ along[number]], axis=0)
        shared = np.minimum(places[1], lengths[number]) - np.maximum(places[0], 0)
        doubled = np.flatnonzero(is_on_line & (shared > SLACK) & (path != path[number]))
        assert len(doubled) == 0, (starts[number], ends[number], starts[doubled], ends[doubled])


def boxes_of(figure, name):
    corners = np.array(shapes(figure, name))
    return corners.min(1), corners.max(1)


@pytest.mark.parametrize("tick", slow_but(1, [False, True]))
@pytest.mark.parametrize("width", WIDTHS)
def test_links_cross_no_frame_and_no_text_and_share_no_stretch(width, tick):
    names = tuple(f"input {number}" for number in range(width[0]))
    figure = plot(make_data(width, n=20), tick=tick, title="a title", in_vars=names)
    figure.canvas.draw()
    written = np.array([text.get_window_extent().get_points() for text in texts(figure)]) / figure.dpi
    paths = []
    for layer in range(len(width) - 1):
        links = shapes(figure, f"layer {layer} links")
        assert_clear(links, *boxes_of(figure, f"layer {layer} frames"), "frame")
        assert_clear(links, written[:, 0], written[:, 1], "text")
        paths += links
    assert_no_shared_stretch(paths)


@pytest.mark.parametrize("width", [(2, 5, 1), (4, 16), (8, 8)])
def test_links_end_at_their_frame(width):
    figure, edges = plot(make_data(width)), sample(make_data(width))
    links, (low, high) = shapes(figure, "layer 0 links"), boxes_of(figure, "layer 0 frames")
    count = len(edges.sources)
    for e in range(count):
        middle = (low[e, 0] + high[e, 0]) / 2
        assert tuple(links[e][-1]) == pytest.approx((middle, low[e, 1]))
        assert tuple(links[count + e][0]) == pytest.approx((middle, high[e, 1]))


def test_the_frames_of_a_layer_stand_in_one_row_wherever_sixteen_fit():
    for width, rows in (((2, 5, 1), 1), ((4, 4), 1), ((2, 8, 1), 1), ((17, 1), 2), ((4, 16), 4)):
        low, _ = boxes_of(plot(make_data(width)), "layer 0 frames")
        assert len(np.unique(low[:, 1].round(6))) == rows
    runs = [(name, make_data((4, 4, 1), seed=seed)) for seed, name in enumerate("abcd")]
    for artist in compare.plot(runs, FigureOptions()).artists:
        if artist.get_gid() == "layer 0 frames":
            assert len({round(path.vertices[:, 1].min(), 6) for path in artist.get_paths()}) == 1
