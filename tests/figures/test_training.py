"""Tests of the figures of training, by the data that they draw."""

import numpy as np
import pytest

from kancli.figures.data import FigureData, Fit, NothingToDrawError, TrainingData
from kancli.figures.options import FigureOptions
from kancli.figures.render import plot
from kancli.figures.training import plot_curves
from kancli.training.curves import Curves

OPTIONS = FigureOptions()
NAN = float("nan")


def curves_of(train, test=None):
    train = np.array(train, dtype=float).T  # [r, s]
    errors = {
        "train_loss": train,
        "test_loss": np.full_like(train, NAN) if test is None else np.array(test, dtype=float).T,
        "rel_l2": np.full_like(train, NAN),
    }
    return Curves(np.array([0, 9, 99])[: len(train)], np.zeros(len(train)), errors)


def data_of(x, target, prediction, curves=None, label="f2", samples=None):
    fit = Fit(np.array(x), np.array(target), np.array(prediction), samples)
    curves = curves_of([[8, 4, 2]]) if curves is None else curves
    return FigureData(None, [], training=TrainingData(label, curves, fit, None))


def test_a_line_of_each_loss_that_was_measured():
    data = data_of([[0.0]], [[0.0]], [[0.0]], curves_of([[8, 4, 2]], [[9, 5, 3]]), label="f2: x*y")
    train, test = plot("training", data, OPTIONS).axes
    (line,) = train.get_lines()
    np.testing.assert_array_equal(line.get_xydata(), [[1, 8], [10, 4], [100, 2]])
    np.testing.assert_array_equal(test.get_lines()[0].get_ydata(), [9, 5, 3])
    assert (train.get_xscale(), train.get_yscale()) == ("log", "log")
    assert train.get_title(loc="left") == "f2: x*y"
    assert (train.get_ylabel(), test.get_ylabel()) == ("training loss", "test loss")


def test_members_have_their_geometric_mean_and_a_band():
    (axes,) = plot_curves({"f1": curves_of([[8, 4], [2, 1]])}, OPTIONS).axes
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [4, 2])
    (band,) = axes.collections
    corners = np.asarray(band.get_paths()[0].vertices)[:, 1]
    np.testing.assert_allclose([corners.min(), corners.max()], [1.15, 7.7], rtol=1e-6)  # 5 and 95 %, of two
    assert "5 to 95 %" in axes.get_xlabel()


def test_what_follows_the_end_of_a_member_is_not_drawn():
    (axes,) = plot_curves({"f1": curves_of([[8, 4, 2], [8, NAN, NAN]])}, OPTIONS).axes
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [8, 4, 2])


def test_runs_are_named_in_a_legend():
    figure = plot_curves({"glorot": curves_of([[8, 4]]), "lecun": curves_of([[8, 2]])}, OPTIONS)
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == ["glorot", "lecun"]


def test_fit_of_one_input_shows_functions_data_and_error():
    samples = np.array([[0.5]]), np.array([[0.7]])
    left, right = plot("fit", data_of([[1.0], [0.0]], [[3.0], [1.0]], [[3.5], [1.0]], samples=samples), OPTIONS).axes
    by_label = {line.get_label(): line.get_xydata() for line in left.get_lines()}
    np.testing.assert_array_equal(by_label["target"], [[0, 1], [1, 3]])
    np.testing.assert_array_equal(by_label["network"], [[0, 1], [1, 3.5]])
    np.testing.assert_array_equal(by_label["data"], [[0.5, 0.7]])
    np.testing.assert_array_equal(right.get_lines()[0].get_xydata(), [[0, 0], [1, 0.5]])


def test_fit_of_two_inputs_maps_target_network_and_error():
    x = [[a, b] for a in (0.0, 1.0, 2.0) for b in (0.0, 1.0)]
    target = [[float(number)] for number in range(6)]
    prediction = [[float(number) + (number == 5)] for number in range(6)]
    figure = plot("fit", data_of(x, target, prediction), OPTIONS)
    maps = [axes.get_images()[0].get_array() for axes in figure.axes if axes.get_images()][:3]
    np.testing.assert_array_equal(maps[0], [[0, 2, 4], [1, 3, 5]])
    np.testing.assert_array_equal(maps[1], [[0, 2, 4], [1, 3, 6]])
    np.testing.assert_array_equal(maps[2], [[0, 0, 0], [0, 0, 1]])


def test_fit_of_more_inputs_holds_predicted_against_true_values():
    left, right = plot("fit", data_of(np.eye(3), [[1.0], [2.0], [3.0]], [[1.0], [2.5], [3.0]]), OPTIONS).axes
    np.testing.assert_array_equal(left.get_lines()[1].get_xydata(), [[1, 1], [2, 2.5], [3, 3]])
    np.testing.assert_array_equal(right.get_lines()[0].get_ydata(), [0, 0.5, 0])


@pytest.mark.parametrize("name", ["training", "fit", "network_trained"])
def test_without_training_there_is_nothing_to_draw(name):
    with pytest.raises(NothingToDrawError, match=f"figures={name}: nothing was trained; add a task"):
        plot(name, FigureData(None, []), OPTIONS)
