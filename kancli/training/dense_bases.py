"""A layer's outputs by dense products over all its bases: on small grids faster than over the non-zero ones.

Shapes: s members, n samples, i inputs, o outputs, K basis functions.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from kancli.kan.edge_sums import MAX_DENSE_BASES, apply_elementwise
from kancli.kan.layer import KANLayer
from kancli.kan.network import KAN


@dataclass(frozen=True)
class DenseBases:
    """The factors of a layer's edges at x, which do not depend on its parameters."""

    x: Tensor  # [s, n, i]
    bases: Tensor  # [s, n, i, K]
    base: Tensor  # [s, n, i]  b(x)

    @classmethod
    def of(cls, layer: KANLayer, x: Tensor) -> DenseBases:
        """Those of a layer of an ensemble; x `[s, n, i]`."""
        return cls(x, layer.local_basis(x).dense(), apply_elementwise(layer.base_fun, x))

    def outputs(self, layer: KANLayer) -> Tensor:
        """The layer's outputs, `[s, n, o]`."""
        coef, _, scale_base = layer.weights()
        sums = self.bases.flatten(-2) @ coef.transpose(-2, -1).flatten(1, 2)
        return _add_bias(layer, sums + self.base @ scale_base)

    def edges(self, layer: KANLayer) -> tuple[Tensor, Tensor]:
        """The values of phi `[s, i, n, o]`, and the layer's outputs `[s, n, o]`."""
        coef, _, scale_base = layer.weights()
        phi = self.bases.transpose(1, 2) @ coef.mT + self.base.mT.unsqueeze(-1) * scale_base.unsqueeze(-2)
        return phi, _add_bias(layer, phi.sum(1))


def has_dense_bases(model: KAN) -> bool:
    """Whether the dense form is the faster one, and the layers allow it."""
    return all(layer.n_basis <= MAX_DENSE_BASES and not layer.standardise for layer in model.layers)


def _add_bias(layer: KANLayer, y: Tensor) -> Tensor:
    return y if layer.bias is None else y + layer.bias.unsqueeze(-2)
