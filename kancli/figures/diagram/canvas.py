"""A rectangle of a figure, measured in inches from its lower left corner: what diagrams are drawn on.

Artists go straight into the figure: an Axes with scales and ticks that nobody sees would cost more than the drawing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Transform

from kancli.figures.render import encode

Array = np.ndarray


class Diagram(Figure):
    """A figure that shows itself in a notebook, with no window system and no pyplot."""

    def __init__(self, width: float, height: float, dpi: float, paper: str) -> None:
        super().__init__((width, height), dpi, facecolor=paper)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        return encode(self, "png", self.dpi)


@dataclass(frozen=True)
class Canvas:
    """Where to draw, and how large: lengths, text and lines all grow with `scale`.

    What is drawn bears a name, `gid`, which an SVG file keeps.
    """

    figure: Figure
    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0

    @cached_property
    def _inches(self) -> Transform:
        return Affine2D().scale(self.scale).translate(self.x, self.y) + self.figure.dpi_scale_trans

    def lines(self, shapes: Iterable[Array], gid: str, *, width: float, **style: Any) -> None:
        """Polylines, `[points, 2]` each, with colours of their own."""
        self._add(LineCollection(list(shapes), linewidths=width * self.scale, **style), gid)

    def polygons(self, shapes: Iterable[Array], gid: str, *, width: float = 0.0, **style: Any) -> None:
        """Closed shapes, `[corners, 2]` each."""
        self._add(PolyCollection(list(shapes), linewidths=width * self.scale, **style), gid)

    def strokes(self, segments: Array, gid: str, *, width: float, **style: Any) -> None:
        """Many straight lines that look alike, `[m, 2, 2]`, as one path."""
        codes = np.tile(np.array([Path.MOVETO, Path.LINETO], Path.code_type), len(segments))
        path = Path(segments.reshape(-1, 2), codes)
        self._add(PathPatch(path, fill=False, linewidth=width * self.scale, **style), gid)

    def dots(self, x: Array, y: float, diameter: float, gid: str, **style: Any) -> None:
        turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        circle = diameter / 2 * np.stack([np.cos(turn), np.sin(turn)], -1)
        self.polygons(circle + np.stack([x, y + 0 * x], -1)[:, None], gid, **style)

    def mesh(
        self, values: Array, box: tuple[float, float, float, float], gid: str, *, top: float, cmap: Colormap
    ) -> None:
        """Cells coloured from 0 to `top`, the first row at the bottom; box: left, bottom, right, top."""
        left, bottom, right, upper = box
        rows, columns = values.shape
        x, y = np.meshgrid(np.linspace(left, right, columns + 1), np.linspace(bottom, upper, rows + 1))
        made = QuadMesh(np.stack([x, y], -1), array=np.ma.masked_invalid(values), cmap=cmap, antialiased=False)
        made.set_clim(0, top)
        self._add(made, gid)

    def text(self, x: float, y: float, words: str, size: float, *, color: str, **style: Any) -> None:
        self._add(Text(x, y, words, fontsize=size * self.scale, color=color, parse_math=False, **style), None)

    def _add(self, artist: Any, gid: str | None) -> None:
        artist.set_transform(self._inches)
        if gid is not None:
            artist.set_gid(gid)
        self.figure.add_artist(artist)


def rectangles(left: Array, right: Array, bottom: Array, top: Array) -> Array:
    """`[e, 4, 2]`"""
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return np.stack([np.stack(corner, -1) for corner in corners], axis=1)


def segments(x0: Array, y0: Array | float, x1: Array, y1: Array | float) -> Array:
    """Straight lines, `[e, 2, 2]`."""
    return np.stack([np.stack([x0, y0 + 0 * x0], -1), np.stack([x1, y1 + 0 * x1], -1)], axis=1)


def width_of(words: str, size: float) -> float:
    """About how wide a text of that size, in points, is in inches: rather too much than too little."""
    return 0.62 * size / 72 * len(words)


def fitted(words: str, size: float, width: float, least: float = 6.0) -> tuple[str, float]:
    """The text, smaller and at last cut off, so that it fits; and its size."""
    size = max(least, min(size, size * width / max(width_of(words, size), 1e-9)))
    most = max(1, int(width / width_of("x", size) + 1e-6))
    return (words if len(words) <= most else words[: most - 1] + "…"), size
