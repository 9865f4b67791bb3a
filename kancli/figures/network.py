"""The network diagram: inputs below, outputs above, and halfway along every edge its function in a small frame.

The idiom is that of Liu et al., "KAN: Kolmogorov-Arnold Networks" (2024), figure 2.4.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from kancli.model import KAN, KANLayer

if TYPE_CHECKING:
    from kancli.figures import Figures
    from kancli.stats import LayerScope

Array = np.ndarray

MOST_EDGES = 200  # drawn in one layer; beyond, the strongest
POINTS = 101  # of a curve
INK, GHOST, SHADE = "black", "0.8", "#fbe9d3"
FLAT = 1e-6  # a curve whose range is a smaller share of its size is drawn as a level line


class Diagram(Figure):
    """A figure that shows itself in a notebook, with no window system and no pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


@dataclass(frozen=True)
class Curves:
    """The edge functions of one layer that are drawn, e of them: what is drawn is this, scaled into frames."""

    sources: Array  # [e]    node of the layer below
    targets: Array  # [e]    node of the layer above
    x: Array  # [e, p]       places over the sampled range
    y: Array  # [e, p]       phi there
    score: Array  # [e]
    n_edges: int  # how many the layer has


def draw(model: KAN, scopes: Sequence[LayerScope], look: Figures) -> Diagram:
    """Draw a model over the range of the samples that went through it.

    Links, frames and curves have the opacity tanh(beta * score); a pale curve under each keeps faint ones readable.
    What lies off the grid is shaded.
    """
    curves = [sample_curves(layer, scope, look.metric) for layer, scope in zip(model.layers, scopes, strict=True)]
    plan = Plan(model.width, [len(each.sources) for each in curves], look.title is not None)
    figure = Diagram(figsize=(plan.width, plan.height), dpi=look.dpi)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, plan.width)
    axes.set_ylim(0, plan.height)
    axes.axis("off")
    for number, (layer, each) in enumerate(zip(model.layers, curves, strict=True)):
        _draw_layer(axes, plan, number, layer.grid_range, each, opacity(each.score, look.beta))
    for number, nodes in enumerate(model.width):
        xs, y = plan.nodes(number)
        axes.scatter(xs, np.full(nodes, y), s=(72 * plan.dot(nodes)) ** 2, color=INK, zorder=3)
    _write(axes, plan, model.layers[0].grid_range, curves, look)
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
    return Curves(sources, targets, x.T, y.double().cpu().numpy().T, scores[sources, targets], scores.size)


def _finite(values: Array, instead: float) -> Array:
    return np.where(np.isfinite(values), values, instead)


@dataclass(frozen=True)
class Plan:
    """Where everything goes, in inches."""

    widths: Sequence[int]  # nodes per layer
    n_drawn: Sequence[int]  # edges drawn per layer
    titled: bool

    margin = 0.45

    @property
    def width(self) -> float:
        return float(np.clip(0.8 * max(*self.n_drawn, 1.3 * max(self.widths)), 4.5, 24))

    @property
    def gap(self) -> float:
        """From a row of nodes to the frames."""
        return 0.55 + 0.035 * self.width

    @property
    def row(self) -> float:
        """From one row of nodes to the next."""
        return 2 * self.gap + max(self.frame(number) for number in range(len(self.n_drawn)))

    @property
    def height(self) -> float:
        return self.row * len(self.n_drawn) + 2 * self.margin + 0.35 + 0.35 * self.titled

    def frame(self, layer: int) -> float:
        """The side of a frame."""
        return min(0.8 * (self.width - 2 * self.margin) / self.n_drawn[layer], 0.85)

    def dot(self, nodes: int) -> float:
        """The diameter of a node."""
        return min(0.16, 0.5 * (self.width - 2 * self.margin) / nodes)

    def _spread(self, count: int) -> Array:
        return self.margin + (self.width - 2 * self.margin) * (np.arange(count) + 0.5) / count

    def nodes(self, layer: int) -> tuple[Array, float]:
        """The places of a layer's nodes: x `[n]`, and their y."""
        return self._spread(self.widths[layer]), self.margin + 0.35 + self.row * layer

    def frames(self, layer: int) -> tuple[Array, float]:
        """The middles of a layer's frames: x `[e]`, and their y."""
        return self._spread(self.n_drawn[layer]), self.nodes(layer)[1] + self.row / 2


