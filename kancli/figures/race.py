"""A race of initialisations: held-out losses by steps, and those of the final by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.diagram.canvas import text_width
from kancli.figures.log_ticks import set_log_ticks
from kancli.figures.panels import LEFT, add_legend, label_panel, make_panels
from kancli.figures.style import PALETTES, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions

MAX_NAME = 24


@dataclass(frozen=True)
class Line:
    """A candidate in the rounds that it took part in."""

    name: str
    points: Sequence[tuple[int, float]]  # steps and validation loss, a geometric mean over seeds
    is_named: bool  # in colour and in the legend; the others are grey


@dataclass(frozen=True)
class RaceData:
    """What the figure shows."""

    task: str
    lines: Sequence[Line]
    tests: Sequence[tuple[str, Sequence[float]]]  # of the final: test losses by seed, the winner first


def plot(data: RaceData, options: FigureOptions) -> Figure:
    """Plot the losses that selected against steps, and beside them those of the final."""
    palette = PALETTES[options.style]
    names = max((text_width(_shorten(name), 8) for name, _ in data.tests), default=0.0)
    figure, axes = make_panels(2 if data.tests else 1, palette, options.dpi, left=max(LEFT, names + 0.2))
    named = [name for name, _ in data.tests] or [line.name for line in data.lines if line.is_named]
    colours = {name: palette.lines[number % len(palette.lines)] for number, name in enumerate(named)}
    _draw_lines(axes[0], data, colours, palette)
    if data.tests:
        _draw_final(axes[1], data, colours, palette)
    return figure


def _draw_lines(axes: Axes, data: RaceData, colours: dict[str, str], palette: Palette) -> None:
    for line in sorted(data.lines, key=lambda line: line.is_named):
        if not line.points:
            continue
        steps, losses = zip(*line.points, strict=True)
        if line.name in colours:
            axes.plot(steps, losses, color=colours[line.name], linewidth=1.6, marker="o", markersize=4,
                      label=_shorten(line.name))  # fmt: skip
        else:
            axes.plot(steps, losses, color=palette.quiet, linewidth=0.8, marker=".", markersize=3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        set_log_ticks(axis)
    x_label = "steps; the last ones by fresh seeds" if data.tests else "steps"
    title = "losses that selected" if data.tests else f"losses that selected: {_shorten(data.task)}"
    label_panel(axes, palette, title=title, x=x_label, y="validation loss")
    add_legend(axes, palette)


def _draw_final(axes: Axes, data: RaceData, colours: dict[str, str], palette: Palette) -> None:
    for row, (name, losses) in enumerate(data.tests):
        values = np.array([loss for loss in losses if loss > 0])
        if len(values):
            axes.plot(values, np.full(len(values), row), linestyle="", marker="o", markersize=4, alpha=0.5,
                      markeredgewidth=0, color=colours[name])  # fmt: skip
            mean = float(np.exp(np.log(values).mean()))
            axes.plot([mean, mean], [row - 0.25, row + 0.25], color=colours[name], linewidth=2)
    axes.set_yticks(range(len(data.tests)), [_shorten(name) for name, _ in data.tests])
    axes.set_ylim(len(data.tests) - 0.4, -0.6)
    axes.set_xscale("log")
    set_log_ticks(axes.xaxis)
    label_panel(axes, palette, title=f"final on {_shorten(data.task)}", x="test loss, by seed; bar: mean", y="")


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
