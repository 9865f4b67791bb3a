"""The network diagram: inputs below, outputs above, and halfway along every edge its function in a small frame.

The idiom is that of Liu et al., "KAN: Kolmogorov-Arnold Networks" (2024), figure 2.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from kancli.figures import encode
from kancli.figures.style import PALETTES, Palette
from kancli.model import KANLayer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kancli.figures import Figures
    from kancli.figures.scene import Scene
    from kancli.stats import LayerScope

Array = np.ndarray
Range = tuple[float, float]

MOST_EDGES = 200  # drawn in one layer; beyond, the strongest
PER_ROW = 40  # frames side by side
POINTS = 101  # of a curve
FLAT = 1e-6  # a curve whose range is a smaller share of its size is drawn as a level line


class Diagram(Figure):
    """A figure that shows itself in a notebook, with no window system and no pyplot."""

    def _repr_png_(self) -> bytes:
        return encode(self, "png", self.dpi)


@dataclass(frozen=True)
class Curves:
    """The edge functions of one layer that are drawn, e of them: what is drawn is this, scaled into frames."""

    sources: Array  # [e]    node of the layer below
    targets: Array  # [e]    node of the layer above
    x: Array  # [e, p]       places over the sampled range
    y: Array  # [e, p]       phi there
    grid: tuple[Array, Array]  # [e] each, where the grid begins and ends
    score: Array  # [e]
    n_edges: int  # how many the layer has


def draw(scene: Scene, look: Figures) -> Diagram:
    """Draw a model over the range of the samples that went through it.

    Links, frames and curves have the opacity tanh(beta * score); a pale curve under each keeps faint ones readable.
    What lies off the grid is shaded.
    """
    model, scopes = scene.model, scene.scopes
    curves = [sample_curves(layer, scope, look.metric) for layer, scope in zip(model.layers, scopes, strict=True)]
    palette = PALETTES[look.style]
    plan = Plan(model.width, [len(each.sources) for each in curves], look.title is not None)
    figure = Diagram(figsize=(plan.width, plan.height), dpi=look.dpi, facecolor=palette.paper)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, plan.width)
    axes.set_ylim(0, plan.height)
    axes.axis("off")
    for number, each in enumerate(curves):
        _draw_layer(axes, plan, number, each, opacity(each.score, look.beta), palette)
    for number, nodes in enumerate(model.width):
        xs, y = plan.nodes(number)
        axes.scatter(xs, np.full(nodes, y), s=(72 * plan.dot(nodes)) ** 2, color=palette.ink, zorder=3)
    _write(axes, plan, None if model.layers[0].own_knots else model.layers[0].grid_range, curves, look)
    return figure


def opacity(score: Array, beta: float) -> Array:
    """tanh(beta * score), in [0, 1]; edges without a finite score are drawn in full."""
    with np.errstate(over="ignore"):
        return np.tanh(beta * np.nan_to_num(score, nan=np.inf, posinf=np.inf))


@torch.no_grad()
def sample_curves(layer: KANLayer, scope: LayerScope, metric: str) -> Curves:
    """The functions of a layer's edges, over the range of the samples that entered each.

    Args:
        metric: "mean_abs" or "std" of the postacts, the score of an edge.
    """
    scores = getattr(scope, metric)
    strongest = np.argsort(-np.nan_to_num(scores.ravel(), nan=np.inf), kind="stable")[:MOST_EDGES]
    sources, targets = np.unravel_index(np.sort(strongest), scores.shape)
    x = np.linspace(_finite(scope.low, 0.0)[sources], _finite(scope.high, 0.0)[sources], POINTS)  # [p, e]
    places = torch.from_numpy(x).to(layer.coef)
    y = layer.edge_values(places, torch.from_numpy(sources), torch.from_numpy(targets))
    low, high = (each.cpu().numpy()[sources] for each in layer.grid_ends())
    phi = y.double().cpu().numpy().T
    return Curves(sources, targets, x.T, phi, (low, high), scores[sources, targets], scores.size)


def _finite(values: Array, instead: float) -> Array:
    return np.where(np.isfinite(values), values, instead)


@dataclass(frozen=True)
class Plan:
    """Where everything goes, in inches.

    The frames of a layer stand in order from left to right; beyond `PER_ROW` of them they take turns in several rows.
    """

    widths: Sequence[int]  # nodes per layer
    n_drawn: Sequence[int]  # edges drawn per layer
    titled: bool

    margin = 0.45

    @property
    def width(self) -> float:
        most = max(*(min(edges, PER_ROW) for edges in self.n_drawn), 1.3 * max(self.widths))
        return float(np.clip(0.8 * most, 4.5, 14))

    @property
    def height(self) -> float:
        return self.nodes(len(self.n_drawn))[1] + self.margin + 0.35 * self.titled

    def rows(self, layer: int) -> int:
        """How many rows the frames of a layer stand in."""
        return -(-self.n_drawn[layer] // PER_ROW)

    def frame(self, layer: int) -> float:
        """The side of a frame."""
        return min(0.8 * (self.width - 2 * self.margin) * self.rows(layer) / self.n_drawn[layer], 0.85)

    def dot(self, nodes: int) -> float:
        """The diameter of a node."""
        return min(0.16, 0.5 * (self.width - 2 * self.margin) / nodes)

    def nodes(self, layer: int) -> tuple[Array, float]:
        """The places of a layer's nodes: x `[n]`, and their y."""
        below = sum(2 * self._gap + self._band(each) for each in range(layer))
        return self._spread(self.widths[layer]), self.margin + 0.35 + below

    def frames(self, layer: int) -> tuple[Array, Array]:
        """The middles of a layer's frames: x and y, `[e]` each."""
        turn = np.arange(self.n_drawn[layer]) % self.rows(layer)
        bottom = self.nodes(layer)[1] + self._gap
        return self._spread(self.n_drawn[layer]), bottom + (1.15 * turn + 0.5) * self.frame(layer)

    @property
    def _gap(self) -> float:
        """From a row of nodes to the frames."""
        return 0.55 + 0.035 * self.width

    def _band(self, layer: int) -> float:
        """The height of all rows of frames."""
        return (1.15 * self.rows(layer) - 0.15) * self.frame(layer)

    def _spread(self, count: int) -> Array:
        return self.margin + (self.width - 2 * self.margin) * (np.arange(count) + 0.5) / count


