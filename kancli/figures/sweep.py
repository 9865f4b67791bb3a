"""The numbers of verdicts over a sweep: lines over one swept key with bands over seeds, or colour maps over two."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kancli.figures.bounds import Bounds, draw_bounds, format_bounds, outline_cells
from kancli.figures.data import NothingToDrawError, VerdictTable
from kancli.figures.diagram.canvas import text_width
from kancli.figures.log_ticks import set_log_ticks
from kancli.figures.panels import (
    BOTTOM,
    COLOUR_BAR_MARGIN,
    LEFT,
    RIGHT,
    add_colour_bar,
    add_legend,
    label_panel,
    make_panels,
    plot_mean,
    set_log_scale,
    title_margin,
    write_cell_values,
)
from kancli.figures.style import PALETTES, Palette, colour_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions

Array = np.ndarray

MIN_LOG_RATIO = 20.0  # of the highest to the lowest number, for a log scale
MAX_LABEL_LENGTH = 32
MAX_TITLE_LENGTH, MAX_Y_LABEL_LENGTH = 42, 32
MAX_LABELS = 24
MAX_ROW_LENGTH = 36  # characters of all labels of an axis; beyond, they are upright
INTERVAL_LABEL = "mean, 95 % interval"


def plot(
    tables: Mapping[str, VerdictTable],
    options: FigureOptions,
    meanings: Mapping[str, str],
    bounds: Mapping[str, Bounds] | None = None,
) -> Figure:
    """Plot a panel for each verdict whose number differs between runs, with the verdict's bounds.

    Args:
        tables: by verdict; all have the same axes.
        meanings: the quantity that each verdict judges.
        bounds: by verdict.

    Raises:
        NothingToDrawError: no number differs.
    """
    tables = {name: table for name, table in tables.items() if _differs(table.numbers["mean"])}
    if not tables:
        raise NothingToDrawError("sweep: all statistics are the same in all runs")
    palette = PALETTES[options.style]
    bounds = bounds or {}
    keys = list(next(iter(tables.values())).axes.items())
    is_map = len(keys) == 2
    titles = {name: _title(name, meanings.get(name, name), bounds.get(name), is_map=is_map) for name in tables}
    margins = _margins([values for _, values in keys], titles.values())
    figure, all_axes = make_panels(len(tables), palette, options.dpi, **margins)
    for (name, table), axes in zip(tables.items(), all_axes, strict=True):
        if is_map:
            _draw_map(figure, axes, table, palette)
            outline_cells(axes, name, table.numbers["mean"], bounds.get(name, (None, None)), palette)
            label_panel(axes, palette, title=titles[name], x=keys[1][0], y=keys[0][0])
        else:
            _draw_line(axes, keys[0][1], table.numbers, palette)
            draw_bounds(axes, {name: bounds.get(name, (None, None))}, palette)
            if "low" in table.numbers and axes is all_axes[0]:
                add_legend(axes, palette)
            label_panel(axes, palette, title="", x=keys[0][0], y=titles[name])
    return figure


def _title(name: str, meaning: str, bounds: Bounds | None, *, is_map: bool) -> str:
    """The quantity of a panel, and below it the meaning of a map's outlines."""
    lines = textwrap.wrap(meaning, MAX_TITLE_LENGTH if is_map else MAX_Y_LABEL_LENGTH)
    return "\n".join([*lines, *([format_bounds(name, bounds)] if is_map and bounds else [])])


def _margins(axes_values: Sequence[Sequence[str]], titles: Iterable[str]) -> dict[str, Any]:
    """The margins of the panels for the tick labels of one axis or two."""
    is_map, x_values = len(axes_values) == 2, axes_values[-1]
    n_lines = max(title.count("\n") for title in titles)
    return {
        "left": LEFT + (_label_length(axes_values[0]) if is_map else 0.16 * n_lines),
        "right": COLOUR_BAR_MARGIN if is_map else RIGHT,
        "bottom": BOTTOM + (_label_length(x_values) if _is_upright(x_values) else 0.0),
        "top": title_margin("\n" * n_lines if is_map else ""),
    }


