"""The legend of a network diagram: marks and their labels, in rows at its foot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb

from kancli.figures.diagram.canvas import Canvas, rectangles, segments, text_width
from kancli.figures.diagram.curves import METRICS
from kancli.figures.style import DASHED, PALETTES, Palette

if TYPE_CHECKING:
    from kancli.figures.data import FigureData
    from kancli.figures.options import FigureOptions

TEXT_SIZE = 8.0  # points
ROW_HEIGHT = 0.24  # inches
MARK_WIDTH, ENTRY_GAP = 0.5, 0.3  # inches


def legend_height(
    runs_data: Sequence[FigureData], options: FigureOptions, width: float, remarks: Sequence[str] = ()
) -> float:
    """The height in inches of the legend of a figure of the given width."""
    return 0.12 + ROW_HEIGHT * len(_rows(runs_data, options, width, remarks))


def draw_legend(
    canvas: Canvas, runs_data: Sequence[FigureData], options: FigureOptions, width: float, remarks: Sequence[str] = ()
) -> None:
    """Draw the legend at the foot of a canvas of the given width, and the remarks below it."""
    palette = PALETTES[options.style]
    rows = _rows(runs_data, options, width, remarks)
    for number, row in enumerate(rows):
        y = 0.08 + ROW_HEIGHT * (len(rows) - number - 0.5)
        widths = [_entry_width(label) for _, label in row]
        x = (width - sum(widths) + ENTRY_GAP) / 2
        for (mark, label), entry_width in zip(row, widths, strict=True):
            _draw_mark(canvas, mark, x, y, palette)
            canvas.text(x + MARK_WIDTH, y, label, TEXT_SIZE, color=palette.quiet, va="center_baseline")
            x += entry_width


def _rows(
    runs_data: Sequence[FigureData], options: FigureOptions, width: float, remarks: Sequence[str]
) -> list[list[tuple[str, str]]]:
    return [*_wrap(_entries(runs_data, options), width), *([("", remark)] for remark in remarks)]


def _entry_width(label: str) -> float:
    return MARK_WIDTH + text_width(label, TEXT_SIZE) + ENTRY_GAP


def _entries(runs_data: Sequence[FigureData], options: FigureOptions) -> list[tuple[str, str]]:
    """The kinds of marks in the diagrams of these runs, and a label for each."""
    layers = [data.first_member.layers[0] for data in runs_data]
    grids = {None if layer.per_input_knots else layer.grid_range for layer in layers}
    (low, high) = grids.pop() or (None, None) if len(grids) == 1 else (None, None)
    grid = "its input's grid" if low is None else f"the grid [{low:g}, {high:g}]"
    entries = [("opacity", f"opacity tanh({options.beta:g} · {METRICS[options.metric]})")]
    if any(map(_leaves_grid, runs_data)):
        entries.append(("shade", f"off {grid}"))
    if options.sample and any(data.activations for data in runs_data):
        entries.append(("rug", "samples"))
    if options.parts:
        entries += [("base", "scale_base · b(x)"), ("spline", "scale_sp · spline(x)")]
    members = max(data.n_members for data in runs_data)
    if members > 1:
        entries.append(("", f"first of {members:,} members"))
    return entries


def _leaves_grid(data: FigureData) -> bool:
    """Whether a sample lies off the grid in any layer."""
    for index, layer in enumerate(data.first_member.layers):
        (low, high), (start, end) = data.preact_range(index), (knot.cpu().numpy() for knot in layer.grid_ends())
        if ((low < start) | (high > end)).any():
            return True
    return False


def _wrap(entries: Sequence[tuple[str, str]], width: float) -> list[list[tuple[str, str]]]:
    """Break entries into rows of the given width."""
    rows, used = [[]], 0.0
    for mark, label in entries:
        if rows[-1] and used + _entry_width(label) > width - 0.2:
            rows.append([])
            used = 0.0
        rows[-1].append((mark, label))
        used += _entry_width(label)
    return rows


def _draw_mark(canvas: Canvas, mark: str, x: float, y: float, palette: Palette) -> None:
    gid = f"legend {mark}"
    left, right = np.array([x + 0.1]), np.array([x + 0.42])
    if mark == "opacity":  # from faint to full
        ends = x + 0.42 * np.linspace(0, 1, 9)
        ink = np.tile((*to_rgb(palette.ink), 1.0), (8, 1))
        ink[:, 3] = np.linspace(0.08, 1, 8)
        canvas.lines(segments(ends[:-1], y, ends[1:], y), gid, width=2.5, colors=ink, capstyle="butt")
    elif mark == "shade":
        box = rectangles(left, right, np.array([y - 0.07]), np.array([y + 0.07]))
        canvas.polygons(box, gid, width=0.5, facecolors=palette.shade, edgecolors=palette.ghost)
    elif mark == "rug":
        ticks = x + np.array([0.2, 0.24, 0.33, 0.36, 0.42])
        canvas.strokes(segments(ticks, y - 0.05, ticks, y + 0.05), gid, width=0.5, edgecolor=palette.quiet)
    elif mark:
        colour, dashes = (palette.lines[1], "-") if mark == "base" else (palette.lines[0], DASHED)
        canvas.lines(segments(left, y, right, y), gid, width=1.0, colors=colour, linestyles=dashes)
