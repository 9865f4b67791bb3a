"""Plain panels: axes with labels, lines with bands, and the look that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, MaxNLocator

from kancli.figures.style import Palette, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from kancli.kan.layer import KANLayer

WIDTH, HEIGHT = 4.2, 3.2  # of a panel with what is written round it, inches
LEFT, RIGHT, BOTTOM, TOP = 0.8, 0.14, 0.48, 0.34  # what is left free round its axes, inches
BAR = 0.85  # at the right, for a colour bar


def panels(
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
    """A figure with so many empty panels, side by side in rows.

    Places are set, not found by trial layouts, which would take longer than the drawing.

    Args:
        left, right, bottom, top: what is left free there in each panel, inches.
    """
    columns = min(count, per_row)
    rows = -(-count // columns)
    # What is written needs more room, not a smaller plot.
    width, height = WIDTH + left - LEFT + right - RIGHT, HEIGHT + bottom - BOTTOM + top - TOP
    whole = columns * width, rows * height
    figure = Figure(whole, dpi, facecolor=palette.paper)
    FigureCanvasAgg(figure)
    made = []
    for number in range(count):
        x, y = number % columns * width + left, (rows - 1 - number // columns) * height + bottom
        size = (width - left - right) / whole[0], (height - bottom - top) / whole[1]
        axes = figure.add_axes((x / whole[0], y / whole[1], *size), facecolor=palette.paper)
        axes.tick_params(which="both", colors=palette.ink, labelsize=8)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
            axis.set_major_formatter(Distinct())
            axis.get_offset_text().set(fontsize=7, color=palette.ink, va="top")  # inside, under the title
        for side, spine in axes.spines.items():
            spine.set_color(palette.ink)
            spine.set_visible(side in ("left", "bottom"))
        made.append(axes)
    return figure, made


class Distinct(Formatter):
    """Whole numbers at every tick, no multiplier over the axis: as many digits as tell them apart. Where that is very
    many, what they are above the first, which then is told at the end of the axis."""

    def __init__(self) -> None:
        self.first = ""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        self.first = ""
        for digits in range(3, 7):
            told = [self._write(value, digits) for value in values]
            if len(set(told)) == len(told):
                return told
        self.first = f"{values[0]:.12g} +"
        return [self._write(value - values[0], 3) for value in values]

    def get_offset(self) -> str:
        return self.first

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self._write(x, 6)

    def _write(self, value: float, digits: int) -> str:
        return self.fix_minus(short(value, digits))


def write_cells(axes: Axes, image: AxesImage) -> None:
    """The number of each cell of a map in it, where it is small; a dash for none."""
    values = np.ma.filled(image.get_array().astype(float), np.nan)  # pyright: ignore[reportOptionalMemberAccess]
    if values.size > 64:
        return
    for (i, j), value in np.ndenumerate(values):
        red, green, blue, _ = image.cmap(image.norm(value))
        bright = not np.isfinite(value) or 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
        words = f"{value:.3g}" if np.isfinite(value) else "–"
        axes.text(j, i, words, ha="center", va="center", fontsize=7, color="black" if bright else "white")


def colour_bar(figure: Figure, axes: Axes, image: AxesImage, palette: Palette, words: str) -> None:
    """What the colours of a panel stand for, in the room of `BAR` at its right."""
    place, (width, _) = axes.get_position(), figure.get_size_inches()
    beside = figure.add_axes((place.x1 + 0.08 / width, place.y0, 0.1 / width, place.height))
    bar = figure.colorbar(image, cax=beside)
    bar.set_label(words, fontsize=8, color=palette.ink)
    beside.tick_params(which="both", colors=palette.ink, labelsize=7)


def room_for(title: str) -> float:
    """The room at the top, inches, that a title of several lines needs."""
    return TOP + 0.16 * title.count("\n")


def label(axes: Axes, palette: Palette, *, title: str, x: str, y: str) -> None:
    """Say what a panel shows and in what units."""
    # A place of its own: else matplotlib would look for one, for as long as all else takes.
    axes.set_title(title, fontsize=10, color=palette.ink, loc="left", y=1.02)
    axes.set_xlabel(x, fontsize=9, color=palette.ink)
    axes.set_ylabel(y, fontsize=9, color=palette.ink)


def legend(axes: Axes, palette: Palette) -> None:
    style = {"facecolor": palette.paper, "edgecolor": "none", "framealpha": 0.8}
    axes.legend(fontsize=8, labelcolor=palette.ink, **style)


def shade_off_grid(axes: Axes, layer: KANLayer, x: np.ndarray, palette: Palette) -> None:
    """Shade what lies off a layer's grid, as far as x reaches; nothing where each input has a grid of its own."""
    if layer.per_input_knots or not len(x):
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


def logarithmic(axes: Axes, *tolds: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Set a log scale for lines, if there is something above 0 to show on it, and give them back ready for it.

    Intervals that reach 0 or less run off the foot of the panel; that a mean is 0 is said.
    """
    above = [each[name][each[name] > 0] for each in tolds for name in ("mean", "low") if name in each]
    least = min((float(each.min()) for each in above if len(each)), default=None)
    if least is None:
        return [dict(each) for each in tolds]
    axes.set_yscale("log", nonpositive="mask")
    if any((each["mean"] <= 0).any() for each in tolds):
        axes.text(0.02, 0.02, "0 is not shown", transform=axes.transAxes, fontsize=7, color="0.5")
    if any((each["low"] <= 0).any() for each in tolds if "low" in each):
        axes.set_ymargin(0)  # the panel ends where these intervals are cut
    return [{**each, "low": np.where(each["low"] <= 0, least / 3, each["low"])} if "low" in each else dict(each)
            for each in tolds]  # fmt: skip
