"""Plain panels: axes with labels, lines with bands, and the look that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kancli.figures.style import Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kancli.model import KANLayer

WIDTH, HEIGHT = 4.2, 3.2  # of a panel, inches


def panels(
    count: int, palette: Palette, dpi: float, *, per_row: int = 3, height: float = HEIGHT
) -> tuple[Figure, list[Axes]]:
    """A figure with so many empty panels, side by side in rows."""
    columns = min(count, per_row)
    rows = -(-count // columns)
    figure = Figure((WIDTH * columns, height * rows), dpi, facecolor=palette.paper, layout="constrained")
    FigureCanvasAgg(figure)
    made = []
    for number in range(count):
        axes = figure.add_subplot(rows, columns, number + 1, facecolor=palette.paper)
        axes.tick_params(which="both", colors=palette.ink, labelsize=8)
        for side, spine in axes.spines.items():
            spine.set_color(palette.ink)
            spine.set_visible(side in ("left", "bottom"))
        made.append(axes)
    return figure, made


def label(axes: Axes, palette: Palette, *, title: str, x: str, y: str) -> None:
    """Say what a panel shows and in what units."""
    axes.set_title(title, fontsize=10, color=palette.ink, loc="left")
    axes.set_xlabel(x, fontsize=9, color=palette.ink)
    axes.set_ylabel(y, fontsize=9, color=palette.ink)


def legend(axes: Axes, palette: Palette) -> None:
    axes.legend(fontsize=8, frameon=False, labelcolor=palette.ink)


def shade_off_grid(axes: Axes, layer: KANLayer, x: np.ndarray, palette: Palette) -> None:
    """Shade what lies off a layer's grid, as far as x reaches; nothing where each input has a grid of its own."""
    if layer.own_knots or not len(x):
        return
    (low, high), (start, end) = (x.min(), x.max()), layer.grid_range
    if low < start:
        axes.axvspan(low, min(start, high), color=palette.shade, zorder=0, linewidth=0)
    if high > end:
        axes.axvspan(max(end, low), high, color=palette.shade, zorder=0, linewidth=0)


def values(told: Sequence[Any]) -> dict[str, np.ndarray]:
    """`mean`, and where they are over members `low` and `high`, of numbers as stats.json tells them; NaN for null."""
    names = ("mean", "low", "high") if isinstance(told[0], Mapping) else ("mean",)
    rows = [[each[name] for name in names] if isinstance(each, Mapping) else [each] for each in told]
    columns = np.array([[np.nan if each is None else each for each in row] for row in rows], dtype=float).T
    return dict(zip(names, columns, strict=True))


def line(
    axes: Axes, x: Sequence[float] | np.ndarray, told: Mapping[str, np.ndarray], colour: str, **style: Any
) -> None:
    """A line through means, with a band over the 95 % intervals where there are any."""
    axes.plot(x, told["mean"], color=colour, **{"marker": "o", "markersize": 3.5, "linewidth": 1.4, **style})
    if "low" in told:
        axes.fill_between(x, told["low"], told["high"], color=colour, alpha=0.25, linewidth=0)


def logarithmic(axes: Axes, told: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Set a log scale, if there is something above 0 to show on it; then intervals that reach 0 or less end at a
    hundredth of their mean."""
    if not (told["mean"] > 0).any():
        return dict(told)
    axes.set_yscale("log", nonpositive="mask")
    low = {"low": np.maximum(told["low"], told["mean"] / 100)} if "low" in told else {}
    return {**told, **low}
