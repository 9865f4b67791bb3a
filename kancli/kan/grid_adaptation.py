"""Grid adaptation: per-input knots from the samples, and coefficients refitted to the old splines.

A spline is kept only as far as the new knots can hold it: they spread over the samples' range, and where that is wider
than the old grid, they are coarser. `RefitReport.residual` is what is lost.

After `update_grid_from_samples` of pykan 0.2.8 (Liu et al., `kan/KANLayer.py`), by one of two rules. "samples":
quantiles interpolate between samples, and the fit covers the whole new grid, so that every coefficient is determined.
"pykan", as in the source: order statistics, and a fit at the samples alone.

Shapes: s members, n samples, i inputs, o outputs, K = G + k basis functions, p points of the fit; `[(s,) ...]` has the
member axis in an ensemble only.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kancli.kan import splines
from kancli.kan.layer import KANLayer
from kancli.kan.least_squares import pseudo_inverse
from kancli.kan.network import KAN

Array = np.ndarray


@dataclass(frozen=True)
class RefitReport:
    """Quality of a layer's refit, by member (one entry for a single model)."""

    condition: Array  # [s]  largest condition number of an input's collocation matrix
    residual: Array  # [s]   rms change of the splines at the samples, over the rms of the splines
    kept: Array  # [s]       number of inputs that keep their knots


@torch.no_grad()
def adapt_grid_(
    model: KAN,
    x: Tensor,
    *,
    eps: float,
    rule: str = "samples",
    chunk: int | None = None,
    min_range: float = 0.0,
) -> list[RefitReport]:
    """Set the knots of each input from the samples that reach it, layer by layer from the network's inputs on.

    The G + 1 inner knots are eps times equal steps over the samples' range plus 1 - eps times the samples' quantiles;
    k more on each side continue at the mean step. The new coefficients are the least-squares fit of the old spline at
    k + 1 points in each new interval, or at the samples by pykan's rule. An input keeps its knots if the new ones would
    coincide: if its samples do not vary, have many ties at a small eps, or are too close for the dtype.

    Args:
        model: has per-input knots (`KANLayer.use_per_input_knots_`); changed in place.
        x: `[(s,) n, n_0]`.
        eps: 1 for equal steps, 0 for quantiles.
        rule: "samples" or "pykan".
        chunk: number of samples to process at a time; None for all.
        min_range: an input of a hidden layer keeps its knots and coefficients where its samples' range is below this
            part of the layer's first grid. Knots around a node that training has silenced would hold it: its splines
            would end at the slightest change of its value.

    Returns:
        One report for each layer.
    """
    chunks = list(x.split(chunk or x.shape[-2], dim=-2))
    reports = []
    for number, layer in enumerate(model.layers):
        entering = torch.cat(chunks, dim=-2)
        quantiles = _order_statistics if rule == "pykan" else _interpolated_quantiles
        knots, kept = _adapted_knots(layer, entering, eps, quantiles)
        points = entering if rule == "pykan" else _fit_points(layer, knots)
        silent = torch.zeros_like(kept)
        if number and min_range:
            low, high = layer.grid_range
            silent = entering.amax(-2) - entering.amin(-2) < min_range * (high - low)
            knots = torch.where(silent.unsqueeze(-1), layer.knots, knots)
        reports.append(_refit_(layer, knots, kept | silent, points, chunks, silent=silent))
        chunks = [layer(part) for part in chunks]
    return reports


def _adapted_knots(
    layer: KANLayer, x: Tensor, eps: float, quantiles_of: Callable[[Tensor, int], Tensor]
) -> tuple[Tensor, Tensor]:
    """New knots `[(s,) i, G + 1 + 2k]` in the layer's dtype, and whether each input keeps its old ones, `[(s,) i]`."""
    shares = torch.linspace(0, 1, layer.grid + 1, dtype=torch.float64, device=x.device)
    ordered = x.double().sort(dim=-2).values.transpose(-2, -1)  # [(s,) i, n]
    low, high = ordered[..., :1], ordered[..., -1:]
    quantiles = quantiles_of(ordered, layer.grid)
    even = torch.lerp(low, high, shares)
    inner = quantiles + eps * (even - quantiles)  # exact at both ends
    steps = torch.arange(1, layer.k + 1, dtype=torch.float64, device=x.device) * (high - low) / layer.grid
    knots = torch.cat([inner[..., :1] - steps.flip(-1), inner, inner[..., -1:] + steps], dim=-1)
    knots = knots.to(layer.knots.dtype)
    apart = (knots.diff(dim=-1) > torch.finfo(knots.dtype).tiny).all(-1) & knots.isfinite().all(-1)
    return torch.where(apart.unsqueeze(-1), knots, layer.knots), ~apart


