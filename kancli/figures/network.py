"""The network diagram: inputs below, outputs above, and halfway along each edge its function in a small frame.

The idiom is that of Liu et al., "KAN: Kolmogorov-Arnold Networks" (2024), figure 2.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.diagram.canvas import Canvas, Diagram, fit_text, rectangles
from kancli.figures.diagram.curves import GROUPS, Curves, sample_curves
from kancli.figures.diagram.frames import FrameLimits, draw_frames, draw_samples, draw_tick_labels, frame_limits
from kancli.figures.diagram.layout import FRAME_PITCH, MAX_DOTS, Layout
from kancli.figures.diagram.legend import draw_legend, legend_height
from kancli.figures.diagram.node_labels import draw_node_labels, node_label_height
from kancli.figures.diagram.overview import draw_group_labels, draw_score_map
from kancli.figures.style import PALETTES, Palette

if TYPE_CHECKING:
    from kancli.figures.data import FigureData
    from kancli.figures.options import FigureOptions

TITLE_SIZE = 12.0  # points


def plot(data: FigureData, options: FigureOptions) -> Diagram:
    """Plot a model over the range of its samples.

    Links, frames and curves have the opacity tanh(beta * score); a pale curve under each keeps faint ones readable.
    Frames are shaded outside the grid.
    """
    curves = sample_all_curves(data, options)
    foot = legend_height([data], options, make_layout(data, curves, options).width)
    layout = make_layout(data, curves, options, foot)
    paper = PALETTES[options.style].paper
    figure = Diagram(options.scale * layout.width, options.scale * layout.height, options.dpi, paper)
    canvas = Canvas(figure, scale=options.scale)
    draw_network(canvas, layout, data, curves, options)
    draw_legend(canvas, [data], options, layout.width)
    return figure


def sample_all_curves(data: FigureData, options: FigureOptions) -> list[Curves]:
    """The curves of each layer."""
    return [sample_curves(data, layer, options.metric) for layer in range(len(data.ranges))]


def make_layout(
    data: FigureData,
    curves: Sequence[Curves],
    options: FigureOptions,
    foot: float = 0.0,
    frame_pitch: float = FRAME_PITCH,
) -> Layout:
    """Lay out the diagram of a network.

    Args:
        foot: height left free at the foot.
        frame_pitch: width of a frame and the gap beside it, if there is room.
    """

    def layout(foot: float, head: float) -> Layout:
        n_shown, is_subset = [len(layer.sources) for layer in curves], [layer.is_subset for layer in curves]
        min_frame = 0.75 if options.tick else 0.0
        widths = data.first_member.width
        return Layout(widths, n_shown, is_subset, len(GROUPS), foot, head, min_frame, frame_pitch)

    bare, last = layout(0, 0), len(curves) - 1
    foot += node_label_height(options.in_vars, bare.node_x(0, 0))
    head = node_label_height(options.out_vars, bare.node_x(last, last + 1)) + (0.38 if options.title else 0.0)
    return layout(foot, head)


def draw_network(
    canvas: Canvas,
    layout: Layout,
    data: FigureData,
    curves: Sequence[Curves],
    options: FigureOptions,
    limits: Sequence[FrameLimits] | None = None,
) -> None:
    """Draw a network on a canvas.

    Args:
        limits: by layer; by default, each frame fits its own curve.
    """
    palette = PALETTES[options.style]
    for layer, layer_curves in enumerate(curves):
        layer_limits = frame_limits(layer_curves, options) if limits is None else limits[layer]
        _draw_edges(canvas, layout, layer, layer_curves, layer_limits, data, options)
    for layer in range(len(curves)):
        if layer % layout.layers_per_column == 0:
            _draw_nodes(canvas, layout, layer, layer, layout.bottom(layer), palette)
        _draw_nodes(canvas, layout, layer, layer + 1, layout.top(layer), palette)
    last = len(curves) - 1
    draw_node_labels(canvas, options.in_vars, layout.node_x(0, 0), layout.bottom(0) - 0.13, "top", palette)
    outputs = layout.node_x(last, last + 1)
    draw_node_labels(canvas, options.out_vars, outputs, layout.top(last) + 0.13, "bottom", palette)
    if options.title:
        width = layout.body_width if layout.n_columns == 1 else layout.width
        title, size = fit_text(" ".join(options.title.split()), TITLE_SIZE, width - 0.3)
        canvas.text(width / 2, layout.height - 0.1, title, size, color=palette.ink, ha="center", va="top")


def _draw_edges(
    canvas: Canvas,
    layout: Layout,
    layer: int,
    curves: Curves,
    limits: FrameLimits,
    data: FigureData,
    options: FigureOptions,
) -> None:
    palette = PALETTES[options.style]
    draw_frames(canvas, layout, layer, curves, limits, options)
    if curves.is_subset:
        draw_group_labels(canvas, layout, layer, curves, palette)
    preacts = data.preacts(layer)
    if options.sample and preacts is not None:
        draw_samples(canvas, layout, layer, curves, limits, preacts, palette)
    if options.tick:
        draw_tick_labels(canvas, layout, layer, limits, palette)
    if curves.is_subset:
        draw_score_map(canvas, layout, layer, curves, options)


def _draw_nodes(canvas: Canvas, layout: Layout, layer: int, node_layer: int, y: float, palette: Palette) -> None:
    """Draw a dot for each node of `node_layer`, or a bar for many, in the column that holds the edges of `layer`."""
    x = layout.node_x(layer, node_layer)
    gid = f"nodes {node_layer}"
    if len(x) <= MAX_DOTS:
        canvas.dots(x, y, layout.node_diameter(node_layer), gid, facecolors=palette.ink, zorder=3)
    else:
        ends = (np.array([end]) for end in (x[0] - 0.1, x[-1] + 0.1, y - 0.09, y + 0.09))
        bar = {"facecolors": palette.paper, "edgecolors": palette.ink}
        canvas.polygons(rectangles(*ends), gid, width=0.8, zorder=3, **bar)
        style = {"color": palette.ink, "ha": "center", "va": "center_baseline", "zorder": 3.1}
        canvas.text(float(x.mean()), y, f"{len(x):,} nodes", 8, **style)
    is_repeated = layout.n_columns > 1 and node_layer % layout.layers_per_column == 0
    if is_repeated and 0 < node_layer < len(layout.widths) - 1:
        label = {"color": palette.quiet, "ha": "right", "va": "center"}
        canvas.text(x[0] - 0.15, y, f"layer {node_layer}", 7, **label)