def _differs(numbers: Array) -> bool:
    """Whether numbers differ by more than rounding."""
    finite = numbers[np.isfinite(numbers)]
    return len(finite) > 1 and bool(np.ptp(finite) > 1e-6 * np.abs(finite).max())


def _needs_log_scale(numbers: Array) -> bool:
    """Whether numbers are positive and span more than `MIN_LOG_RATIO`."""
    finite = numbers[np.isfinite(numbers)]
    return len(finite) > 0 and bool(finite.min() > 0) and bool(finite.max() > MIN_LOG_RATIO * finite.min())


def _positions(values: Sequence[str]) -> tuple[Array, bool]:
    """Return the positions of values on an axis, and whether these are the values: else they are in order."""
    try:
        return np.array([float(value) for value in values]), True
    except ValueError:
        return np.arange(len(values), dtype=float), False


def _draw_line(axes: Axes, values: Sequence[str], numbers: Mapping[str, Array], palette: Palette) -> None:
    x, is_numeric = _positions(values)
    order = np.argsort(x, kind="stable")
    stats = {name: ends[order] for name, ends in numbers.items()}
    if _needs_log_scale(stats["mean"]):
        (stats,) = set_log_scale(axes, stats)
    if is_numeric:
        plot_mean(axes, x[order], stats, palette.lines[0], label=INTERVAL_LABEL)
        if _needs_log_scale(x):
            axes.set_xscale("log")
            set_log_ticks(axes.xaxis)
        return
    errors = [stats["mean"] - stats["low"], stats["high"] - stats["mean"]] if "low" in stats else None
    style: dict[str, Any] = {
        "color": palette.lines[0],
        "fmt": "o",
        "markersize": 5,
        "capsize": 3,
        "label": INTERVAL_LABEL,
    }
    axes.errorbar(x, stats["mean"], errors, **style)
    axes.set_xlim(-0.5, len(x) - 0.5)
    _set_ticks(axes.set_xticks, x, values, is_upright=_is_upright(values))


def _draw_map(figure: Figure, axes: Axes, table: VerdictTable, palette: Palette) -> None:
    mean = table.numbers["mean"]
    norm, cmap = "log" if _needs_log_scale(mean) else "linear", colour_map("viridis", palette)
    style: dict[str, Any] = {"interpolation": "nearest", "aspect": "auto", "origin": "lower"}
    image = axes.imshow(np.ma.masked_invalid(mean), cmap=cmap, norm=norm, **style)
    add_colour_bar(figure, axes, image, palette)
    y_values, x_values = table.axes.values()
    _set_ticks(axes.set_xticks, np.arange(len(x_values)), x_values, is_upright=_is_upright(x_values))
    _set_ticks(axes.set_yticks, np.arange(len(y_values)), y_values, is_upright=False)
    write_cell_values(axes, image)


def _is_upright(values: Sequence[str]) -> bool:
    """Whether tick labels of the x axis are upright for lack of room."""
    return max(map(len, values)) * min(len(values), MAX_LABELS) > MAX_ROW_LENGTH


def _label_length(values: Sequence[str]) -> float:
    """The length in inches of the longest tick label."""
    return text_width("x" * min(MAX_LABEL_LENGTH, max(map(len, values))), 8)


def _set_ticks(set_ticks: Any, positions: Array, values: Sequence[str], *, is_upright: bool) -> None:
    step = -(-len(values) // MAX_LABELS)
    labels = [value if len(value) <= MAX_LABEL_LENGTH else value[: MAX_LABEL_LENGTH - 1] + "…" for value in values]
    set_ticks(positions[::step], labels[::step], rotation=90 if is_upright else 0)
