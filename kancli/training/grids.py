"""Changes of the knots during training: finer grids, and knots adapted to the samples.

Shapes: s members, i inputs, o outputs, K = G + k basis functions, p points of a fit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kancli.kan import splines
from kancli.kan.grid_adaptation import adapt_grid_
from kancli.kan.layer import KANLayer
from kancli.kan.least_squares import pseudo_inverse
from kancli.kan.network import KAN
from kancli.training.parameters import copy_members_, ensemble_copy

SAMPLES_AT_A_TIME = 2**14  # of all members, in an adaptation


def refine_model_(model: KAN, grid: int) -> list[float]:
    """`refine_` of a single model or an ensemble."""
    ensemble = ensemble_copy(model)
    residuals = refine_(ensemble, grid)
    copy_members_(model, ensemble)
    return residuals


@torch.no_grad()
def refine_(model: KAN, grid: int) -> list[float]:
    """Give every layer a grid of so many intervals, and the coefficients closest to the old splines; in place.

    The fit is by least squares at k + 1 points in each new interval. Where the new grid divides the old one, the
    splines stay the same on the grid.

    Args:
        model: an ensemble.
        grid: number of intervals.

    Returns:
        Of each layer, the rms change of the splines at those points over the rms of the splines; 0 for splines of 0.
    """
    model.layer_options = {**model.layer_options, "grid": grid}
    return [_refine_layer_(layer, grid) for layer in model.layers]


def _refine_layer_(layer: KANLayer, grid: int) -> float:
    low, high = layer.grid_range
    parts = (torch.arange(grid * (layer.k + 1), dtype=torch.float64, device=layer.coef.device) + 0.5) / (layer.k + 1)
    if layer.per_input_knots:
        knots = _finer_knots(layer.knots.double(), layer.k, grid)
        inner = knots[..., layer.k : layer.k + grid + 1]
        interval = parts.floor().long()
        points = torch.lerp(inner[..., interval], inner[..., interval + 1], parts - interval)  # [s, i, p]
        new = splines.basis_on_knots(points.transpose(-2, -1), knots, layer.k).transpose(-3, -2)  # [s, i, p, K]
        old = splines.basis_on_knots(points.transpose(-2, -1), layer.knots, layer.k).transpose(-3, -2)
        maps = [pseudo_inverse(matrix).solve(values.T) for matrix, values in zip(new.flatten(0, 1), old.flatten(0, 1))]
        transfer = torch.stack(maps).unflatten(0, new.shape[:2])  # [s, i, K old, K new]
    else:
        points = low + (high - low) * parts / grid  # [p]
        new, old = (splines.basis(points, layer.grid_range, size, layer.k) for size in (grid, layer.grid))
        transfer = pseudo_inverse(new).solve(old.T)  # [K old, K new]
        knots = splines.extended_knots(layer.grid_range, grid, layer.k)
    coef = layer.coef.double() @ transfer
    before, after = layer.coef.double() @ old.mT, coef @ new.mT
    layer.coef = nn.Parameter(coef.to(layer.coef.dtype), requires_grad=layer.coef.requires_grad)
    layer.grid, layer.knots = grid, knots.to(layer.knots)
    size = before.square().sum()
    return float(((after - before).square().sum() / size).sqrt()) if size > 0 else 0.0


def _finer_knots(knots: Tensor, k: int, grid: int) -> Tensor:
    """Knots of more intervals by linear interpolation of the old ones by number, `[..., G + 1 + 2k]`."""
    inner = knots[..., k : knots.shape[-1] - k]
    place = torch.arange(grid + 1, dtype=torch.float64, device=knots.device) * (inner.shape[-1] - 1) / grid
    below = place.floor().long().clamp(max=inner.shape[-1] - 2)
    inner = torch.lerp(inner[..., below], inner[..., below + 1], place - below)
    steps = torch.arange(1, k + 1, dtype=torch.float64, device=knots.device)
    steps = steps * (inner[..., -1:] - inner[..., :1]) / grid
    return torch.cat([inner[..., :1] - steps.flip(-1), inner, inner[..., -1:] + steps], dim=-1)


def resize_(model: KAN, grid: int) -> None:
    """Give every layer coefficients for a grid of so many intervals, uninitialised if its grid changes; in place."""
    model.layer_options = {**model.layer_options, "grid": grid}
    for layer in model.layers:
        if layer.grid != grid:
            shape = (*layer.coef.shape[:-1], grid + layer.k)
            layer.grid, layer.coef = grid, nn.Parameter(layer.coef.new_empty(shape), layer.coef.requires_grad)


@torch.no_grad()
def adapt_(model: KAN, x: Tensor, eps: float) -> list[float]:
    """Set the knots of each member by the samples that reach it (`kan.grid_adaptation`); in place.

    Args:
        model: an ensemble with per-input knots.
        x: `[n, i]`.
        eps: 1 for equal steps, 0 for quantiles.

    Returns:
        Of each layer, the largest relative change of a member's splines at the samples.
    """
    x = x.expand(model.n_members or 1, *x.shape)
    reports = adapt_grid_(model, x, eps=eps, chunk=max(1, SAMPLES_AT_A_TIME // x.shape[0]))
    return [float(report.residual.max()) for report in reports]
