"""The frames of one layer: links, shading, curves, sample marks and tick labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb

from kancli.figures.diagram.canvas import Canvas, fit_text, rectangles, segments
from kancli.figures.diagram.curves import POINTS, Array, Curves, opacity
from kancli.figures.diagram.layout import Layout
from kancli.figures.diagram.links import link_paths
from kancli.figures.style import DASHED, PALETTES, Palette, format_short

if TYPE_CHECKING:
    from torch import Tensor

    from kancli.figures.options import FigureOptions

MIN_RELATIVE_SPAN = 1e-6  # a curve whose range is a smaller share of its size is drawn as a level line
MAX_SAMPLES = 100  # marked at the foot of each frame


@dataclass(frozen=True)
class FrameLimits:
    """The limits of each frame's axes: left and right in x, low and high in y; `[e, 1]` each."""

    left: Array
    right: Array
    low: Array
    high: Array

    def x_fraction(self, x: Array) -> Array:
        """The position of x as a share of the frame's width; NaN where the limits are equal."""
        span = self.right - self.left
        return np.where(span > 0, (x - self.left) / np.where(span > 0, span, 1.0), np.nan)

    def y_fraction(self, y: Array) -> Array:
        """The position of y as a share of the frame's height, from 0.08 to 0.92; 0.5 for a level line."""
        low, high = self.low, self.high
        is_level = ~(high - low > MIN_RELATIVE_SPAN * np.maximum(np.abs(low), np.abs(high)))
        # Halves, as the span of the largest floats overflows.
        share = (y / 2 - low / 2) / np.where(is_level, 1.0, high / 2 - low / 2)
        return 0.08 + 0.84 * np.where(np.isfinite(y), np.where(is_level, 0.5, share), np.nan)

    def off_grid(self, grid: tuple[Array, Array]) -> tuple[Array, Array]:
        """The shares of each frame's width below and above the grid, `[e]` each.

        Args:
            grid: start and end of the grid, `[e]` each.
        """
        start, end = (knot[:, None] for knot in grid)
        low, high = self.x_fraction(start), 1 - self.x_fraction(end)
        is_point = np.isnan(low)
        low, high = np.where(is_point, self.left < start, low), np.where(is_point, self.right > end, high)
        return np.clip(low, 0, 1)[:, 0], np.clip(high, 0, 1)[:, 0]


def frame_limits(curves: Curves, options: FigureOptions) -> FrameLimits:
    """Limits that fit each frame to its own curve."""
    values = [curves.y, curves.base, curves.spline] if options.parts else [curves.y]
    finite = np.concatenate([np.where(np.isfinite(y), y, np.nan) for y in values], axis=1)
    # fmin and fmax ignore NaN.
    low, high = (reduction.reduce(finite, axis=1, keepdims=True) for reduction in (np.fmin, np.fmax))
    return FrameLimits(curves.x[:, :1], curves.x[:, -1:], low, high)


def draw_frames(
    canvas: Canvas, layout: Layout, layer: int, curves: Curves, limits: FrameLimits, options: FigureOptions
) -> None:
    """Draw the links, frames, shading and curves of one layer, each kind as one artist."""
    palette, alpha = PALETTES[options.style], opacity(curves.score, options.beta)
    ink = np.zeros((len(alpha), 4))
    ink[:, :3], ink[:, 3] = to_rgb(palette.ink), alpha
    _draw_links(canvas, layout, layer, curves, ink)
    _draw_boxes(canvas, layout, layer, limits.off_grid(curves.grid), ink, palette)
    _draw_curves(canvas, layout, layer, curves, limits, ink, options)
    _mark_non_finite(canvas, layout, layer, curves, palette)


def _draw_links(canvas: Canvas, layout: Layout, layer: int, curves: Curves, ink: Array) -> None:
    lower, upper = link_paths(layout, layer, curves)
    canvas.lines([*lower, *upper], f"layer {layer} links", width=0.8, colors=np.tile(ink, (2, 1)), zorder=1)


def _draw_boxes(
    canvas: Canvas, layout: Layout, layer: int, off_grid: tuple[Array, Array], ink: Array, palette: Palette
) -> None:
    """Draw the frames, and shade them outside the grid."""
    side = layout.frame_side(layer)
    left, right, bottom, top = layout.frame_edges(layer)
    boxes = rectangles(left, right, bottom, top)
    pale = {"facecolors": palette.paper, "edgecolors": palette.ghost}
    canvas.polygons(boxes, f"layer {layer} frames", width=0.6, zorder=2, **pale)
    low, high = off_grid
    shades = [
        *rectangles(left, left + side * low, bottom, top)[low > 0],
        *rectangles(right - side * high, right, bottom, top)[high > 0],
    ]
    canvas.polygons(shades, f"layer {layer} off the grid", facecolors=palette.shade, zorder=2.1)
    canvas.polygons(boxes, f"layer {layer} borders", width=0.6, facecolors="none", edgecolors=ink, zorder=2.2)


