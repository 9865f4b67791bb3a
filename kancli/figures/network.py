"""The network diagram: inputs below, outputs above, and halfway along every edge its function in a small frame.

The idiom is that of Liu et al., "KAN: Kolmogorov-Arnold Networks" (2024), figure 2.4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb

from kancli.figures.diagram.canvas import Canvas, Diagram, fitted, rectangles, segments, width_of
from kancli.figures.diagram.curves import GROUPS, METRICS, POINTS, Array, Curves, opacity, sample_curves, samples_of
from kancli.figures.diagram.layout import MAX_DOTS, PER_ROW, Plan
from kancli.figures.diagram.legend import draw_legend, legend_height
from kancli.figures.diagram.node_labels import room_for_names, write_names
from kancli.figures.style import DASHED, PALETTES, Palette, colours, short

if TYPE_CHECKING:
    from kancli.figures.data import FigureData
    from kancli.figures.options import FigureOptions

FLAT = 1e-6  # a curve whose range is a smaller share of its size is drawn as a level line
MAP_CELLS = 64  # along each side of a map of scores; larger layers are shown by means over blocks
TITLE = 12.0  # points


@dataclass(frozen=True)
class Ranges:
    """What each frame shows: its left and right edge in x, its lowest and highest value in y; `[e, 1]` each."""

    left: Array
    right: Array
    low: Array
    high: Array


def plot(data: FigureData, options: FigureOptions) -> Diagram:
    """Draw a model over the range of the samples that went through it.

    Links, frames and curves have the opacity tanh(beta * score); a pale curve under each keeps faint ones readable.
    What lies off the grid is shaded.
    """
    curves = curves_of(data, options)
    foot = legend_height([data], options, plan_of(data, curves, options).width)
    plan = plan_of(data, curves, options, foot)
    figure = Diagram(
        options.scale * plan.width, options.scale * plan.height, options.dpi, PALETTES[options.style].paper
    )
    canvas = Canvas(figure, scale=options.scale)
    plot_on(canvas, plan, data, curves, options)
    draw_legend(canvas, [data], options, plan.width)
    return figure


def curves_of(data: FigureData, options: FigureOptions) -> list[Curves]:
    """The curves of each layer."""
    return [sample_curves(data, number, options.metric) for number in range(len(data.ranges))]


def plan_of(
    data: FigureData, curves: Sequence[Curves], options: FigureOptions, foot: float = 0.0, per_row: int = PER_ROW
) -> Plan:
    """Where everything goes.

    Args:
        foot: the height left free at the foot.
        per_row: frames side by side.
    """

    def plan(below: float, above: float) -> Plan:
        shown, chosen = [len(each.sources) for each in curves], [each.chosen for each in curves]
        least = 0.75 if options.tick else 0.0
        return Plan(data.first.width, shown, chosen, len(GROUPS), below, above, least, per_row)

    bare = plan(0, 0)
    feet, heads = (
        room_for_names(names, bare.nodes(layer, number))
        for names, layer, number in ((options.in_vars, 0, 0), (options.out_vars, len(curves) - 1, len(curves)))
    )
    return plan(foot + feet, heads + (0.38 if options.title else 0.0))


def plot_on(
    canvas: Canvas,
    plan: Plan,
    data: FigureData,
    curves: Sequence[Curves],
    options: FigureOptions,
    ranges: Sequence[Ranges] | None = None,
) -> None:
    """Draw a network on a sheet; with ranges, each frame shows those and not what its own curve needs."""
    palette = PALETTES[options.style]
    for number, each in enumerate(curves):
        frames = ranges_of(each, options) if ranges is None else ranges[number]
        _draw_layer(canvas, plan, number, each, frames, options)
        if options.sample:
            _draw_rug(canvas, plan, number, each, frames, data, palette)
        if options.tick:
            _write_ticks(canvas, plan, number, frames, palette)
        if each.chosen:
            _draw_map(canvas, plan, number, each, options)
    for layer in range(len(curves)):
        if layer % plan.per_column == 0:
            _draw_nodes(canvas, plan, layer, layer, plan.bottom(layer), palette)
        _draw_nodes(canvas, plan, layer, layer + 1, plan.top(layer), palette)
    last = len(curves) - 1
    write_names(canvas, options.in_vars, plan.nodes(0, 0), plan.bottom(0) - 0.13, "top", palette)
    write_names(canvas, options.out_vars, plan.nodes(last, last + 1), plan.top(last) + 0.13, "bottom", palette)
    if options.title:
        middle = (plan.part if plan.n_columns == 1 else plan.width) / 2
        words, size = fitted(" ".join(options.title.split()), TITLE, 2 * middle - 0.3)
        canvas.text(middle, plan.height - 0.1, words, size, color=palette.ink, ha="center", va="top")


def ranges_of(curves: Curves, options: FigureOptions) -> Ranges:
    """Each frame holds its own curve."""
    values = [curves.y, curves.base, curves.spline] if options.parts else [curves.y]
    finite = np.concatenate([np.where(np.isfinite(each), each, np.nan) for each in values], axis=1)
    # fmin and fmax pass over NaN.
    low, high = (find.reduce(finite, axis=1, keepdims=True) for find in (np.fmin, np.fmax))
    return Ranges(curves.x[:, :1], curves.x[:, -1:], low, high)


def across(x: Array, ranges: Ranges) -> Array:
    """The share of a frame's width at which x lies; where one value entered, NaN."""
    span = ranges.right - ranges.left
    return np.where(span > 0, (x - ranges.left) / np.where(span > 0, span, 1.0), np.nan)


