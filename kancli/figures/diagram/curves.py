"""The functions on the edges of a layer as numbers: which are shown, over what range, and how strong each is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from kancli.figures.data import FigureData

Array = np.ndarray

METRICS = {"mean_abs": "mean |φ|", "std": "std of φ"}  # scores of an edge
MAX_EDGES = 64  # of a layer, all shown; of a larger one, some of the strongest, of the middle and of the weakest
GROUPS = ("strongest", "median", "weakest")
PER_GROUP = 4
POINTS = 101  # of a curve


@dataclass(frozen=True)
class Curves:
    """The edge functions of one layer that are shown, e of them: what is drawn is this, scaled into frames."""

    sources: Array  # [e]    node of the layer below
    targets: Array  # [e]    node of the layer above
    x: Array  # [e, p]       places over the sampled range
    base: Array  # [e, p]    scale_base b(x) there
    spline: Array  # [e, p]  scale_sp spline(x) there
    grid: tuple[Array, Array]  # [e] each, where the grid begins and ends
    score: Array  # [e]
    scores: Array  # [i, o]  of all edges

    @property
    def y(self) -> Array:
        """`[e, p]`, phi."""
        return self.base + self.spline

    @property
    def chosen(self) -> bool:
        """Whether only some edges are shown."""
        return len(self.sources) < self.scores.size


def shown(scores: Array) -> Array:
    """The edges shown, as flat indexes: all, in order; or of a large layer `PER_GROUP` each of `GROUPS`. What has no
    finite score counts as strongest."""
    if scores.size <= MAX_EDGES:
        return np.arange(scores.size)
    falling = np.argsort(-np.nan_to_num(scores.ravel(), nan=np.inf), kind="stable")
    middle = scores.size // 2 - PER_GROUP // 2
    return np.concatenate([falling[:PER_GROUP], falling[middle : middle + PER_GROUP], falling[-PER_GROUP:]])


@torch.no_grad()
def sample_curves(data: FigureData, number: int, metric: str) -> Curves:
    """The functions of the edges of layer `number`, over the range of the samples that entered each.

    Args:
        metric: "mean_abs" or "std" of the postacts, the score of an edge.
    """
    layer, scores = data.first.layers[number], getattr(data.ranges[number], metric)
    sources, targets = np.unravel_index(shown(scores), scores.shape)
    low, high = (each[sources] for each in data.range(number))
    x = np.linspace(low, high, POINTS)  # [p, e]
    places = torch.from_numpy(x).to(layer.coef)
    parts = layer.edge_parts(places, torch.from_numpy(sources), torch.from_numpy(targets))
    base, spline = (each.double().cpu().numpy().T for each in parts)
    start, end = (each.cpu().numpy()[sources] for each in layer.grid_ends())
    return Curves(sources, targets, x.T, base, spline, (start, end), scores[sources, targets], scores)


def samples_of(preacts: Tensor | None, most: int = 100) -> Array | None:
    """The first samples that entered a layer, `[q, i]`, for a rug."""
    return None if preacts is None else preacts[:most].double().cpu().numpy()


def opacity(score: Array, beta: float) -> Array:
    """tanh(beta * score), in [0, 1]; edges without a finite score are drawn in full."""
    with np.errstate(over="ignore"):
        return np.tanh(beta * np.nan_to_num(score, nan=np.inf, posinf=np.inf))
