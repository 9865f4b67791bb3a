"""What the marks of a network diagram stand for, in a line or more at its foot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb

from kancli.figures.diagram.canvas import Sheet, rectangles, segments, width_of
from kancli.figures.diagram.curves import METRICS
from kancli.figures.style import DASHED, PALETTES, Palette

if TYPE_CHECKING:
    from kancli.figures.options import Figures
    from kancli.figures.scene import Scene

SIZE, LINE = 8.0, 0.24  # of the text in points; the height of a line
MARK, APART = 0.5, 0.3  # the width of a mark of the legend; from one entry to the next


def legend_height(scenes: Sequence[Scene], look: Figures, width: float) -> float:
    """What the legend takes at the foot of a figure of that width."""
    return 0.12 + LINE * len(_rows(_legend(scenes, look), width))


def draw_legend(sheet: Sheet, scenes: Sequence[Scene], look: Figures, width: float) -> None:
    """What the marks stand for, at the foot of a sheet of that width."""
    palette = PALETTES[look.style]
    rows = _rows(_legend(scenes, look), width)
    for number, row in enumerate(rows):
        y = 0.08 + LINE * (len(rows) - number - 0.5)
        needs = [MARK + width_of(words, SIZE) + APART for _, words in row]
        x = (width - sum(needs) + APART) / 2
        for (mark, words), need in zip(row, needs, strict=True):
            _draw_mark(sheet, mark, x, y, palette)
            sheet.text(x + MARK, y, words, SIZE, color=palette.quiet, va="center_baseline")
            x += need


def _legend(scenes: Sequence[Scene], look: Figures) -> list[tuple[str, str]]:
    """The kinds of marks in these scenes, and words for each."""
    layers = [scene.first.layers[0] for scene in scenes]
    grids = {None if layer.own_knots else layer.grid_range for layer in layers}
    (low, high) = grids.pop() or (None, None) if len(grids) == 1 else (None, None)
    grid = "its input's grid" if low is None else f"the grid [{low:g}, {high:g}]"
    entries = [("opacity", f"opacity tanh({look.beta:g} · {METRICS[look.metric]})")]
    if any(map(_leaves_grid, scenes)):
        entries.append(("shade", f"off {grid}"))
    if look.sample and any(scene.activations for scene in scenes):
        entries.append(("rug", "samples"))
    if look.parts:
        entries += [("base", "scale_base · b(x)"), ("spline", "scale_sp · spline(x)")]
    members = max(scene.n_members for scene in scenes)
    if members > 1:
        entries.append(("", f"first of {members:,} members"))
    return entries


def _leaves_grid(scene: Scene) -> bool:
    """Whether a sample went off the grid anywhere."""
    for number, layer in enumerate(scene.first.layers):
        (low, high), (start, end) = scene.range(number), (each.cpu().numpy() for each in layer.grid_ends())
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


def _draw_mark(sheet: Sheet, mark: str, x: float, y: float, palette: Palette) -> None:
    name = f"legend {mark}"
    place = np.array([x])
    if mark == "opacity":  # from faint to full
        ends = x + 0.42 * np.linspace(0, 1, 9)
        ink = np.tile((*to_rgb(palette.ink), 1.0), (8, 1))
        ink[:, 3] = np.linspace(0.08, 1, 8)
        sheet.lines(segments(ends[:-1], y, ends[1:], y), name, width=2.5, colors=ink, capstyle="butt")
    elif mark == "shade":
        box = rectangles(place + 0.1, place + 0.42, np.array([y - 0.07]), np.array([y + 0.07]))
        sheet.polygons(box, name, width=0.5, facecolors=palette.shade, edgecolors=palette.ghost)
    elif mark == "rug":
        ticks = x + np.array([0.2, 0.24, 0.33, 0.36, 0.42])
        sheet.strokes(segments(ticks, y - 0.05, ticks, y + 0.05), name, width=0.5, edgecolor=palette.quiet)
    elif mark:
        colour = palette.lines[1] if mark == "base" else palette.lines[0]
        sheet.lines(
            segments(place + 0.1, y, place + 0.42, y),
            name,
            width=1.0,
            colors=colour,
            linestyles="-" if mark == "base" else DASHED,
        )