def _draw_curves(
    canvas: Canvas, layout: Layout, layer: int, curves: Curves, limits: FrameLimits, ink: Array, options: FigureOptions
) -> None:
    """Draw the curves over pale copies, which keep the faint ones readable."""
    palette, side = PALETTES[options.style], layout.frame_side(layer)
    left, _, bottom, _ = layout.frame_edges(layer)
    share = limits.x_fraction(curves.x)
    x = left[:, None] + side * np.where(np.isnan(share), np.linspace(0, 1, POINTS), share)  # a point: a level line

    def lines(y: Array) -> Array:
        return np.stack([x, bottom[:, None] + side * limits.y_fraction(y)], -1)

    if options.parts:
        thin = {"width": 0.7, "zorder": 2.3}
        canvas.lines(lines(curves.base), f"layer {layer} base parts", colors=palette.lines[1], **thin)
        dashed = {"colors": palette.lines[0], "linestyles": DASHED}
        canvas.lines(lines(curves.spline), f"layer {layer} spline parts", **dashed, **thin)
    phi = lines(curves.y)
    canvas.lines(phi, f"layer {layer} pale curves", width=1.2, colors=palette.ghost, zorder=2.4)
    canvas.lines(phi, f"layer {layer} curves", width=1.2, colors=ink, zorder=2.5)


def _mark_non_finite(canvas: Canvas, layout: Layout, layer: int, curves: Curves, palette: Palette) -> None:
    left, right, bottom, top = layout.frame_edges(layer)
    non_finite = ~np.isfinite(curves.y)
    for e in np.flatnonzero(non_finite.any(axis=1)):
        text, size = ("not\nfinite", 14) if non_finite[e].all() else ("partly\nnot finite", 9)
        style = {"ha": "center", "va": "center", "zorder": 2.6, "color": palette.ink}
        position = (left[e] + right[e]) / 2, (bottom[e] + top[e]) / 2
        canvas.text(*position, text, min(7, size * layout.frame_side(layer)), **style)


def draw_samples(
    canvas: Canvas, layout: Layout, layer: int, curves: Curves, limits: FrameLimits, preacts: Tensor, palette: Palette
) -> None:
    """Mark the first samples of each edge at the foot of its frame."""
    samples = preacts[:MAX_SAMPLES].double().cpu().numpy()  # [q, i]
    side = layout.frame_side(layer)
    left, _, bottom, _ = layout.frame_edges(layer)
    share = limits.x_fraction(samples.T[curves.sources])  # [e, q]
    e, q = np.nonzero((share >= 0) & (share <= 1))
    x = left[e] + side * share[e, q]
    marks = segments(x, bottom[e], x, bottom[e] + 0.07 * side)
    canvas.strokes(marks, f"layer {layer} samples", width=0.4, edgecolor=palette.quiet, zorder=2.25)


def draw_tick_labels(canvas: Canvas, layout: Layout, layer: int, limits: FrameLimits, palette: Palette) -> None:
    """Write the limits of x under each frame, and those of y at its left."""
    side = layout.frame_side(layer)
    left, right, bottom, _ = layout.frame_edges(layer)
    size = float(np.clip(8 * side, 2, 6))
    style = {"color": palette.quiet, "zorder": 2.7}
    for e in range(len(left)):
        ends = limits.left[e, 0], limits.right[e, 0], limits.low[e, 0], limits.high[e, 0]
        if not np.isfinite(ends).all():
            continue
        x_low, x_high, y_low, y_high = map(format_short, ends)
        _, x_size = fit_text(max(x_low, x_high, key=len), size, 0.45 * side, min_size=2)
        canvas.text(left[e], bottom[e] - 0.02, x_low, x_size, ha="left", va="top", **style)
        canvas.text(right[e], bottom[e] - 0.02, x_high, x_size, ha="right", va="top", **style)
        for text, height in ((y_low, 0.08), (y_high, 0.92)):
            _, y_size = fit_text(text, size, 0.55 * side, min_size=2)
            y = bottom[e] + height * side
            canvas.text(left[e] - 0.03, y, text, y_size, ha="right", va="center_baseline", **style)