def _interpolated_quantiles(ordered: Tensor, grid: int) -> Tensor:
    """The quantiles 0, 1/G, ..., 1 of sorted samples `[(s,) i, n]`, to `[(s,) i, G + 1]`."""
    n = ordered.shape[-1]
    shares = torch.linspace(0, 1, grid + 1, dtype=torch.float64, device=ordered.device)
    ranks = shares * (n - 1)  # fractional
    below = ranks.floor().long().clamp(max=max(n - 2, 0))
    above = (below + 1).clamp(max=n - 1)
    return torch.lerp(ordered[..., below], ordered[..., above], (ranks - below).expand(*ordered.shape[:-1], -1))


def _order_statistics(ordered: Tensor, grid: int) -> Tensor:
    """pykan's choice: the samples of rank floor(q n / G), q = 0 ... G - 1, and the last; shapes as above."""
    n = ordered.shape[-1]
    return ordered[..., torch.tensor([*(int(n / grid * q) for q in range(grid)), n - 1])]


def _refit_(
    layer: KANLayer, knots: Tensor, kept: Tensor, points: Tensor, chunks: list[Tensor], *, silent: Tensor
) -> RefitReport:
    """Fit the coefficients to the new knots in place, at points `[(s,) p, i]`; not of inputs that are silent."""
    old_spline = layer.spline(points)  # [(s,) p, i, o]
    bases = splines.basis_on_knots(points.double(), knots, layer.k)  # [(s,) p, i, K]
    n_members = layer.n_members or 1
    by_input = (  # [s i, p, K] and [s i, p, o]
        tensor.reshape(n_members, *tensor.shape[-3:]).transpose(1, 2).flatten(0, 1) for tensor in (bases, old_spline)
    )
    coef, conditions = [], []
    for matrix, values in zip(*by_input, strict=True):
        inverse = pseudo_inverse(matrix)
        coef.append(inverse.solve(values.T))
        conditions.append(inverse.condition)

    new = copy.deepcopy(layer)
    fitted = torch.stack(coef).reshape(layer.coef.shape).to(layer.coef.dtype)
    new.coef.copy_(torch.where(silent[..., None, None], layer.coef, fitted))
    new.knots.copy_(knots)
    change, size = np.zeros(n_members), np.zeros(n_members)
    for x in chunks:
        before, after = (version.spline(x).double().cpu().numpy().reshape(n_members, -1) for version in (layer, new))
        change += ((after - before) ** 2).sum(axis=1)
        size += (before**2).sum(axis=1)
    layer.coef.copy_(new.coef)
    layer.knots.copy_(new.knots)
    with np.errstate(all="ignore"):
        residual = np.sqrt(change / size)
    condition = np.reshape(conditions, (n_members, layer.n_in)).max(axis=1)
    return RefitReport(condition, residual, kept.reshape(n_members, -1).sum(-1).cpu().numpy())


def _fit_points(layer: KANLayer, knots: Tensor) -> Tensor:
    """The midpoints of k + 1 equal parts of each grid interval, `[(s,) (k + 1) G, i]`."""
    inner = knots[..., layer.k : layer.k + layer.grid + 1].double()
    parts = (torch.arange(layer.k + 1, dtype=torch.float64, device=knots.device) + 0.5) / (layer.k + 1)
    points = inner[..., :-1, None] + parts * inner.diff(dim=-1)[..., None]  # [(s,) i, G, k + 1]
    return points.flatten(-2).transpose(-2, -1).to(knots.dtype)
