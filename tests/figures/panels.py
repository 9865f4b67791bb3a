"""Data of computed runs for figures of panels, runs of a sweep, and what is drawn of them."""

import itertools

import numpy as np

from kancli.config.validation import validate
from kancli.figures import sweep
from kancli.figures.data import FigureData
from kancli.figures.options import FigureOptions
from kancli.runs import experiment
from kancli.runs.build import laws_of
from kancli.stats.glossary import meanings
from kancli.stats.verdicts import Verdict
from kancli.sweeps.verdict_tables import Run, verdict_tables

OPTIONS = FigureOptions()


def make_data(**config):
    result = experiment.compute(validate(config))
    return FigureData(
        result.figure_model,
        result.ranges,
        result.stats,
        result.activations,
        laws_of(result.settings, result.model),
    )


def drawn(axes):
    """The data of each line of a panel."""
    lines = [np.asarray(line.get_xydata()) for line in axes.get_lines()]
    return [line for line in lines if len(line)]


def verdict(name, value):
    return Verdict(name, value, threshold=None, verdict=None, detail="")


def sweep_runs(name="rough", **swept):
    """The runs of a sweep whose number of a verdict is noise + 10 grid + seed / 10."""
    runs = [dict(zip(swept, values)) for values in itertools.product(*swept.values())]
    return [
        Run(
            {name: str(value) for name, value in run.items()},
            [
                verdict(name, run.get("noise_scale", 0) + 10 * run.get("grid", 0) + run.get("seed", 0) / 10),
                verdict("linear", None),
            ],
        )
        for run in runs
    ]


def plot_sweep(runs):
    return sweep.plot(verdict_tables(runs), OPTIONS, meanings())
