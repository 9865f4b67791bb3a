"""efficient-kan's model restated from its tensors and formulas: names, shapes, draw, forward pass and grid update.

Cao, github.com/Blealtan/efficient-kan, `src/efficient_kan/kan.py` (MIT). No package of it exists.
"""

import itertools
import math

import torch
from torch import nn


def bases_of(x, knots, order):
    """Cox and de Boor's recursion on per-input knots; x `[n, i]`, knots `[i, G + 2k + 1]` to `[n, i, G + k]`."""
    x = x.unsqueeze(-1)
    values = ((knots[:, :-1] <= x) & (x < knots[:, 1:])).to(x.dtype)
    for p in range(1, order + 1):
        rising = (x - knots[:, : -p - 1]) / (knots[:, p:-1] - knots[:, : -p - 1])
        falling = (knots[:, p + 1 :] - x) / (knots[:, p + 1 :] - knots[:, 1:-p])
        values = rising * values[..., :-1] + falling * values[..., 1:]
    return values


class KANLinear(nn.Module):
    """One layer: y = base_weight b(x) + (spline_weight, times spline_scaler if there is one) B(x)."""

    def __init__(self, n_in, n_out, grid_size=5, order=3, grid_range=(-1, 1), scaler=True, base_activation=nn.SiLU):
        super().__init__()
        self.order, self.grid_size, self.base_activation = order, grid_size, base_activation()
        step = (grid_range[1] - grid_range[0]) / grid_size
        knots = torch.arange(-order, grid_size + order + 1) * step + grid_range[0]
        self.register_buffer("grid", knots.expand(n_in, -1).contiguous())
        self.base_weight = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(n_out, n_in), a=math.sqrt(5)))
        noise = 0.1 / grid_size * (torch.rand(grid_size + 1, n_in, n_out) - 0.5)  # of the splines, at the knots
        matrix = bases_of(self.grid.T[order:-order], self.grid, order).transpose(0, 1)
        fitted = torch.linalg.lstsq(matrix, noise.transpose(0, 1)).solution
        self.spline_weight = nn.Parameter(fitted.permute(2, 0, 1).contiguous())
        if scaler:
            self.spline_scaler = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(n_out, n_in), a=math.sqrt(5)))

    def weights(self):
        scaler = getattr(self, "spline_scaler", None)
        return self.spline_weight if scaler is None else self.spline_weight * scaler.unsqueeze(-1)

    def edges(self, x):
        """phi of every edge, `[n, i, o]`."""
        spline = torch.einsum("nik,oik->nio", bases_of(x, self.grid, self.order), self.weights())
        return spline + self.base_activation(x).unsqueeze(-1) * self.base_weight.T

    def forward(self, x):
        features = bases_of(x, self.grid, self.order).flatten(1)
        return self.base_activation(x) @ self.base_weight.T + features @ self.weights().flatten(1).T

    @torch.no_grad()
    def update_grid(self, x, grid_eps=0.02, margin=0.01):
        """Knots from the samples of each input, and coefficients refitted at them."""
        old = torch.einsum("nik,oik->ino", bases_of(x, self.grid, self.order), self.spline_weight)
        ordered = x.sort(dim=0).values
        adaptive = ordered[torch.linspace(0, len(x) - 1, self.grid_size + 1).long()]
        step = (ordered[-1] - ordered[0] + 2 * margin) / self.grid_size
        even = torch.arange(self.grid_size + 1).unsqueeze(1) * step + ordered[0] - margin
        inner = grid_eps * even + (1 - grid_eps) * adaptive
        beyond = torch.arange(1, self.order + 1).unsqueeze(1) * step
        self.grid.copy_(torch.cat([inner[:1] - beyond.flip(0), inner, inner[-1:] + beyond]).T)
        matrix = bases_of(x, self.grid, self.order).transpose(0, 1)
        self.spline_weight.copy_(torch.linalg.lstsq(matrix, old).solution.permute(2, 0, 1))


class KAN(nn.Module):
    """A stack of `KANLinear`."""

    def __init__(self, layers_hidden, **options):
        super().__init__()
        self.layers = nn.ModuleList(
            KANLinear(n_in, n_out, **options) for n_in, n_out in itertools.pairwise(layers_hidden)
        )

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
