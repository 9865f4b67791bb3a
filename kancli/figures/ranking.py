"""The ranking of initialisations: ratios to a baseline by task, mean ranks, and a performance profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from kancli.figures.diagram.canvas import text_width
from kancli.figures.log_ticks import set_log_ticks
from kancli.figures.panels import add_legend, add_panel, label_panel
from kancli.figures.png import PngCanvas
from kancli.figures.rank_diagram import diagram_height, draw_ranks
from kancli.figures.style import DASHED, PALETTES, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kancli.figures.options import FigureOptions

Array = np.ndarray

WIDTH = 4.0  # inches, of the axes of a column
PROFILE_HEIGHT, MAX_PROFILE_HEIGHT = 2.5, 4.5
LEFT, GAP, TOP, BOTTOM = 0.2, 0.75, 0.4, 0.5
KEY = 0.75  # of a line of the legend, beside its words
MAX_HEIGHT = 24.0  # of the rows of all tasks
MAX_NAME = 28  # characters of a task
MARKERS = "osD^vPX*"
MARKED = (2, 10)  # the first point of a profile that has its marker, and the distance of the next one
DASHES = ("-", DASHED, (0, (1, 1.5)))  # of the lines of the profile, where the colours come again


@dataclass(frozen=True)
class RankingData:
    """What the figure shows. Shapes: k schemes, r of them and the reference but the baseline, t tasks, f factors."""

    metric: str  # in words
    schemes: Sequence[str]  # the baseline first
    tasks: Sequence[str]
    ratios: Array  # [3, t + 1, r]  geometric mean ratio to the baseline, low and high; the last row is over tasks
    rope: float
    ranks: Array  # [k]  mean over tasks; NaN without tasks
    critical_difference: float | None  # of two mean ranks
    groups: Sequence[Sequence[int]]  # schemes whose mean ranks do not differ
    factors: Array  # [f]
    profile: Array  # [k, f]  shares of runs within each factor of the best
    reference: str | None = None  # a network that is no scheme: it has ratios only


def plot(data: RankingData, options: FigureOptions) -> Figure:
    """Plot the ratios in a row for each task, and beside them the mean ranks over the profile."""
    palette = PALETTES[options.style]
    names = [*(_shorten(task) for task in data.tasks), "over tasks"]
    margin = LEFT + max(text_width(name, 8) for name in names) + 0.1
    rows_height = min(MAX_HEIGHT, len(names) * (0.14 + 0.07 * max(1, data.ratios.shape[2] - 1)))
    ranks_height = diagram_height(len(data.schemes)) if np.isfinite(data.ranks).all() else 0.0
    height = max(rows_height, ranks_height + GAP * bool(ranks_height) + PROFILE_HEIGHT)
    legend_width = KEY + max(text_width(name, 8) for name in [*data.schemes, _reference_name(data) or ""])
    size = margin + 2 * WIDTH + GAP + legend_width, height + TOP + BOTTOM
    figure = Figure(size, options.dpi, facecolor=palette.paper)
    PngCanvas(figure)

    def panel(x: float, y: float, panel_height: float) -> Axes:
        box = x / size[0], (y + BOTTOM) / size[1], WIDTH / size[0], panel_height / size[1]
        return add_panel(figure, box, palette)

    _draw_ratios(panel(margin, 0.0, height), data, names, palette)
    x = margin + WIDTH + GAP
    if ranks_height:
        styles = [_style(number, palette)["color"] for number in range(len(data.schemes))]
        axes = panel(x, height - ranks_height, ranks_height)
        draw_ranks(axes, WIDTH, data.schemes, data.ranks, data.critical_difference, data.groups, styles, palette)
    room = height - ranks_height - GAP * bool(ranks_height)
    profile_height = min(room, MAX_PROFILE_HEIGHT)
    _draw_profile(panel(x, room - profile_height, profile_height), data, palette)
    return figure


def _reference_name(data: RankingData) -> str | None:
    return None if data.reference is None else f"{data.reference}, for reference"


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


def _style(number: int, palette: Palette) -> dict[str, Any]:
    """The colour and marker of a scheme; the baseline, number 0, is grey."""
    colour = palette.quiet if number == 0 else palette.lines[(number - 1) % len(palette.lines)]
    return {"color": colour, "marker": "" if number == 0 else MARKERS[(number - 1) % len(MARKERS)]}


def _reference_style(palette: Palette) -> dict[str, Any]:
    """A hollow marker and dashed lines in the colour of text."""
    return {"color": palette.ink, "marker": "o", "markerfacecolor": palette.paper, "linestyle": DASHED}


def _draw_ratios(axes: Axes, data: RankingData, names: Sequence[str], palette: Palette) -> None:
    n_others, rows = data.ratios.shape[2], np.arange(len(names))
    ratio, low, high = data.ratios
    axes.axvspan(1 / data.rope, data.rope, color=palette.shade, linewidth=0, zorder=0)
    axes.axvline(1, color=palette.quiet, linewidth=0.8, zorder=1)
    axes.axhline(len(names) - 1.5, color=palette.ghost, linewidth=0.8)
    for number in range(n_others):
        y = rows + 0.7 * ((number + 0.5) / n_others - 0.5)
        is_reference = number == len(data.schemes) - 1
        style = _reference_style(palette) if is_reference else _style(number + 1, palette)
        has_interval = np.isfinite(low[:, number])
        axes.hlines(y[has_interval], low[has_interval, number], high[has_interval, number],
                    color=style["color"], linewidth=1.2, linestyle=style.get("linestyle", "-"))  # fmt: skip
        axes.plot(ratio[:, number], y, **{**style, "linestyle": "", "markersize": 4})
    axes.set_xscale("log")
    _widen(axes, data)
    set_log_ticks(axes.xaxis)
    axes.set_yticks(rows, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    note = f"ratio to {data.schemes[0]}, 95 % interval; shaded: within a factor of {data.rope:g}"
    label_panel(axes, palette, title="", x=note, y="")
    axes.annotate(f"{data.metric}: less is better", (0, 1), (0, 8), xycoords="axes fraction",
                  textcoords="offset points", fontsize=10, color=palette.ink)  # fmt: skip


def _widen(axes: Axes, data: RankingData) -> None:
    """Set limits around the ratios and a bit of what makes no difference."""
    finite = data.ratios[np.isfinite(data.ratios)]
    low, high = min([1 / data.rope, *finite]), max([data.rope, *finite])
    margin = max((high / low) ** 0.06, 1.01)
    axes.set_xlim(low / margin, high * margin)


def _draw_profile(axes: Axes, data: RankingData, palette: Palette) -> None:
    for number, name in enumerate(data.schemes):
        dashes = DASHES[max(0, number - 1) // len(palette.lines) % len(DASHES)]
        line = {**_style(number, palette), "linestyle": dashes, "linewidth": 1.4, "markersize": 4, "markevery": MARKED}
        axes.plot(data.factors, data.profile[number], label=name, drawstyle="steps-post", **line)
    if (name := _reference_name(data)) is not None:  # a line of the legend
        axes.plot([], [], label=name, **{**_reference_style(palette), "linewidth": 1.2, "markersize": 4})
    axes.set_xscale("log")
    set_log_ticks(axes.xaxis)
    axes.set_ylim(0, 1.03)
    label_panel(axes, palette, title="performance profile", x="within this factor of the best one", y="share of runs")
    add_legend(axes, palette, loc="upper left", bbox_to_anchor=(1, 1))  # beside the lines, which fill the panel
