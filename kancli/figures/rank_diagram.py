"""The critical-difference diagram of Demšar (2006): mean ranks on a line, bars over those that do not differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.diagram.canvas import text_width
from kancli.figures.panels import label_panel
from kancli.figures.style import Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL_STEP, HEAD, BAR_STEP = 0.17, 0.5, 0.09  # inches: between labels, above the line, between bars
LABEL_SIZE = 8  # points
MAX_BARS = 4  # for which there is room
MAX_TICKS = 12  # with a label each


def diagram_height(n_schemes: int) -> float:
    """The height in inches of the diagram of so many schemes."""
    return HEAD + BAR_STEP * MAX_BARS + LABEL_STEP * (-(-n_schemes // 2) + 0.5)


def draw_ranks(
    axes: Axes,
    width: float,
    schemes: Sequence[str],
    ranks: np.ndarray,
    critical_difference: float | None,
    groups: Sequence[Sequence[int]],
    colours: Sequence[str],
    palette: Palette,
) -> None:
    """Draw a diagram in axes of this width in inches; y is in inches below the line of ranks."""
    n, height = len(schemes), diagram_height(len(schemes))
    axes.set_axis_off()
    axes.set_ylim(height - HEAD, -HEAD)
    span = n - 1
    names = max(text_width(f"0.00 {name}", LABEL_SIZE) for name in schemes) + 0.2
    beside = span * names / max(width - 2 * names, 0.2 * width)
    axes.set_xlim(1 - beside, n + beside)
    axes.hlines(0, 1, n, color=palette.ink, linewidth=1)
    for tick in range(1, n + 1):
        axes.vlines(tick, -0.05, 0, color=palette.ink, linewidth=1)
        if tick % (1 + n // MAX_TICKS) == 0 or tick in (1, n):
            axes.text(tick, -0.07, str(tick), ha="center", va="bottom", fontsize=LABEL_SIZE, color=palette.ink)
    for level, group in enumerate(groups):
        y = BAR_STEP * (1 + level % MAX_BARS)
        ends = [ranks[scheme] for scheme in group]
        axes.hlines(y, min(ends) - 0.02 * span, max(ends) + 0.02 * span, color=palette.ink, linewidth=3)
    _label(axes, schemes, ranks, colours, palette)
    if critical_difference is not None:
        _draw_scale(axes, critical_difference, n, palette)
    label_panel(axes, palette, title="mean rank over tasks", x="", y="")


def _label(axes: Axes, schemes: Sequence[str], ranks: np.ndarray, colours: Sequence[str], palette: Palette) -> None:
    """Lead a line from each mean rank to a name: the better half on the left, the other on the right."""
    order = np.argsort(ranks, kind="stable")
    n, span, n_left = len(order), len(order) - 1, (len(order) + 1) // 2
    for place, scheme in enumerate(order):
        is_left = place < n_left
        level = place if is_left else n - 1 - place
        y = BAR_STEP * (MAX_BARS + 1) + LABEL_STEP * level
        end = 1 - 0.06 * span if is_left else n + 0.06 * span
        axes.plot(np.array([ranks[scheme], ranks[scheme], end]), [0, y, y], color=colours[scheme], linewidth=1)
        name = f"{schemes[scheme]} {ranks[scheme]:.3g}" if is_left else f"{ranks[scheme]:.3g} {schemes[scheme]}"
        axes.text(
            end, y, f" {name} ", ha="right" if is_left else "left", va="center", fontsize=LABEL_SIZE, color=palette.ink
        )


def _draw_scale(axes: Axes, difference: float, n: int, palette: Palette) -> None:
    """The critical difference as a length over the line, or in words where it is longer than the line."""
    if difference > n - 1:
        text = f"no ranks differ by the critical difference, {difference:.3g}"
        axes.text((1 + n) / 2, -0.3, text, ha="center", va="center", fontsize=7, color=palette.quiet)
        return
    axes.plot([1, 1 + difference], [-0.3, -0.3], color=palette.quiet, linewidth=1, marker="|", markersize=5)
    text = f"critical difference {difference:.3g} (Nemenyi, 5 %)"
    axes.text(1, -0.36, text, va="bottom", fontsize=7, color=palette.quiet)
