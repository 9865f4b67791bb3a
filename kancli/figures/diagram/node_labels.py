"""The names of inputs and outputs under and over the nodes of a diagram: smaller, then upright, then not all, as they
have room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kancli.figures.diagram.canvas import Canvas, width_of
from kancli.figures.style import Palette

Array = np.ndarray


def room_for_names(names: Sequence[str] | None, x: Array) -> float:
    """The height that the names of some nodes take."""
    if not names:
        return 0.0
    _, size, upright = _name_style(names, x)
    return 0.1 + (max(width_of(name, size) for name in _cut(names)) if upright else 1.3 * size / 72)


def _cut(names: Sequence[str]) -> list[str]:
    return [name if len(name) <= 24 else name[:23] + "…" for name in names]


def _name_style(names: Sequence[str], x: Array) -> tuple[int, float, bool]:
    """n, where each n-th name is written; their size, and whether they stand upright."""
    space = float(x[1] - x[0]) if len(x) > 1 else 4.0
    longest = max(map(len, _cut(names)))
    size = min(11.0, 11.0 * 0.92 * space / width_of("x" * longest, 11.0))
    if size >= 7:
        return 1, size, False
    size = float(np.clip(0.75 * space * 72, 5.5, 9))
    return int(np.ceil(1.25 * size / 72 / space)), size, True


def write_names(canvas: Canvas, names: Sequence[str] | None, x: Array, y: float, va: str, palette: Palette) -> None:
    """Names of nodes, from the first on, under or over them."""
    if not names:
        return
    every, size, upright = _name_style(names, x)
    style = {"color": palette.ink, "ha": "center", "va": va, "rotation": 90 if upright else 0, "zorder": 4}
    for place, name in list(zip(x, _cut(names)))[::every]:
        canvas.text(place, y, name, size, **style)
