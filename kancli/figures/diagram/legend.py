"""What the marks of a network diagram stand for, in a line or more at its foot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb

from kancli.figures.diagram.canvas import Canvas, rectangles, segments, width_of
from kancli.figures.diagram.curves import METRICS
from kancli.figures.style import DASHED, PALETTES, Palette

if TYPE_CHECKING:
    from kancli.figures.data import FigureData
    from kancli.figures.options import FigureOptions

SIZE, LINE = 8.0, 0.24  # of the text in points; the height of a line
MARK, APART = 0.5, 0.3  # the width of a mark of the legend; from one entry to the next


def legend_height(runs_data: Sequence[FigureData], options: FigureOptions, width: float) -> float:
    """What the legend takes at the foot of a figure of that width."""
    return 0.12 + LINE * len(_rows(_legend(runs_data, options), width))


def draw_legend(canvas: Canvas, runs_data: Sequence[FigureData], options: FigureOptions, width: float) -> None:
    """What the marks stand for, at the foot of a sheet of that width."""
    palette = PALETTES[options.style]
    rows = _rows(_legend(runs_data, options), width)
    for number, row in enumerate(rows):
        y = 0.08 + LINE * (len(rows) - number - 0.5)
        needs = [MARK + width_of(words, SIZE) + APART for _, words in row]
        x = (width - sum(needs) + APART) / 2
        for (mark, words), need in zip(row, needs, strict=True):
            _draw_mark(canvas, mark, x, y, palette)
            canvas.text(x + MARK, y, words, SIZE, color=palette.quiet, va="center_baseline")
            x += need


def _legend(runs_data: Sequence[FigureData], options: FigureOptions) -> list[tuple[str, str]]:
    """The kinds of marks in these scenes, and words for each."""
    layers = [data.first.layers[0] for data in runs_data]
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
    """Whether a sample went off the grid anywhere."""
    for number, layer in enumerate(data.first.layers):
        (low, high), (start, end) = data.range(number), (each.cpu().numpy() for each in layer.grid_ends())
        if ((low < start) | (high > end)).any():
            return True
    return False


def _rows(entries: Sequence[tuple[str, str]], width: float) -> list[list[tuple[str, str]]]:
    """The legend's entries, as many to a line as have room."""
    rows, used = [[]], 0.0
    for each in entries:
        need = MARK + width_of(each[1], SIZE) + APART
        if rows[-1] and used + need > width - 0.2:
            rows.append([])
            used = 0.0
        rows[-1].append(each)
        used += need
    return rows


def _draw_mark(canvas: Canvas, mark: str, x: float, y: float, palette: Palette) -> None:
    name = f"legend {mark}"
    place = np.array([x])
    if mark == "opacity":  # from faint to full
        ends = x + 0.42 * np.linspace(0, 1, 9)
        ink = np.tile((*to_rgb(palette.ink), 1.0), (8, 1))
        ink[:, 3] = np.linspace(0.08, 1, 8)
        canvas.lines(segments(ends[:-1], y, ends[1:], y), name, width=2.5, colors=ink, capstyle="butt")
    elif mark == "shade":
        box = rectangles(place + 0.1, place + 0.42, np.array([y - 0.07]), np.array([y + 0.07]))
        canvas.polygons(box, name, width=0.5, facecolors=palette.shade, edgecolors=palette.ghost)
    elif mark == "rug":
        ticks = x + np.array([0.2, 0.24, 0.33, 0.36, 0.42])
        canvas.strokes(segments(ticks, y - 0.05, ticks, y + 0.05), name, width=0.5, edgecolor=palette.quiet)
    elif mark:
        colour = palette.lines[1] if mark == "base" else palette.lines[0]
        canvas.lines(
            segments(place + 0.1, y, place + 0.42, y),
            name,
            width=1.0,
            colors=colour,
            linestyles="-" if mark == "base" else DASHED,
        )
