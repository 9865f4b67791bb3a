"""pykan's penalty on the edges: their sizes (L1), the entropy of their sizes, and optionally their coefficients.

After `MultKAN.reg` of pykan 0.2.8 (Liu et al., `kan/MultKAN.py`) with its metric edge_forward_spline_n.

Shapes: s members, n samples, i inputs, o outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kancli.kan.network import KAN
from kancli.training.dense_bases import DenseBases, has_dense_bases

INPUT_STD_EPS = 0.1  # added to the standard deviation of an edge's input
LOG_EPS = 1e-4


@dataclass(frozen=True)
class Penalty:
    """lamb times the sum over layers of l1, entropy and the coefficients' terms.

    An edge's size is a_ij = std(phi_ij(x_i)) / (std(x_i) + 0.1) over the samples. l1 = sum a; entropy is the mean over
    outputs of -sum_i p log2(p + 1e-4), p = a / (sum_i a + 1), plus the same with inputs and outputs exchanged. The
    coefficients' terms, off by default, are the means over outputs of |coef| and of the differences of neighbours.
    """

    lamb: float
    l1: float = 1.0
    entropy: float = 2.0
    coef: float = 0.0
    coefdiff: float = 0.0

    def forward(self, model: KAN, x: Tensor, first: DenseBases | None = None) -> tuple[Tensor, Tensor]:
        """Outputs `[s, n, o]` and penalty `[s]` of an ensemble.

        Args:
            x: `[(s,) n, i]`.
            first: those of the first layer at x, if they are known.
        """
        x = x if x.dim() > 2 else x.expand(model.n_members or 1, *x.shape)
        penalty, dense = x.new_zeros(x.shape[0]), has_dense_bases(model)
        for layer in model.layers:
            if dense:
                phi, output = (first or DenseBases.of(layer, x)).edges(layer)  # [s, i, n, o]
                spread, first = phi.std(-2), None
            else:
                trace = layer.trace(x)
                spread, output = trace.postacts.std(-3), trace.output
            sizes = spread / (x.std(-2).unsqueeze(-1) + INPUT_STD_EPS)  # [s, i, o]
            penalty = (
                penalty + self.l1 * sizes.sum((-2, -1)) + self.entropy * (_entropy(sizes, -2) + _entropy(sizes, -1))
            )
            if self.coef or self.coefdiff:
                penalty = penalty + self.coef * layer.coef.abs().mean(-2).sum((-2, -1))
                penalty = penalty + self.coefdiff * layer.coef.diff(dim=-1).abs().mean(-2).sum((-2, -1))
            x = output
        return x, self.lamb * penalty


def _entropy(sizes: Tensor, axis: int) -> Tensor:
    """Entropy of shares along an axis of `[s, i, o]`, averaged over the other, `[s]`."""
    shares = sizes / (sizes.sum(axis, keepdim=True) + 1)
    return -(shares * torch.log2(shares + LOG_EPS)).sum(axis).mean(-1)