def _draw_layer(axes: Axes, plan: Plan, number: int, curves: Curves, alpha: Array, palette: Palette) -> None:
    """Links, frames, shading and curves of one layer, one collection each."""
    side = plan.frame(number)
    middle, center = plan.frames(number)
    left, right, bottom, top = middle - side / 2, middle + side / 2, center - side / 2, center + side / 2
    below, y_below = plan.nodes(number)
    above, y_above = plan.nodes(number + 1)
    ink = np.zeros((len(alpha), 4))
    ink[:, :3], ink[:, 3] = to_rgb(palette.ink), alpha

    into = _points(below[curves.sources], y_below, middle, bottom)
    out_of = _points(middle, top, above[curves.targets], y_above)
    thin = 0.9 if len(alpha) <= 64 else 0.6
    _add(axes, LineCollection, [*into, *out_of], colors=np.tile(ink, (2, 1)), linewidths=thin, zorder=1)

    frames = _rectangles(left, right, bottom, top)
    _add(axes, PolyCollection, frames, facecolors=palette.paper, edgecolors=palette.ghost, linewidths=0.6, zorder=2)
    off_low, off_high = _off_grid(curves.x, *curves.grid)
    shades = [*_rectangles(left, left + side * off_low, bottom, top)[off_low > 0],
              *_rectangles(right - side * off_high, right, bottom, top)[off_high > 0]]  # fmt: skip
    _add(axes, PolyCollection, shades, facecolors=palette.shade, edgecolors="none", zorder=2.1)
    _add(axes, PolyCollection, frames, facecolors="none", edgecolors=ink, linewidths=0.6, zorder=2.2)

    still = (curves.x[:, -1] <= curves.x[:, 0])[:, None]  # one value entered: a level line stands for it
    u, v = (
        np.where(still, np.linspace(0, 1, POINTS), _unit(curves.x)),
        0.08 + 0.84 * _unit(curves.y),
    )  # [e, p], in shares of the frame
    lines = np.stack([left[:, None] + side * u, bottom[:, None] + side * v], -1)
    _add(axes, LineCollection, lines, colors=palette.ghost, linewidths=1.2, zorder=2.3)
    _add(axes, LineCollection, lines, colors=ink, linewidths=1.2, zorder=2.4)
    for e in np.flatnonzero(~np.isfinite(curves.y).any(axis=1)):
        size = min(7, 16 * side)
        axes.text(
            middle[e], center[e], "not\nfinite", ha="center", va="center", fontsize=size, color=palette.ink, zorder=2.5
        )
    if len(curves.sources) < curves.n_edges:
        note = f"strongest {len(curves.sources)} of {curves.n_edges:,} edges shown"
        box = {"facecolor": palette.paper, "edgecolor": "none", "pad": 1.5}
        axes.text(
            plan.width - 0.1, top.max() + 0.06, note, ha="right", va="bottom", color=palette.quiet, fontsize=8, bbox=box
        )


