"""A canvas for diagrams: part of a figure, in inches from its lower left corner.

Artists go straight into the figure: an Axes with invisible scales and ticks would cost more time than the drawing.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Transform

from kancli.figures.diagram.mathtext import CHARACTER_WIDTH, is_math, text_length
from kancli.figures.png import PngCanvas
from kancli.figures.render import encode

Array = np.ndarray

FILE_BACKENDS = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")


class Diagram(Figure):
    """A figure that a notebook displays without pyplot or a window system."""

    def __init__(self, width: float, height: float, dpi: float, paper: str) -> None:
        super().__init__((width, height), dpi, facecolor=paper)
        PngCanvas(self)

    def _repr_png_(self) -> bytes:
        return encode(self, "png", self.dpi)

    def join_pyplot(self) -> None:
        """Become pyplot's current figure, for plt.savefig and plt.show; a program may import pyplot afterwards."""
        if _shows_nothing():  # then pyplot, which takes as long to import as the drawing, has nothing to add
            self._replace_diagrams()
            manager = FigureManagerBase(self.canvas, max(Gcf.figs, default=0) + 1)
            Gcf._set_new_active_manager(manager)  # pyright: ignore - as pyplot.figure does
            return
        with contextlib.suppress(ImportError):  # the backend needs a window system
            from matplotlib import pyplot

            if pyplot.get_backend().lower() in FILE_BACKENDS:
                self._replace_diagrams()
            pyplot.figure(FigureClass=lambda **_: self)  # pyright: ignore[reportArgumentType]

    def _replace_diagrams(self) -> None:
        """Close the diagrams before this one, as nobody closes figures that are never shown."""
        for manager in Gcf.get_all_fig_managers():
            if isinstance(manager.canvas.figure, Diagram):
                Gcf.destroy(manager)

    def _ipython_display_(self) -> None:
        """Leave pyplot, which would display the figure a second time at the end of a notebook's cell."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None and "inline" in pyplot.get_backend():
            pyplot.close(self)
        raise NotImplementedError  # IPython goes on to its other ways of display


def _shows_nothing() -> bool:
    """Whether pyplot draws to files alone: with Agg, which it also chooses by itself where there is no display."""
    backend = dict.__getitem__(mpl.rcParams, "backend")  # no text before the choice, for which matplotlib loads pyplot
    if isinstance(backend, str):
        return backend.lower() == "agg"
    return sys.platform == "linux" and not any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@dataclass(frozen=True)
class Canvas:
    """Draws artists at an offset; lengths, text and line widths all grow with `scale`.

    Each artist gets a group id, `gid`, which an SVG file keeps.
    """

    figure: Figure
    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0

    @cached_property
    def _inches(self) -> Transform:
        return Affine2D().scale(self.scale).translate(self.x, self.y) + self.figure.dpi_scale_trans

    def lines(self, shapes: Iterable[Array], gid: str, *, width: float, **style: Any) -> None:
        """Draw polylines, `[points, 2]` each; a style may hold one colour for each of them."""
        self._add(LineCollection(list(shapes), linewidths=width * self.scale, **style), gid)

    def polygons(self, shapes: Iterable[Array], gid: str, *, width: float = 0.0, **style: Any) -> None:
        """Draw closed shapes, `[corners, 2]` each."""
        self._add(PolyCollection(list(shapes), linewidths=width * self.scale, **style), gid)

    def strokes(self, segments: Array, gid: str, *, width: float, **style: Any) -> None:
        """Draw straight lines of one style, `[m, 2, 2]`, as one path."""
        codes = np.tile(np.array([Path.MOVETO, Path.LINETO], Path.code_type), len(segments))
        path = Path(segments.reshape(-1, 2), codes)
        self._add(PathPatch(path, fill=False, linewidth=width * self.scale, **style), gid)

    def dots(self, x: Array, y: float, diameter: float, gid: str, **style: Any) -> None:
        """Draw a row of filled circles."""
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        circle = diameter / 2 * np.stack([np.cos(angle), np.sin(angle)], -1)
        self.polygons(circle + np.stack([x, y + 0 * x], -1)[:, None], gid, **style)

    def mesh(
        self, values: Array, box: tuple[float, float, float, float], gid: str, *, vmax: float, cmap: Colormap
    ) -> None:
        """Draw cells coloured from 0 to `vmax`, the first row at the bottom.

        Args:
            box: left, bottom, right, top.
        """
        left, bottom, right, top = box
        rows, columns = values.shape
        x, y = np.meshgrid(np.linspace(left, right, columns + 1), np.linspace(bottom, top, rows + 1))
        mesh = QuadMesh(np.stack([x, y], -1), array=np.ma.masked_invalid(values), cmap=cmap, antialiased=False)
        mesh.set_clim(0, vmax)
        self._add(mesh, gid)

    def text(self, x: float, y: float, text: str, size: float, *, color: str, **style: Any) -> None:
        """Draw text of a size in points; mathematics between dollars is set."""
        artist = Text(x, y, text, fontsize=size * self.scale, color=color, **style)
        artist.set_parse_math(is_math(text))
        self._add(artist, None)

    def _add(self, artist: Any, gid: str | None) -> None:
        artist.set_transform(self._inches)
        if gid is not None:
            artist.set_gid(gid)
        self.figure.add_artist(artist)


def rectangles(left: Array, right: Array, bottom: Array, top: Array) -> Array:
    """Corners of rectangles, `[e, 4, 2]`."""
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return np.stack([np.stack(corner, -1) for corner in corners], axis=1)


def segments(x0: Array, y0: Array | float, x1: Array, y1: Array | float) -> Array:
    """Straight lines, `[e, 2, 2]`."""
    return np.stack([np.stack([x0, y0 + 0 * x0], -1), np.stack([x1, y1 + 0 * x1], -1)], axis=1)


def text_width(text: str, size: float) -> float:
    """Estimate the width of a text in inches, from above, for a size in points."""
    return CHARACTER_WIDTH * size / 72 * text_length(text)


def fit_text(text: str, size: float, width: float, min_size: float = 6.0) -> tuple[str, float]:
    """Shrink a text to a width in inches, down to `min_size`, then truncate it. Returns the text and its size."""
    size = max(min_size, min(size, size * width / max(text_width(text, size), 1e-9)))
    max_length = max(1, int(width / text_width("x", size) + 1e-6))
    return truncate(text, max_length), size


def truncate(text: str, max_length: int) -> str:
    """Cut a text to a number of characters of average width."""
    return text if text_length(text) <= max_length else text[: max_length - 1] + "…"
