"""The B-spline basis on uniform extended knots: tensors in, tensors out.

Shapes: n samples, i inputs, K = G + k basis functions. Leading axes are carried through.
"""

from __future__ import annotations

import torch
from torch import Tensor


def extended_knots(grid_range: tuple[float, float], grid: int, k: int) -> Tensor:
    """The G + 1 knots that cut `grid_range` into G equal intervals, with k more on each side.

    Returns:
        `[G + 1 + 2k]`, float64, increasing. The ends of the range are met exactly.
    """
    low, high = grid_range
    steps = torch.arange(-k, grid + k + 1, dtype=torch.float64)
    return (low * (grid - steps) + high * steps) / grid


def basis(x: Tensor, grid_range: tuple[float, float], grid: int, k: int) -> Tensor:
    """The values of all K = G + k B-splines of order k at x.

    B_m lives on the knots m..m+k+1 of `extended_knots`; intervals are half-open but for the right end of the range,
    which belongs to the last interval. The bases sum to 1 on the range, to less within k intervals of it, and are 0
    beyond. On one interval only k + 1 of them are not 0: these come from the triangular scheme of Cox (1972) and
    de Boor (1972), which adds positive terms only (Piegl and Tiller, The NURBS Book, algorithm A2.2).

    Args:
        x: `[..., i]`, any real dtype.

    Returns:
        `[..., i, K]` in the dtype of x. NaN inputs give NaN.
    """
    low, high = grid_range
    # In float64: at G = 200 a float32 position would be off by 1e-5 of an interval.
    position = (x.double() - low) * (grid / (high - low))  # [..., i], 0 at the left end of the range, G at its right
    at_right_end = x == high
    outside = (position < -k) | ((position >= grid + k) & ~at_right_end)
    interval = position.floor()
    interval = torch.where(at_right_end, grid - 1.0, interval).clamp(-k, grid + k - 1).nan_to_num(nan=0.0)
    u = (position - interval).to(x.dtype)  # [..., i], in [0, 1] inside the knots
    local = _nonzero_values(u, k).masked_fill(outside.unsqueeze(-1), 0.0)  # [..., i, k + 1]

    # Interval q holds B_q .. B_{q+k}. Room for k functions beyond each end, cut off again, spares a mask.
    padded = x.new_zeros(*x.shape, grid + 3 * k)
    first = interval.long().unsqueeze(-1) + k
    padded.scatter_(-1, first + torch.arange(k + 1, device=x.device), local)
    return padded[..., k : grid + 2 * k]


def _nonzero_values(u: Tensor, k: int) -> Tensor:
    """The k + 1 B-splines that are not 0 on an interval, at the place u in [0, 1] of it: `[..., k + 1]`."""
    values = [torch.ones_like(u)]
    for order in range(1, k + 1):
        saved = torch.zeros_like(u)
        for r in range(order):
            share = values[r] / order
            values[r] = saved + (r + 1 - u) * share
            saved = (u + (order - 1 - r)) * share
        values.append(saved)
    return torch.stack(values, dim=-1)
