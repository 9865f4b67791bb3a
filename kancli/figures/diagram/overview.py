"""A large layer: labels of the groups of edges that it shows, and a map of all scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.diagram.canvas import Canvas, fit_text
from kancli.figures.diagram.curves import GROUPS, METRICS, Array, Curves
from kancli.figures.diagram.layout import Layout
from kancli.figures.style import PALETTES, Palette, colour_map

if TYPE_CHECKING:
    from kancli.figures.options import FigureOptions

MAX_CELLS = 64  # along each side of a map; larger layers are averaged over blocks
GROUP_SIZE = 8.0  # points


def draw_group_labels(canvas: Canvas, layout: Layout, layer: int, curves: Curves, palette: Palette) -> None:
    """Write the nodes of each edge over its frame, and the name of each group above, between two links."""
    left, right, _, top = layout.frame_edges(layer)
    side, middle = layout.frame_side(layer), (left + right) / 2
    style = {"ha": "center", "va": "bottom", "zorder": 2.9}
    for e, (source, target) in enumerate(zip(curves.sources, curves.targets, strict=True)):
        label, size = fit_text(f"{source}→{target}", min(6.5, 12 * side), 1.15 * side, min_size=4)
        canvas.text(middle[e], top[e] + 0.03, label, size, color=palette.quiet, **style)
    for name, xs in zip(GROUPS, middle.reshape(len(GROUPS), -1), strict=True):
        label, size = fit_text(name, GROUP_SIZE, 1.2 * side, min_size=4)
        canvas.text(xs.mean(), top[0] + 0.2, label, size, color=palette.ink, **style)


def block_means(scores: Array) -> Array:
    """Transpose scores `[i, o]` to a map with inputs to the right, averaged over blocks beyond `MAX_CELLS`."""
    for axis in (0, 1):
        edges = np.unique(np.linspace(0, scores.shape[axis], min(scores.shape[axis], MAX_CELLS) + 1).astype(int))
        sums = np.add.reduceat(scores.astype(float), edges[:-1], axis=axis)
        scores = sums / np.expand_dims(np.diff(edges), 1 - axis)
    return scores.T


def draw_score_map(canvas: Canvas, layout: Layout, layer: int, curves: Curves, options: FigureOptions) -> None:
    """Draw the scores of all edges as a colour map with a colour bar."""
    palette = PALETTES[options.style]
    cells = block_means(curves.scores)
    left, bottom, right, top = layout.map_box(layer)
    cmap = colour_map("viridis", palette)
    vmax = float(np.nanmax(np.where(np.isfinite(cells), cells, np.nan), initial=0.0)) or 1.0
    canvas.mesh(cells, (left, bottom, right, top), f"layer {layer} scores", vmax=vmax, cmap=cmap)
    bar = right + 0.12, bottom, right + 0.22, top
    canvas.mesh(np.linspace(0, vmax, 64)[:, None], bar, f"layer {layer} scale", vmax=vmax, cmap=cmap)
    quiet = {"color": palette.quiet, "zorder": 3}
    canvas.text(right + 0.25, bottom, "0", 7, va="bottom", **quiet)
    canvas.text(right + 0.25, top, f"{vmax:.2g}", 7, va="top", **quiet)
    n_in, n_out = curves.scores.shape
    canvas.text((left + right) / 2, bottom - 0.05, f"out of node 0 to {n_in - 1:,}", 7, ha="center", va="top", **quiet)
    sideways = {"ha": "right", "va": "center", "rotation": 90, **quiet}
    canvas.text(left - 0.05, (bottom + top) / 2, f"into node 0 to {n_out - 1:,}", 7, **sideways)
    title = f"{len(curves.sources)} of {curves.scores.size:,} edges shown"
    canvas.text(left, top + 0.22, title, 8, color=palette.ink, va="bottom", zorder=3)
    block_out, block_in = (math.ceil(n / n_cells) for n, n_cells in zip((n_out, n_in), cells.shape, strict=True))
    means = "" if (block_out, block_in) == (1, 1) else f", means over {block_in} × {block_out}"
    canvas.text(left, top + 0.06, f"all edges: {METRICS[options.metric]}{means}", 7, va="bottom", **quiet)
