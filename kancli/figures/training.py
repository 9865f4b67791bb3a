"""Losses and errors against the steps of training: of one run, or a line for each of several."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.data import FigureData, NothingToDrawError, TrainingData
from kancli.figures.log_ticks import set_log_ticks
from kancli.figures.panels import add_legend, label_panel, make_panels, set_log_scale
from kancli.figures.style import PALETTES, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions
    from kancli.training.curves import Array, Curves

PANELS = {"train_loss": "training loss", "test_loss": "test loss", "rel_l2": "relative L2 error"}
STYLES = ("-", (0, (4, 2)), (0, (1, 1.5)))  # in turn with the colours
MAX_TITLE = 56  # letters a line


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """Plot a panel for each error that was measured.

    Raises:
        NothingToDrawError: nothing was trained.
    """
    training = training_of(data, "training")
    return plot_curves({training.label: training.curves}, options)


def training_of(data: FigureData, name: str) -> TrainingData:
    """The training of a run.

    Raises:
        NothingToDrawError: nothing was trained.
    """
    if data.training is None:
        raise NothingToDrawError(f"figures={name}: nothing was trained; add a task, such as task=f2")
    return data.training


def plot_curves(runs: Mapping[str, Curves], options: FigureOptions) -> Figure:
    """Plot a line for each run, and a band over its members.

    Args:
        runs: the curves by name; the name of a single one is the title.
    """
    palette = PALETTES[options.style]
    measured = [name for name in PANELS if any(np.isfinite(curves.errors[name]).any() for curves in runs.values())]
    title = "\n".join(textwrap.wrap(next(iter(runs)), MAX_TITLE)) if len(runs) == 1 else ""
    top = 0.34 + 0.16 * title.count("\n")
    figure, panels = make_panels(max(1, len(measured)), palette, options.dpi, top=top)
    for axes, name in zip(panels, measured, strict=False):
        _draw(axes, name, runs, palette)
    panels[0].set_title(title, fontsize=10, color=palette.ink, loc="left", y=1.02)
    if len(runs) > 1:
        add_legend(panels[0], palette)
    return figure


def _draw(axes: Axes, name: str, runs: Mapping[str, Curves], palette: Palette) -> None:
    bands = [_band(curves.steps, curves.errors[name]) for curves in runs.values()]
    series = set_log_scale(axes, *(values for _, values in bands))
    axes.set_xscale("log")
    set_log_ticks(axes.xaxis)
    for number, (label, (steps, _), values) in enumerate(zip(runs, bands, series, strict=True)):
        colour, style = palette.lines[number % len(palette.lines)], STYLES[number // len(palette.lines) % len(STYLES)]
        axes.plot(steps, values["mean"], color=colour, linestyle=style, linewidth=1.4, label=label)
        if "low" in values:
            axes.fill_between(steps, values["low"], values["high"], color=colour, alpha=0.25, linewidth=0)
    has_bands = any("low" in values for _, values in bands)
    note = "; band: 5 to 95 % of the networks" if has_bands else ""
    label_panel(axes, palette, title="", x=f"step{note}", y=PANELS[name])


def _band(steps: Array, values: Array) -> tuple[Array, dict[str, Array]]:
    """Steps, counted from 1, and the geometric mean and quantiles over the members that have a value there."""
    shown = np.isfinite(values).any(1)
    values = np.where(np.isfinite(values[shown]) & (values[shown] > 0), values[shown], np.nan)
    shown_steps = steps[shown] + 1
    keep = ~np.isnan(values).all(1)
    values, shown_steps = values[keep], shown_steps[keep]
    if values.shape[1] == 1:
        return shown_steps, {"mean": values[:, 0]}
    low, high = np.nanquantile(values, [0.05, 0.95], axis=1) if len(values) else (values[:, 0], values[:, 0])
    return shown_steps, {"mean": np.exp(np.nanmean(np.log(values), axis=1)), "low": low, "high": high}
