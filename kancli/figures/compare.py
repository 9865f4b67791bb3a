"""The network diagrams of several runs side by side, with shared limits where their widths are equal."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.diagram.canvas import Canvas, Diagram
from kancli.figures.diagram.curves import Array, Curves
from kancli.figures.diagram.frames import FrameLimits, frame_limits
from kancli.figures.diagram.layout import Layout
from kancli.figures.diagram.legend import draw_legend, legend_height
from kancli.figures.network import draw_network, make_layout, sample_all_curves
from kancli.figures.style import PALETTES

if TYPE_CHECKING:
    from kancli.figures.options import FigureOptions

GAP = 0.25  # inches between diagrams
FRAME_PITCH = 0.6  # inches: smaller than in the diagram of one run, so that a row of diagrams fits a page


def plot(runs: Sequence[tuple[str, FigureData]], options: FigureOptions, remarks: Sequence[str] = ()) -> Diagram:
    """Plot the diagram of each run under its name, in rows.

    Where all runs have the same widths, all frames of a layer share the limits of phi, and those of one input share
    the limits of x in all runs. Otherwise, and with `share=False`, each frame fits its own curve.

    Args:
        remarks: lines for the legend, such as which of many runs these are.

    Raises:
        NothingToDrawError: there is only one run.
    """
    if len(runs) < 2:
        raise NothingToDrawError("compare: give two or more runs")
    runs_data = [data for _, data in runs]
    titled = [dataclasses.replace(options, title=name) for name, _ in runs]
    all_curves = [sample_all_curves(data, options) for data in runs_data]
    layouts = [
        make_layout(data, curves, run_options, frame_pitch=FRAME_PITCH)
        for data, curves, run_options in zip(runs_data, all_curves, titled, strict=True)
    ]
    limits = shared_limits(runs_data, all_curves, options) if options.share else None
    figure, canvases, width = _make_canvases(layouts, runs_data, options, remarks)
    for number, (canvas, layout) in enumerate(zip(canvases, layouts, strict=True)):
        run_limits = None if limits is None else limits[number]
        draw_network(canvas, layout, runs_data[number], all_curves[number], titled[number], run_limits)
    draw_legend(Canvas(figure, scale=options.scale), runs_data, options, width, remarks)
    return figure


def _make_canvases(
    layouts: Sequence[Layout], runs_data: Sequence[FigureData], options: FigureOptions, remarks: Sequence[str]
) -> tuple[Diagram, list[Canvas], float]:
    """Return the figure, a canvas for each run, and the width of the figure before scaling."""
    n_columns = len(layouts) if len(layouts) <= 3 else math.ceil(math.sqrt(len(layouts)))
    n_rows = math.ceil(len(layouts) / n_columns)
    column_width = max(layout.width for layout in layouts) + GAP
    row_height = max(layout.height for layout in layouts) + GAP
    width = n_columns * column_width
    height = n_rows * row_height + legend_height(runs_data, options, width, remarks)
    scale = options.scale
    figure = Diagram(scale * width, scale * height, options.dpi, PALETTES[options.style].paper)
    canvases = []
    for number, layout in enumerate(layouts):
        x = (number % n_columns) * column_width + (column_width - layout.width) / 2
        y = height - (number // n_columns + 1) * row_height + GAP / 2
        canvases.append(Canvas(figure, scale * x, scale * y, scale))
    return figure, canvases, width


def shared_limits(
    runs_data: Sequence[FigureData], all_curves: Sequence[Sequence[Curves]], options: FigureOptions
) -> list[list[FrameLimits]] | None:
    """The limits of the frames by run and layer; None where the widths of the runs differ."""
    if len({data.first_member.width for data in runs_data}) > 1:
        return None
    limits: list[list[FrameLimits]] = [[] for _ in runs_data]
    for layer in range(len(all_curves[0])):
        own_limits = [frame_limits(curves[layer], options) for curves in all_curves]
        low = _minimum([own.low for own in own_limits])
        high = -_minimum([-own.high for own in own_limits])
        lows, highs = zip(*(data.preact_range(layer) for data in runs_data), strict=True)
        left, right = np.fmin.reduce(lows), np.fmax.reduce(highs)
        for run_limits, curves in zip(limits, all_curves, strict=True):
            sources = curves[layer].sources
            ones = np.ones((len(sources), 1))
            run_limits.append(FrameLimits(left[sources, None], right[sources, None], low * ones, high * ones))
    return limits


def _minimum(values: Sequence[Array]) -> float:
    """The lowest value, ignoring NaN."""
    return float(np.fmin.reduce(np.concatenate(values), axis=None))
