"""The edge functions of a layer, sampled for drawing, and the score that ranks the edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from kancli.figures.data import FigureData

Array = np.ndarray

METRICS = {"mean_abs": "mean |φ|", "std": "std of φ"}  # scores of an edge
MAX_EDGES = 64  # a larger layer shows PER_GROUP edges of each of GROUPS
GROUPS = ("strongest", "median", "weakest")
PER_GROUP = 4
POINTS = 101  # of a curve


@dataclass(frozen=True)
class Curves:
    """The e edge functions of one layer that the diagram shows."""

    sources: Array  # [e]    input node
    targets: Array  # [e]    output node
    x: Array  # [e, p]       points over the sampled range
    base: Array  # [e, p]    scale_base b(x)
    spline: Array  # [e, p]  scale_sp spline(x)
    grid: tuple[Array, Array]  # [e] each, start and end of the grid
    score: Array  # [e]
    scores: Array  # [i, o]  of all edges

    @property
    def y(self) -> Array:
        """phi, `[e, p]`."""
        return self.base + self.spline

    @property
    def is_subset(self) -> bool:
        """Whether the layer has more edges than these."""
        return len(self.sources) < self.scores.size


def select_edges(scores: Array) -> Array:
    """Flat indices of the edges to show: all, in order; of a large layer, `PER_GROUP` edges of each of `GROUPS`.

    Edges without a finite score count as strongest.
    """
    if scores.size <= MAX_EDGES:
        return np.arange(scores.size)
    order = np.argsort(-np.nan_to_num(scores.ravel(), nan=np.inf), kind="stable")
    middle = scores.size // 2 - PER_GROUP // 2
    return np.concatenate([order[:PER_GROUP], order[middle : middle + PER_GROUP], order[-PER_GROUP:]])


@torch.no_grad()
def sample_curves(data: FigureData, layer_index: int, metric: str) -> Curves:
    """Evaluate the edge functions of a layer over the range of the samples that entered each edge.

    Args:
        metric: the score of an edge, "mean_abs" or "std" of its postacts.
    """
    layer, scores = data.first_member.layers[layer_index], getattr(data.ranges[layer_index], metric)
    sources, targets = np.unravel_index(select_edges(scores), scores.shape)
    low, high = (end[sources] for end in data.preact_range(layer_index))
    x = np.linspace(low, high, POINTS)  # [p, e]
    points = torch.from_numpy(x).to(layer.coef)
    parts = layer.edge_parts(points, torch.from_numpy(sources), torch.from_numpy(targets))
    base, spline = (part.double().cpu().numpy().T for part in parts)
    start, end = (knot.cpu().numpy()[sources] for knot in layer.grid_ends())
    return Curves(sources, targets, x.T, base, spline, (start, end), scores[sources, targets], scores)


def opacity(score: Array, beta: float) -> Array:
    """tanh(beta * score), in [0, 1]; 1 for edges without a finite score."""
    with np.errstate(over="ignore"):
        return np.tanh(beta * np.nan_to_num(score, nan=np.inf, posinf=np.inf))
