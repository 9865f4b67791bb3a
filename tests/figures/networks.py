"""Network figures to test, and their artists by name."""

import numpy as np
import torch
from matplotlib.text import Text

from kancli.figures import render
from kancli.figures.data import FigureData
from kancli.figures.diagram.curves import sample_curves
from kancli.figures.options import FigureOptions
from kancli.notebook import KAN
from kancli.stats.collector import Collector


def make_data(width=(2, 5, 1), n=100, **knobs):
    model = KAN(**{"width": list(width), "seed": 0, "dtype": "float64", **knobs})
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
