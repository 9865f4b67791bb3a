"""Several runs side by side: their network diagrams as one plate, on shared axes where their widths are equal."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.diagram.canvas import Canvas, Diagram
from kancli.figures.diagram.curves import Array, Curves
from kancli.figures.diagram.legend import draw_legend, legend_height
from kancli.figures.network import Ranges, curves_of, plan_of, plot_on, ranges_of
from kancli.figures.style import PALETTES

if TYPE_CHECKING:
    from kancli.figures.options import FigureOptions

APART = 0.25  # inches between diagrams
COMPACT = 6  # frames side by side


def plot(runs: Sequence[tuple[str, FigureData]], options: FigureOptions) -> Diagram:
    """A diagram a run, each under its name, read by rows.

    Where all runs have one width, all frames of a layer show the same range of phi, and those of one input the same
    range of x in all runs; else, and without `look.share`, each frame holds its own curve.

    Raises:
        NothingToDrawError: there is one run only.
    """
    if len(runs) < 2:
        raise NothingToDrawError("compare: give two or more runs")
    looks = [dataclasses.replace(options, title=name) for name, _ in runs]
    all_curves = [curves_of(data, options) for _, data in runs]
    plans = [
        plan_of(data, curves, each, per_row=COMPACT)
        for (_, data), curves, each in zip(runs, all_curves, looks, strict=True)
    ]
    columns = len(runs) if len(runs) <= 3 else math.ceil(math.sqrt(len(runs)))
    rows = math.ceil(len(runs) / columns)
    width, height = max(plan.width for plan in plans), max(plan.height for plan in plans)
    runs_data = [data for _, data in runs]
    foot = legend_height(runs_data, options, columns * (width + APART))
    whole = columns * (width + APART), rows * (height + APART) + foot
    palette, scale = PALETTES[options.style], options.scale
    figure = Diagram(scale * whole[0], scale * whole[1], options.dpi, palette.paper)
    ranges = shared(runs_data, all_curves, options) if options.share else None
    for number, ((_, data), plan, curves, each) in enumerate(zip(runs, plans, all_curves, looks, strict=True)):
        x = (number % columns) * (width + APART) + (width + APART - plan.width) / 2
        y = whole[1] - (number // columns + 1) * (height + APART) + APART / 2
        canvas = Canvas(figure, scale * x, scale * y, scale)
        plot_on(canvas, plan, data, curves, each, None if ranges is None else ranges[number])
    draw_legend(Canvas(figure, scale=scale), runs_data, options, whole[0])
    return figure


def shared(
    runs_data: Sequence[FigureData], all_curves: Sequence[Sequence[Curves]], options: FigureOptions
) -> list[list[Ranges]] | None:
    """The ranges of the frames of each run and layer; None where the runs' widths differ."""
    if len({data.first.width for data in runs_data}) > 1:
        return None
    found: list[list[Ranges]] = [[] for _ in runs_data]
    for layer in range(len(all_curves[0])):
        own = [ranges_of(curves[layer], options) for curves in all_curves]
        low = _least([each.low for each in own])
        high = -_least([-each.high for each in own])
        lows, highs = zip(*(data.range(layer) for data in runs_data), strict=True)
        left, right = np.fmin.reduce(lows), np.fmax.reduce(highs)
        for ranges, curves in zip(found, all_curves, strict=True):
            sources = curves[layer].sources
            like = np.ones((len(sources), 1))
            ranges.append(Ranges(left[sources, None], right[sources, None], low * like, high * like))
    return found


def _least(values: Sequence[Array]) -> float:
    return float(np.fmin.reduce(np.concatenate(values), axis=None))