def upward(y: Array, ranges: Ranges) -> Array:
    """The share of a frame's height at which y lies: from 0.08 to 0.92; curves that hardly vary lie level at half."""
    low, high = ranges.low, ranges.high
    flat = ~(high - low > FLAT * np.maximum(np.abs(low), np.abs(high)))
    # Halves, as the span of the largest floats is none.
    share = (y / 2 - low / 2) / np.where(flat, 1.0, high / 2 - low / 2)
    return 0.08 + 0.84 * np.where(np.isfinite(y), np.where(flat, 0.5, share), np.nan)


def _draw_layer(
    canvas: Canvas, plan: Plan, number: int, curves: Curves, frames: Ranges, options: FigureOptions
) -> None:
    """Links, frames, shading and curves of one layer, one artist each."""
    palette, alpha = PALETTES[options.style], opacity(curves.score, options.beta)
    side = plan.frame(number)
    left, right, bottom, top = _sides(plan, number)
    middle = (left + right) / 2
    below, above = plan.nodes(number, number), plan.nodes(number, number + 1)
    ink = np.zeros((len(alpha), 4))
    ink[:, :3], ink[:, 3] = to_rgb(palette.ink), alpha

    into = segments(below[curves.sources], plan.bottom(number), middle, bottom)
    out_of = segments(middle, top, above[curves.targets], plan.top(number))
    name = f"layer {number} "
    canvas.lines([*into, *out_of], name + "links", width=0.8, colors=np.tile(ink, (2, 1)), zorder=1)
    box = rectangles(left, right, bottom, top)
    pale = {"facecolors": palette.paper, "edgecolors": palette.ghost}
    canvas.polygons(box, name + "frames", width=0.6, zorder=2, **pale)
    off_low, off_high = off_grid(curves, frames)
    shades = [*rectangles(left, left + side * off_low, bottom, top)[off_low > 0],
              *rectangles(right - side * off_high, right, bottom, top)[off_high > 0]]  # fmt: skip
    canvas.polygons(shades, name + "off the grid", facecolors=palette.shade, zorder=2.1)
    canvas.polygons(box, name + "borders", width=0.6, facecolors="none", edgecolors=ink, zorder=2.2)

    u = across(curves.x, frames)
    u = left[:, None] + side * np.where(np.isnan(u), np.linspace(0, 1, POINTS), u)  # one value: a level line

    def lines(y: Array) -> Array:
        return np.stack([u, bottom[:, None] + side * upward(y, frames)], -1)

    if options.parts:
        thin = {"width": 0.7, "zorder": 2.3}
        canvas.lines(lines(curves.base), name + "base parts", colors=palette.lines[1], **thin)
        canvas.lines(lines(curves.spline), name + "spline parts", colors=palette.lines[0], linestyles=DASHED, **thin)
    whole = lines(curves.y)
    canvas.lines(whole, name + "pale curves", width=1.2, colors=palette.ghost, zorder=2.4)
    canvas.lines(whole, name + "curves", width=1.2, colors=ink, zorder=2.5)
    bad = ~np.isfinite(curves.y)
    for e in np.flatnonzero(bad.any(axis=1)):
        words = "not\nfinite" if bad[e].all() else "partly\nnot finite"
        size = min(7, (14 if bad[e].all() else 9) * side)
        style = {"ha": "center", "va": "center", "zorder": 2.6}
        canvas.text(middle[e], (bottom[e] + top[e]) / 2, words, size, color=palette.ink, **style)
    if curves.chosen:
        _write_groups(canvas, plan, number, curves, palette)


