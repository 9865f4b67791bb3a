"""Knots fitted to the samples, input by input, and coefficients refitted so that the functions stay what they were.

After the `update_grid_from_samples` of Liu et al., pykan (`kan/KANLayer.py`, 0.2.8); here the fit is made over the
whole of the new grid, not at the samples only, so that no coefficient is left to chance.

Shapes: s members, n samples, i inputs, o outputs, K = G + k basis functions, p places of the fit.
"""

from __future__ import annotations

import copy
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
    """How well the functions of a layer were kept, by member (one entry for a single model)."""

    condition: Array  # [s]  greatest condition number of an input's collocation matrix
    residual: Array  # [s]   rms change of the splines at the samples, over the rms of the splines
    kept: Array  # [s]       how many inputs kept their knots


@torch.no_grad()
def adapt_grid_(model: KAN, x: Tensor, *, eps: float, chunk: int | None = None) -> list[RefitReport]:
    """Give each input of each layer knots after the samples that enter there, layer by layer from the input on.

    The G + 1 inner knots are eps times equal steps over the samples' range plus 1 - eps times the samples' quantiles;
    k more on each side continue at the mean step. The new coefficients are the least-squares fit of the old spline at
    k + 1 places in each new interval. An input keeps its knots where its samples would make them coincide: because they
    do not vary, or have many ties at a small eps, or because the dtype cannot tell them apart.

    Args:
        model: with knots of its own for each input (`KANLayer.use_per_input_knots_`); changed in place.
        x: `[(s,) n, n_0]`.
        eps: 1 for equal steps, 0 for quantiles.
        chunk: how many samples to hold at a time.
    """
    chunks = list(x.split(chunk or x.shape[-2], dim=-2))
    fits = []
    for layer in model.layers:
        fits.append(_refit_(layer, *_knots(layer, torch.cat(chunks, dim=-2), eps), chunks))
        chunks = [layer(each) for each in chunks]
    return fits


def _knots(layer: KANLayer, x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """`[(s,) i, G + 1 + 2k]`, in the layer's dtype; and which inputs keep those they have, `[(s,) i]`."""
    shares = torch.linspace(0, 1, layer.grid + 1, dtype=torch.float64, device=x.device)
    ordered = x.double().sort(dim=-2).values.transpose(-2, -1)  # [(s,) i, n]
    low, high = ordered[..., :1], ordered[..., -1:]
    places = shares * (ordered.shape[-1] - 1)
    below = places.floor().long().clamp(max=max(ordered.shape[-1] - 2, 0))
    above = (below + 1).clamp(max=ordered.shape[-1] - 1)
    quantiles = torch.lerp(ordered[..., below], ordered[..., above], (places - below).expand(*low.shape[:-1], -1))
    even = torch.lerp(low, high, shares)
    inner = quantiles + eps * (even - quantiles)  # exact at both ends
    steps = torch.arange(1, layer.k + 1, dtype=torch.float64, device=x.device) * (high - low) / layer.grid
    knots = torch.cat([inner[..., :1] - steps.flip(-1), inner, inner[..., -1:] + steps], dim=-1)
    knots = knots.to(layer.knots.dtype)
    apart = (knots.diff(dim=-1) > torch.finfo(knots.dtype).tiny).all(-1) & knots.isfinite().all(-1)
    return torch.where(apart.unsqueeze(-1), knots, layer.knots), ~apart


def _refit_(layer: KANLayer, knots: Tensor, kept: Tensor, chunks: list[Tensor]) -> RefitReport:
    places = _places(layer, knots)  # [(s,) p, i]
    wanted = layer.spline(places)  # [(s,) p, i, o]
    bases = splines.basis_on_knots(places.double(), knots, layer.k)  # [(s,) p, i, K]
    count = len(places) if layer.n_members is not None else 1
    by_input = (each.reshape(count, *each.shape[-3:]).transpose(1, 2).flatten(0, 1) for each in (bases, wanted))
    coef, conditions = [], []
    for matrix, values in zip(*by_input, strict=True):
        inverse = pseudo_inverse(matrix)
        coef.append(inverse.solve(values.T))
        conditions.append(inverse.condition)

    new = copy.deepcopy(layer)
    new.coef.copy_(torch.stack(coef).reshape(layer.coef.shape))
    new.knots.copy_(knots)
    change, size = np.zeros(count), np.zeros(count)
    for x in chunks:
        before, after = (each.spline(x).double().cpu().numpy().reshape(count, -1) for each in (layer, new))
        change += ((after - before) ** 2).sum(axis=1)
        size += (before**2).sum(axis=1)
    layer.coef.copy_(new.coef)
    layer.knots.copy_(new.knots)
    with np.errstate(all="ignore"):
        residual = np.sqrt(change / size)
    condition = np.reshape(conditions, (count, layer.n_in)).max(axis=1)
    return RefitReport(condition, residual, kept.reshape(count, -1).sum(-1).cpu().numpy())


def _places(layer: KANLayer, knots: Tensor) -> Tensor:
    """k + 1 places inside each interval of the grid, `[(s,) (k + 1) G, i]`: the middles of as many equal parts."""
    inner = knots[..., layer.k : layer.k + layer.grid + 1].double()
    parts = (torch.arange(layer.k + 1, dtype=torch.float64, device=knots.device) + 0.5) / (layer.k + 1)
    places = inner[..., :-1, None] + parts * inner.diff(dim=-1)[..., None]  # [(s,) i, G, k + 1]
    return places.flatten(-2).transpose(-2, -1).to(knots.dtype)
