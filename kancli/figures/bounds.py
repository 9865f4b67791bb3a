"""The bounds of verdicts in figures of their numbers: lines across a panel, and outlines of a map's cells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from kancli.figures.style import Palette, format_plain
from kancli.stats.options import falling

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Bounds = tuple[float | None, float | None]  # warn and fail, as in the config
MAX_GROWTH = 2.5  # of an axis, to show a bound
OUTLINE_SIDE = 0.88  # of a cell
WORDS = ("warns", "fails")


def draw_bounds(axes: Axes, bounds: Mapping[str, Bounds], palette: Palette) -> None:
    """Draw a line at each bound that lies near the data, and name the others over the panel.

    Args:
        bounds: of the verdicts on the panel's number, by verdict.
    """
    is_log = axes.get_yscale() == "log"
    scale = math.log10 if is_log else float
    low, high = map(scale, axes.get_ylim())
    ends, far = [low, high], []
    for name, own in bounds.items():
        for (word, bound), colour in zip(_distinct(own), palette.bounds, strict=True):
            if bound is None:
                continue
            label, place = (
                f"{word} {_sign(name)} {format_plain(bound)}",
                scale(bound) if bound > 0 or not is_log else None,
            )
            if place is None or max(high, place) - min(low, place) > MAX_GROWTH * (high - low):
                far.append(f"{'↑' if place is not None and place > low else '↓'} {label}")
                continue
            # The label of the worse bound lies beyond it: the two stay apart wherever the lines are.
            below = falling(name) == (word == "fails")
            _draw_line(axes, bound, label, colour, palette, below=below)
            margin = 0.06 * (max(high, place) - min(low, place))
            ends = [min(ends[0], place - margin), max(ends[1], place + margin)]
    axes.set_ylim(*(10**end for end in ends) if is_log else ends)
    if far:
        style = {"fontsize": 7, "color": palette.quiet, "ha": "right", "va": "bottom", "transform": axes.transAxes}
        axes.text(1, 1.01, ", ".join(far), **style)


def _draw_line(axes: Axes, bound: float, label: str, colour: str, palette: Palette, *, below: bool) -> None:
    axes.axhline(bound, color=colour, linewidth=1.0, linestyle=(0, (5, 2)), zorder=1.5)
    box = {"facecolor": palette.paper, "edgecolor": "none", "alpha": 0.7, "pad": 0.5}
    place = {"xy": (1, bound), "xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
    side = {"xytext": (-2, -2), "va": "top"} if below else {"xytext": (-2, 2), "va": "bottom"}
    axes.annotate(label, ha="right", fontsize=7, color=colour, bbox=box, **side, **place)


def outline_cells(axes: Axes, name: str, values: np.ndarray, bounds: Bounds, palette: Palette) -> None:
    """Outline the cells of a map whose value reaches a bound of a verdict, in the colour of the worst one."""
    warns, fails = (_reaches(name, values, bound) for bound in bounds)
    for reached, colour in zip((warns & ~fails, fails), palette.bounds, strict=True):
        for i, j in np.argwhere(reached):
            corner = j - OUTLINE_SIDE / 2, i - OUTLINE_SIDE / 2
            axes.add_patch(Rectangle(corner, OUTLINE_SIDE, OUTLINE_SIDE, fill=False, color=colour, linewidth=1.8))


def _reaches(name: str, values: np.ndarray, bound: float | None) -> np.ndarray:
    if bound is None:
        return np.zeros(values.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        return values <= bound if falling(name) else values >= bound


def _sign(name: str) -> str:
    return "≤" if falling(name) else "≥"


def format_bounds(name: str, bounds: Bounds) -> str:
    """The bounds in words, such as "outlined where it warns ≥ 2, fails ≥ 3"; empty if there are none."""
    words = [f"{word} {_sign(name)} {format_plain(bound)}" for word, bound in _distinct(bounds) if bound is not None]
    return f"outlined where it {', '.join(words)}" if words else ""


def _distinct(bounds: Bounds) -> list[tuple[str, float | None]]:
    """Each bound with its word; where both are equal, the one that fails."""
    warn, fail = bounds
    return list(zip(WORDS, (None if warn == fail else warn, fail), strict=True))