def _sides(plan: Plan, number: int) -> tuple[Array, Array, Array, Array]:
    """Left, right, bottom and top of a layer's frames, `[e]` each."""
    side = plan.frame(number)
    middle, center = plan.frames(number)
    return middle - side / 2, middle + side / 2, center - side / 2, center + side / 2


def off_grid(curves: Curves, frames: Ranges) -> tuple[Array, Array]:
    """The shares of each frame's width that lie below and above the grid, `[e]` each."""
    start, end = (each[:, None] for each in curves.grid)
    low, high = across(start, frames), 1 - across(end, frames)
    still = np.isnan(low)
    low, high = np.where(still, frames.left < start, low), np.where(still, frames.right > end, high)
    return np.clip(low, 0, 1)[:, 0], np.clip(high, 0, 1)[:, 0]


def _draw_rug(
    canvas: Canvas, plan: Plan, number: int, curves: Curves, frames: Ranges, data: FigureData, palette: Palette
) -> None:
    """Where the first samples entered each edge, as ticks at the foot of its frame."""
    samples = samples_of(data.samples(number))
    if samples is None:
        return
    side = plan.frame(number)
    left, _, bottom, _ = _sides(plan, number)
    share = across(samples.T[curves.sources], frames)  # [e, q]
    e, q = np.nonzero((share >= 0) & (share <= 1))
    x = left[e] + side * share[e, q]
    ticks = segments(x, bottom[e], x, bottom[e] + 0.07 * side)
    canvas.strokes(ticks, f"layer {number} samples", width=0.4, edgecolor=palette.quiet, zorder=2.25)


def _write_ticks(canvas: Canvas, plan: Plan, number: int, frames: Ranges, palette: Palette) -> None:
    """The range of x under each frame, that of y at its left, where it lies."""
    side = plan.frame(number)
    left, right, bottom, _ = _sides(plan, number)
    size = float(np.clip(8 * side, 2, 6))
    style = {"color": palette.quiet, "zorder": 2.7}
    for e in range(len(left)):
        ends = frames.left[e, 0], frames.right[e, 0], frames.low[e, 0], frames.high[e, 0]
        if not np.isfinite(ends).all():
            continue
        x_low, x_high, y_low, y_high = map(short, ends)
        _, small = fitted(x_low + x_high, size, 0.95 * side, least=2)
        canvas.text(left[e], bottom[e] - 0.02, x_low, small, ha="left", va="top", **style)
        canvas.text(right[e], bottom[e] - 0.02, x_high, small, ha="right", va="top", **style)
        for words, height in ((y_low, 0.08), (y_high, 0.92)):
            _, small = fitted(words, size, 0.55 * side, least=2)
            place = bottom[e] + height * side
            canvas.text(left[e] - 0.03, place, words, small, ha="right", va="center_baseline", **style)


