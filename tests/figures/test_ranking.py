"""The figure of a ranking."""

import dataclasses

import numpy as np
import pytest

from kancli.figures.options import FigureOptions
from kancli.figures.rank_diagram import BAR_STEP
from kancli.figures.ranking import RankingData, plot

DATA = RankingData(
    metric="test loss",
    schemes=["baseline", "good", "poor"],
    tasks=["f1", "f2"],
    ratios=np.array(
        [
            [[0.5, 2.0], [0.25, 1.5], [0.35, 1.7]],
            [[0.4, 1.5], [0.2, 1.0], [0.3, np.nan]],
            [[0.6, 2.5], [0.3, 2.0], [0.4, np.nan]],
        ]
    ),
    rope=1.1,
    ranks=np.array([2.0, 1.0, 3.0]),
    critical_difference=1.5,
    groups=[[1, 0], [0, 2]],
    factors=np.array([1.0, 2.0, 4.0]),
    profile=np.array([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.75]]),
)


def test_marks_and_lines_are_at_the_ratios():
    ratios, *_ = plot(DATA, FigureOptions()).axes
    good, poor = (line for line in ratios.lines if line.get_linestyle() == "None")
    assert good.get_xdata() == pytest.approx([0.5, 0.25, 0.35])
    assert poor.get_xdata() == pytest.approx([2.0, 1.5, 1.7])
    assert (np.round(good.get_ydata()) == [0, 1, 2]).all()
    intervals = [segment[:, 0].tolist() for lines in ratios.collections for segment in lines.get_segments()]
    assert intervals == [[0.4, 0.6], [0.2, 0.3], [0.3, 0.4], [1.5, 2.5], [1.0, 2.0]]
    assert [label.get_text() for label in ratios.get_yticklabels()] == ["f1", "f2", "over tasks"]
    low, high = ratios.get_xlim()
    assert low < 0.2
    assert high > 2.5


def test_bars_join_the_schemes_that_do_not_differ():
    _, diagram, _ = plot(DATA, FigureOptions()).axes
    bars = np.array(
        [lines.get_segments()[0] for lines in diagram.collections if np.ravel(lines.get_linewidth())[0] == 3]
    )
    assert bars[:, :, 0] == pytest.approx(np.array([[1, 2], [2, 3]]), abs=0.1)
    assert bars[:, 0, 1] == pytest.approx([BAR_STEP, 2 * BAR_STEP])
    texts = [text.get_text().strip() for text in diagram.texts]
    assert {"good 1", "baseline 2", "3 poor", "critical difference 1.5 (Nemenyi, 5 %)"} <= set(texts)


def test_the_profile_shows_shares_of_runs():
    *_, profile = plot(DATA, FigureOptions()).axes
    lines = {line.get_label(): line.get_ydata() for line in profile.lines}
    assert list(lines) == ["baseline", "good", "poor"]
    assert lines["poor"] == pytest.approx([0.0, 0.0, 0.75])


def test_without_tasks_for_ranks_there_is_no_diagram():
    data = dataclasses.replace(DATA, ranks=np.full(3, np.nan), critical_difference=None, groups=[])
    assert len(plot(data, FigureOptions(style="dark")).axes) == 2


@pytest.mark.slow
def test_many_schemes_and_tasks_keep_names_apart():
    k, t = 20, 30
    rng = np.random.default_rng(0)
    mean = np.exp(rng.normal(size=(t + 1, k - 1)))
    data = RankingData("test loss", [f"scheme_{n}" for n in range(k)], [f"task {n}" for n in range(t)],
                       np.array([mean, mean / 2, mean * 2]), 1.1, rng.permutation(k) + 1.0, 30.0, [list(range(k))],
                       np.array([1.0, 10.0]), np.ones((k, 2)))  # fmt: skip
    figure = plot(data, FigureOptions())
    figure.canvas.draw()
    for axes in figure.axes[:2]:
        texts = axes.get_yticklabels() if axes is figure.axes[0] else axes.texts
        boxes = [text.get_window_extent() for text in texts]
        overlapping = [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if a.shrunk(0.9, 0.8).overlaps(b)]
        assert not overlapping


def test_the_legend_stands_beside_the_profile_within_the_figure():
    names = ["baseline", "a scheme with a long name (searched)", "poor"]
    figure = plot(dataclasses.replace(DATA, schemes=names, reference="mlp"), FigureOptions())
    figure.draw_without_rendering()
    profile = figure.axes[-1]
    box = profile.get_legend().get_window_extent()
    assert box.x0 >= profile.get_window_extent().x1
    assert box.x1 <= figure.bbox.x1
