"""Panels of axes, and the artists that several figures draw in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, MaxNLocator, NullFormatter

from kancli.figures.diagram.canvas import fit_text
from kancli.figures.log_ticks import LogTickFormatter, LogTickLocator, set_log_ticks
from kancli.figures.png import PngCanvas
from kancli.figures.style import Palette, format_short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from kancli.kan.layer import KANLayer

# Inches: the size of a panel, its margins around the axes, and the right margin of one with a colour bar.
WIDTH, HEIGHT = 4.2, 3.2
LEFT, RIGHT, BOTTOM, TOP = 0.8, 0.14, 0.48, 0.34
COLOUR_BAR_MARGIN = 0.85
MAX_WRITTEN_CELLS = 64
MIN_CELL_TEXT = 4.0  # points


def make_panels(
    count: int,
    palette: Palette,
    dpi: float,
    *,
    per_row: int = 3,
    left: float = LEFT,
    right: float = RIGHT,
    bottom: float = BOTTOM,
    top: float = TOP,
) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` empty panels in rows.

    Positions are computed: matplotlib's layout engines take longer than the drawing.

    Args:
        left, right, bottom, top: margins of each panel, inches; larger ones enlarge the panel, not shrink its axes.
    """
    n_columns = min(count, per_row)
    n_rows = -(-count // n_columns)
    width, height = WIDTH + left - LEFT + right - RIGHT, HEIGHT + bottom - BOTTOM + top - TOP
    size = n_columns * width, n_rows * height
    figure = Figure(size, dpi, facecolor=palette.paper)
    PngCanvas(figure)
    all_axes = []
    for number in range(count):
        x, y = number % n_columns * width + left, (n_rows - 1 - number // n_columns) * height + bottom
        box = x / size[0], y / size[1], (width - left - right) / size[0], (height - bottom - top) / size[1]
        all_axes.append(add_panel(figure, box, palette))
    return figure, all_axes


def add_panel(figure: Figure, box: tuple[float, float, float, float], palette: Palette) -> Axes:
    """Add an empty panel to a figure; `box` is its left, bottom, width and height as shares of the figure's size."""
    axes = figure.add_axes(box, facecolor=palette.paper)
    axes.tick_params(which="both", colors=palette.ink, labelsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(DistinctFormatter())
        axis.get_offset_text().set(fontsize=7, color=palette.ink, va="top")  # inside, under the title
    for side, spine in axes.spines.items():
        spine.set_color(palette.ink)
        spine.set_visible(side in ("left", "bottom"))
    return axes


class DistinctFormatter(Formatter):
    """Tick labels with just enough digits to differ; beyond six digits, offsets from the first tick."""

    def __init__(self) -> None:
        self.offset = ""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        self.offset = ""
        for digits in range(3, 7):
            labels = [self._format(value, digits) for value in values]
            if len(set(labels)) == len(labels):
                return labels
        self.offset = f"{values[0]:.12g} +"
        return [self._format(value - values[0], 3) for value in values]

    def get_offset(self) -> str:
        return self.offset

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self._format(x, 6)

    def _format(self, value: float, digits: int) -> str:
        return self.fix_minus(format_short(value, digits))


def write_cell_values(axes: Axes, image: AxesImage, format: str = ".3g") -> None:
    """Write the value of each cell of a small colour map in its cell, a dash for a missing one, if there is room."""
    values = np.ma.filled(image.get_array().astype(float), np.nan)  # pyright: ignore[reportOptionalMemberAccess]
    if values.size > MAX_WRITTEN_CELLS:
        return
    texts = [[f"{value:{format}}" if np.isfinite(value) else "–" for value in row] for row in values]
    box = axes.get_window_extent()
    is_square = axes.get_aspect() != "auto"
    side = min(box.width / values.shape[1], box.height / values.shape[0]) if is_square else box.width / values.shape[1]
    _, size = fit_text(max((text for row in texts for text in row), key=len), 7, 0.95 * side / axes.figure.dpi, 1)
    if size < MIN_CELL_TEXT:
        return
    for (i, j), value in np.ndenumerate(values):
        red, green, blue, _ = image.cmap(image.norm(value))
        is_bright = not np.isfinite(value) or 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
        axes.text(j, i, texts[i][j], ha="center", va="center", fontsize=size, color="black" if is_bright else "white")


def add_colour_bar(figure: Figure, axes: Axes, image: AxesImage, palette: Palette, label: str = "") -> None:
    """Add a colour bar in the right margin of a panel, which must be `COLOUR_BAR_MARGIN` wide."""
    box, (width, _) = axes.get_position(), figure.get_size_inches()
    bar_axes = figure.add_axes((box.x1 + 0.08 / width, box.y0, 0.1 / width, box.height))
    is_log = isinstance(image.norm, LogNorm)
    ticks = LogTickLocator() if is_log else None
    bar = figure.colorbar(
        image, cax=bar_axes, ticks=ticks, format=LogTickFormatter() if is_log else DistinctFormatter()
    )
    bar.minorformatter = NullFormatter()
    bar.set_label(label, fontsize=8, color=palette.ink)
    bar_axes.tick_params(which="both", colors=palette.ink, labelsize=7)


def title_margin(title: str) -> float:
    """The top margin, inches, for a title of one or more lines."""
    return TOP + 0.16 * title.count("\n")


def label_panel(axes: Axes, palette: Palette, *, title: str, x: str, y: str) -> None:
    """Set the title and the axis labels of a panel."""
    # With a fixed y, matplotlib does not search for a free position, which takes as long as the rest of the drawing.
    axes.set_title(title, fontsize=10, color=palette.ink, loc="left", y=1.02)
    axes.set_xlabel(x, fontsize=9, color=palette.ink)
    axes.set_ylabel(y, fontsize=9, color=palette.ink)


def add_legend(axes: Axes, palette: Palette, **place: Any) -> None:
    """Add a legend of the labelled artists, where matplotlib finds room, or at a place in its terms."""
    style = {"facecolor": palette.paper, "edgecolor": "none", "framealpha": 0.8}
    axes.legend(fontsize=8, labelcolor=palette.ink, **style, **place)


def shade_off_grid(axes: Axes, layer: KANLayer, x: np.ndarray, palette: Palette) -> None:
    """Shade the part of the range of x outside a layer's grid; nothing where each input has its own grid."""
    if layer.per_input_knots or not len(x):
        return
    (low, high), (start, end) = (x.min(), x.max()), layer.grid_range
    if low < start:
        axes.axvspan(low, min(start, high), color=palette.shade, zorder=0, linewidth=0)
    if high > end:
        axes.axvspan(max(end, low), high, color=palette.shade, zorder=0, linewidth=0)


def mean_and_interval(entries: Sequence[Any]) -> dict[str, np.ndarray]:
    """Arrays of `mean`, and for an ensemble `low` and `high`, from entries of stats.json; NaN for null."""
    names = ("mean", "low", "high") if isinstance(entries[0], Mapping) else ("mean",)
    rows = [[entry[name] for name in names] if isinstance(entry, Mapping) else [entry] for entry in entries]
    columns = np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=float).T
    return dict(zip(names, columns, strict=True))


def plot_mean(
    axes: Axes, x: Sequence[float] | np.ndarray, stats: Mapping[str, np.ndarray], colour: str, **style: Any
) -> None:
    """Plot a line through means, and a band over their 95 % intervals if there are any."""
    axes.plot(x, stats["mean"], color=colour, **{"marker": "o", "markersize": 3.5, "linewidth": 1.4, **style})
    if "low" in stats:
        axes.fill_between(x, stats["low"], stats["high"], color=colour, alpha=0.25, linewidth=0)


def set_log_scale(axes: Axes, *series: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Set a logarithmic y axis if any value is positive, and return the series to plot on it.

    Intervals that reach 0 or less extend below the panel; a note says that means of 0 are not shown.
    """
    positive = [stats[name][stats[name] > 0] for stats in series for name in ("mean", "low") if name in stats]
    lowest = min((float(values.min()) for values in positive if len(values)), default=None)
    if lowest is None:
        return [dict(stats) for stats in series]
    axes.set_yscale("log", nonpositive="mask")
    set_log_ticks(axes.yaxis)
    if any((stats["mean"] <= 0).any() for stats in series):
        axes.text(0.02, 0.02, "0 is not shown", transform=axes.transAxes, fontsize=7, color="0.5")
    if any((stats["low"] <= 0).any() for stats in series if "low" in stats):
        axes.set_ymargin(0)  # clips these intervals at the foot of the panel
    return [
        {**stats, "low": np.where(stats["low"] <= 0, lowest / 3, stats["low"])} if "low" in stats else dict(stats)
        for stats in series
    ]