def _draw_layer(axes, plan: Plan, number: int, grid_range, curves: Curves, alpha: Array) -> None:  # noqa: ANN001
    side = plan.frame(number)
    middle, y_frame = plan.frames(number)
    below, y_below = plan.nodes(number)
    above, y_above = plan.nodes(number + 1)
    left, bottom, top = middle - side / 2, y_frame - side / 2, y_frame + side / 2

    def segments(x0: Array, y0: float, x1: Array, y1: float) -> Array:
        return np.stack([np.stack([x0, np.full_like(x0, y0)], -1), np.stack([x1, np.full_like(x1, y1)], -1)], 1)

    ink = np.zeros((len(alpha), 4))
    ink[:, 3] = alpha
    links = np.concatenate(
        [
            segments(below[curves.sources], y_below, middle, bottom),
            segments(middle, top, above[curves.targets], y_above),
        ]
    )
    thin = 0.9 if len(alpha) <= 64 else 0.6
    axes.add_collection(LineCollection(list(links), colors=np.tile(ink, (2, 1)), linewidths=thin, zorder=1))
    squares = np.stack(
        [np.stack([left, left + side, left + side, left], -1), np.tile([bottom, bottom, top, top], (len(left), 1))], -1
    )
    axes.add_collection(PolyCollection(list(squares), facecolors="white", edgecolors=GHOST, linewidths=0.6, zorder=2))

    u = _unit(curves.x, level=0.5)  # [e, p], 0 at the left side of the frame
    shades = [_shade(curves.x[e], grid_range, left[e], bottom, side) for e in range(len(left))]
    flat = [polygon for polygons in shades for polygon in polygons]
    axes.add_collection(PolyCollection(flat, facecolors=SHADE, edgecolors="none", zorder=2.1))
    axes.add_collection(PolyCollection(list(squares), facecolors="none", edgecolors=ink, linewidths=0.6, zorder=2.2))
    inner = 0.08 * side
    lines = np.stack([left[:, None] + side * u, bottom + inner + (side - 2 * inner) * _unit(curves.y, level=0.5)], -1)
    lines = np.where(np.isfinite(curves.y)[:, :, None], lines, np.nan)
    axes.add_collection(LineCollection(list(lines), colors=GHOST, linewidths=1.2, zorder=2.3))
    axes.add_collection(LineCollection(list(lines), colors=ink, linewidths=1.2, zorder=2.4))
    for e in np.flatnonzero(~np.isfinite(curves.y).any(axis=1)):
        axes.text(middle[e], y_frame, "not\nfinite", ha="center", va="center", fontsize=min(7, 16 * side), zorder=2.5)
    if len(curves.sources) < curves.n_edges:
        note = f"strongest {len(curves.sources)} of {curves.n_edges:,} edges shown"
        axes.text(
            plan.width - 0.1,
            top + 0.06,
            note,
            ha="right",
            va="bottom",
            fontsize=8,
            color="0.35",
            zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )


def _unit(values: Array, level: float) -> Array:
    """Each row stretched to [0, 1]; rows that hardly vary are drawn at `level`."""
    values = np.where(np.isfinite(values), values, np.nan)
    known = np.isfinite(values).any(axis=1)
    low, high = np.zeros(len(values)), np.zeros(len(values))
    low[known], high[known] = np.nanmin(values[known], axis=1), np.nanmax(values[known], axis=1)
    flat = high - low <= FLAT * np.maximum(np.abs(low), np.abs(high))
    span = np.where(flat, 1.0, high - low)
    return np.where(flat[:, None], level, (values - low[:, None]) / span[:, None])


def _shade(x: Array, grid_range: tuple[float, float], left: float, bottom: float, side: float) -> list[Array]:
    """The rectangles of one frame that lie off the grid."""
    if not x[-1] > x[0]:
        return []
    ends = np.clip((np.asarray(grid_range) - x[0]) / (x[-1] - x[0]), 0.0, 1.0)
    return [
        np.array(
            [
                (left + side * a, bottom),
                (left + side * b, bottom),
                (left + side * b, bottom + side),
                (left + side * a, bottom + side),
            ]
        )
        for a, b in ((0.0, ends[0]), (ends[1], 1.0))
        if b > a
    ]


def _write(axes, plan: Plan, grid_range, curves: Sequence[Curves], look: Figures) -> None:  # noqa: ANN001
    """Names of the nodes, the title, and what the opacity and the shading stand for."""
    for number, names, offset, side in ((0, look.in_vars, -0.14, "top"), (len(curves), look.out_vars, 0.14, "bottom")):
        xs, y = plan.nodes(number)
        for x, name in zip(xs, names or ()):
            axes.text(x, y + offset, name, ha="center", va=side, fontsize=11, zorder=4)
    if look.title:
        axes.text(plan.width / 2, plan.height - 0.08, look.title, ha="center", va="top", fontsize=12)
    score = {"mean_abs": "mean |$\\phi$|", "std": "std of $\\phi$"}[look.metric]
    low, high = grid_range
    rule = f"opacity: tanh({look.beta:g} $\\cdot$ {score})      shaded: off the grid [{low:g}, {high:g}]"
    axes.text(plan.width / 2, 0.08, rule, ha="center", va="bottom", fontsize=8, color="0.35")
