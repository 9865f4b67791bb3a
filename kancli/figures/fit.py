"""How well a trained network fits its task: target, network and error."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from kancli.figures.data import FigureData, Fit
from kancli.figures.panels import COLOUR_BAR_MARGIN, add_colour_bar, add_legend, label_panel, make_panels
from kancli.figures.style import PALETTES, Palette, colour_map, format_short
from kancli.figures.training import training_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions

MAX_TITLE = 50  # letters a line


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """Plot the first output of the first member.

    Of one input: target and network as functions, and their difference. Of two: both and their difference as maps. Of
    more: predicted against true values, and the difference.

    Raises:
        NothingToDrawError: nothing was trained.
    """
    training = training_of(data, "fit")
    fit, palette = training.fit, PALETTES[options.style]
    names = list(options.in_vars or (f"x{number}" for number in range(fit.x.shape[1])))
    title = "\n".join(textwrap.wrap(training.label, MAX_TITLE))
    top = 0.34 + 0.16 * title.count("\n")
    if fit.x.shape[1] == 2:
        return _plot_maps(fit, names, title, top, options.dpi, palette)
    figure, (left, right) = make_panels(2, palette, options.dpi, top=top)
    error = fit.prediction[:, 0] - fit.target[:, 0]
    if fit.x.shape[1] == 1:
        order = np.argsort(fit.x[:, 0])
        x = fit.x[order, 0]
        left.plot(x, fit.target[order, 0], color=palette.ink, linewidth=2.4, alpha=0.4, label="target")
        if fit.samples is not None:
            left.plot(*(values[:, 0] for values in fit.samples), ".", color=palette.quiet, markersize=3, label="data")
        left.plot(x, fit.prediction[order, 0], color=palette.lines[0], linewidth=1.2, label="network")
        right.plot(x, error[order], color=palette.lines[1], linewidth=1.0)
        label_panel(left, palette, title=title, x=names[0], y="y")
        label_panel(right, palette, title="network - target", x=names[0], y="error")
        add_legend(left, palette)
    else:
        ends = [fit.target[:, 0].min(), fit.target[:, 0].max()]
        left.plot(ends, ends, color=palette.quiet, linewidth=1.0, label="equal")
        left.plot(fit.target[:, 0], fit.prediction[:, 0], ".", color=palette.lines[0], markersize=2.5)
        right.plot(fit.target[:, 0], error, ".", color=palette.lines[1], markersize=2.5)
        label_panel(left, palette, title=title, x="target", y="network")
        label_panel(right, palette, title="network - target", x="target", y="error")
    right.axhline(0, color=palette.quiet, linewidth=0.8)
    return figure


def _plot_maps(fit: Fit, names: list[str], title: str, top: float, dpi: float, palette: Palette) -> Figure:
    figure, panels = make_panels(3, palette, dpi, right=COLOUR_BAR_MARGIN, top=top)
    target, prediction = fit.target[:, 0], fit.prediction[:, 0]
    error = prediction - target
    size = float(np.abs(error).max(initial=0.0)) or 1.0
    value_ends = float(target.min()), float(target.max())
    maps = (
        (title, target, "viridis", value_ends),
        ("network", prediction, "viridis", value_ends),
        (f"network - target, at most {format_short(size)}", error, "RdBu_r", (-size, size)),
    )
    for axes, (heading, values, colours, ends) in zip(panels, maps, strict=True):
        image = _draw_map(axes, fit.x, values, colours, ends, palette)
        add_colour_bar(figure, axes, image, palette)
        label_panel(axes, palette, title=heading, x=names[0], y=names[1])
    return figure


def _draw_map(
    axes: Axes, x: np.ndarray, values: np.ndarray, colours: str, ends: tuple[float, float], palette: Palette
) -> Any:
    """An image of values on a mesh; elsewhere, coloured dots."""
    style: dict[str, Any] = {"cmap": colour_map(colours, palette), "vmin": ends[0], "vmax": ends[1]}
    columns, rows = (np.unique(x[:, axis]) for axis in (0, 1))
    if len(columns) * len(rows) != len(x):  # no mesh
        return axes.scatter(x[:, 0], x[:, 1], c=values, s=6, linewidths=0, **style)
    order = np.lexsort((x[:, 0], x[:, 1]))  # rows of equal x1
    grid = values[order].reshape(len(rows), len(columns))
    extent = (columns[0], columns[-1], rows[0], rows[-1])
    return axes.imshow(grid, origin="lower", extent=extent, aspect="auto", interpolation="bilinear", **style)