def _write_groups(canvas: Canvas, plan: Plan, number: int, curves: Curves, palette: Palette) -> None:
    """What the groups of a large layer are, and which edge each frame is; links pass under the words."""
    left, right, _, top = _sides(plan, number)
    middle, width = (left + right) / 2, 1.15 * plan.frame(number)
    edges = [f"{source}→{target}" for source, target in zip(curves.sources, curves.targets, strict=True)]
    words = [fitted(each, min(6.5, 12 * plan.frame(number)), width, least=4) for each in edges]
    starts = np.arange(0, len(left), len(left) // len(GROUPS))
    heads = (left[starts] + right[starts + len(left) // len(GROUPS) - 1]) / 2
    half = np.array([width_of(each, size) / 2 for each, size in words] + [width_of(name, 8) / 2 for name in GROUPS])
    x = np.concatenate([middle, heads])
    y = np.concatenate([top + 0.03, top[starts] + 0.2])
    height = np.where(np.arange(len(x)) < len(left), 0.11, 0.14)
    under = rectangles(x - half, x + half, y, y + height)
    canvas.polygons(under, f"layer {number} labels", facecolors=palette.paper, zorder=2.8)
    style = {"ha": "center", "va": "bottom", "zorder": 2.9}
    for place, height, (each, size) in zip(x, y, [*words, *((name, 8.0) for name in GROUPS)], strict=True):
        color = palette.ink if each in GROUPS else palette.quiet
        canvas.text(place, height, each, size, color=color, **style)


def blocks_of(scores: Array) -> Array:
    """The map of scores, outputs upwards and inputs to the right: means over blocks where there are very many."""
    for axis in (0, 1):
        edges = np.unique(np.linspace(0, scores.shape[axis], min(scores.shape[axis], MAP_CELLS) + 1).astype(int))
        sums = np.add.reduceat(scores.astype(float), edges[:-1], axis=axis)
        scores = sums / np.expand_dims(np.diff(edges), 1 - axis)
    return scores.T


def _draw_map(canvas: Canvas, plan: Plan, number: int, curves: Curves, options: FigureOptions) -> None:
    """The score of every edge of a large layer, as colours."""
    palette = PALETTES[options.style]
    cells = blocks_of(curves.scores)
    left, bottom, right, top = plan.map_box(number)
    cmap = colours("viridis", palette)
    most = float(np.nanmax(np.where(np.isfinite(cells), cells, np.nan), initial=0.0)) or 1.0
    canvas.mesh(cells, (left, bottom, right, top), f"layer {number} scores", top=most, cmap=cmap)
    canvas.mesh(np.linspace(0, most, 64)[:, None], (right + 0.12, bottom, right + 0.22, top),
               f"layer {number} scale", top=most, cmap=cmap)  # fmt: skip
    quiet = {"color": palette.quiet, "zorder": 3}
    canvas.text(right + 0.25, bottom, "0", 7, va="bottom", **quiet)
    canvas.text(right + 0.25, top, f"{most:.2g}", 7, va="top", **quiet)
    n_in, n_out = curves.scores.shape
    canvas.text((left + right) / 2, bottom - 0.05, f"out of node 0 to {n_in - 1:,}", 7, ha="center", va="top", **quiet)
    side = {"ha": "right", "va": "center", "rotation": 90, **quiet}
    canvas.text(left - 0.05, (bottom + top) / 2, f"into node 0 to {n_out - 1:,}", 7, **side)
    note = f"{len(curves.sources)} of {curves.scores.size:,} edges shown"
    canvas.text(left, top + 0.22, note, 8, color=palette.ink, va="bottom", zorder=3)
    across, along = (math.ceil(count / cell) for count, cell in zip(curves.scores.T.shape, cells.shape, strict=True))
    means = "" if (across, along) == (1, 1) else f", means over {along} × {across}"
    canvas.text(left, top + 0.06, f"all edges: {METRICS[options.metric]}{means}", 7, va="bottom", **quiet)


def _draw_nodes(canvas: Canvas, plan: Plan, layer: int, number: int, y: float, palette: Palette) -> None:
    """A dot for each node of layer `number`, or a bar for very many, in the column of the edges of layer `layer`."""
    x = plan.nodes(layer, number)
    name = f"nodes {number}"
    if len(x) <= MAX_DOTS:
        canvas.dots(x, y, plan.dot(number), name, facecolors=palette.ink, zorder=3)
    else:
        ends = (np.array([each]) for each in (x[0] - 0.1, x[-1] + 0.1, y - 0.09, y + 0.09))
        bar = {"facecolors": palette.paper, "edgecolors": palette.ink}
        canvas.polygons(rectangles(*ends), name, width=0.8, zorder=3, **bar)
        style = {"color": palette.ink, "ha": "center", "va": "center_baseline", "zorder": 3.1}
        canvas.text(float(x.mean()), y, f"{len(x):,} nodes", 8, **style)
    if plan.n_columns > 1 and number % plan.per_column == 0 and 0 < number < len(plan.widths) - 1:
        canvas.text(x[0] - 0.15, y, f"layer {number}", 7, color=palette.quiet, ha="right", va="center")
