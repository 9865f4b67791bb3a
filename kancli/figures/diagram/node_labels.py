"""Labels of the input and output nodes. Where they lack room, they shrink, then turn upright, then skip nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kancli.figures.diagram.canvas import Canvas, text_width, truncate
from kancli.figures.diagram.mathtext import text_length
from kancli.figures.style import Palette

Array = np.ndarray


MAX_LENGTH = 24
MAX_SIZE = 11.0  # points


def node_label_height(names: Sequence[str] | None, x: Array) -> float:
    """The height in inches of the labels of nodes at x."""
    if not names:
        return 0.0
    _, size, is_upright = _label_style(names, x)
    return 0.1 + (max(text_width(name, size) for name in _truncate(names)) if is_upright else 1.3 * size / 72)


def _truncate(names: Sequence[str]) -> list[str]:
    return [truncate(name, MAX_LENGTH) for name in names]


def _label_style(names: Sequence[str], x: Array) -> tuple[int, float, bool]:
    """Return the step between labelled nodes, the text size, and whether labels are upright."""
    space = float(x[1] - x[0]) if len(x) > 1 else 4.0
    max_length = max(map(text_length, _truncate(names)))
    size = min(MAX_SIZE, MAX_SIZE * 0.92 * space / text_width("x" * max_length, MAX_SIZE))
    if size >= 7:
        return 1, size, False
    size = float(np.clip(0.75 * space * 72, 5.5, 9))
    return int(np.ceil(1.25 * size / 72 / space)), size, True


def draw_node_labels(
    canvas: Canvas, names: Sequence[str] | None, x: Array, y: float, va: str, palette: Palette
) -> None:
    """Write the names of nodes at x, the first of them always."""
    if not names:
        return
    step, size, is_upright = _label_style(names, x)
    style = {"color": palette.ink, "ha": "center", "va": va, "rotation": 90 if is_upright else 0, "zorder": 4}
    for node_x, name in list(zip(x, _truncate(names)))[::step]:
        canvas.text(node_x, y, name, size, **style)