def _add(axes: Axes, kind: type[LineCollection | PolyCollection], shapes: Iterable[Array], **look: Any) -> None:
    axes.add_collection(kind(list(shapes), **look), autolim=False)


def _points(x0: Array, y0: Array | float, x1: Array, y1: Array | float) -> Array:
    """Straight lines, `[e, 2, 2]`."""
    return np.stack([np.stack([x0, y0 + 0 * x0], -1), np.stack([x1, y1 + 0 * x1], -1)], axis=1)


def _rectangles(left: Array, right: Array, bottom: Array, top: Array) -> Array:
    """`[e, 4, 2]`"""
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return np.stack([np.stack(corner, -1) for corner in corners], axis=1)


def _off_grid(x: Array, start: Array, end: Array) -> tuple[Array, Array]:
    """The shares of each frame's width that lie below and above the grid, `[e]` each."""
    span = x[:, -1] - x[:, 0]
    with np.errstate(all="ignore"):
        low, high = (start - x[:, 0]) / span, (x[:, -1] - end) / span
    low, high = np.where(span > 0, low, x[:, 0] < start), np.where(span > 0, high, x[:, 0] > end)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def _unit(values: Array) -> Array:
    """Each row stretched to [0, 1]; rows that hardly vary lie level at 0.5; what is not finite becomes NaN."""
    values = np.where(np.isfinite(values), values, np.nan)
    low = np.fmin.reduce(values, axis=1, keepdims=True)  # fmin and fmax pass over NaN
    high = np.fmax.reduce(values, axis=1, keepdims=True)
    flat = high - low <= FLAT * np.maximum(np.abs(low), np.abs(high))
    return np.where(flat, 0.5 + 0 * values, (values - low) / np.where(flat, 1.0, high - low))


def _write(axes: Axes, plan: Plan, grid_range: Range | None, curves: Sequence[Curves], look: Figures) -> None:
    """Names of the nodes, the title, and what the opacity and the shading stand for."""
    palette = PALETTES[look.style]
    for number, names, offset, side in ((0, look.in_vars, -0.14, "top"), (len(curves), look.out_vars, 0.14, "bottom")):
        xs, y = plan.nodes(number)
        for x, name in zip(xs, names or ()):
            axes.text(
                x, y + offset, name, ha="center", va=side, fontsize=11, color=palette.ink, parse_math=False, zorder=4
            )
    if look.title:
        style = {"fontsize": 12, "color": palette.ink, "parse_math": False}
        axes.text(plan.width / 2, plan.height - 0.08, look.title, ha="center", va="top", **style)
    score = {"mean_abs": "mean |φ|", "std": "std of φ"}[look.metric]
    grid = "its input's grid" if grid_range is None else f"the grid [{grid_range[0]:g}, {grid_range[1]:g}]"
    rule = f"opacity: tanh({look.beta:g} · {score})      shaded: off {grid}"
    axes.text(plan.width / 2, 0.08, rule, ha="center", va="bottom", fontsize=8, color=palette.quiet)
