"""Moments of the slopes of b(x) and of the bases over samples, for budgets of the gradient.

Shapes: s members (1 for a single model), n samples, i inputs, o outputs, K bases of order k.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kancli.kan.edge_sums import EdgeTerms
from kancli.kan.layer import KANLayer
from kancli.kan.splines import LocalBasis
from kancli.stats import kernels
from kancli.stats.running_moments import Array, total


class SlopeMoments(NamedTuple):
    """Means over samples."""

    square: Array  # [s]            sum_j (dy_j/dx)^2 over the outputs j, mean over the inputs x
    base: Array  # [s, i]           b'(x)^2
    products: Array  # [s, i, K, k + 1]  B_m'(x) B_{m+r}'(x), of the standardised bases where the layer has them


def slope_moments(layer: KANLayer, terms: EdgeTerms, squares: Array) -> SlopeMoments:
    """The moments of a layer's slopes.

    Args:
        terms: of `KANLayer.slope_terms`, float64, with the member axis.
        squares: of all edges' slopes, the sums over inputs and outputs, `[s, n]`.
    """
    products, base = _mean_products(terms.bases), terms.factors[-1].numpy()  # [s, i, K, k + 1], [s, n, i]
    if (standard := layer.basis_statistics) is not None:
        products = standardised(products, standard.inverse_std.numpy())
    return SlopeMoments(squares.mean(axis=1) / layer.n_in, (base**2).mean(axis=1), products)


def _mean_products(local: LocalBasis) -> Array:
    """The means over samples of B_m B_{m+r}, `[s, i, K, k + 1]`."""
    s, n, i = local.first.shape
    products = np.zeros((s, i, local.n_basis, local.k + 1))
    first = local.first.numpy()
    if (compiled := kernels.loaded(products)) is not None:
        values = np.stack([value.numpy() for value in local.values], axis=-1)  # [s, n, i, k + 1]
        compiled.basis_products(np.ascontiguousarray(first), values, products)
        return products / n
    bases = local.dense().numpy()  # [s, n, i, K]
    for r in range(min(local.k + 1, local.n_basis)):
        neighbours = bases[..., : local.n_basis - r] * bases[..., r:]
        products[..., : local.n_basis - r, r] = total(neighbours.swapaxes(0, 1))
    return products / n


def standardised(products: Array, inverse_std: Array) -> Array:
    """The means of B_m B_{m+r} `[s, i, K, k + 1]` of bases that are divided by their std.

    Args:
        inverse_std: `[s, i, K]`.
    """
    scaled = products * inverse_std[..., None]
    for r in range(min(products.shape[-1], products.shape[-2])):
        scaled[..., : products.shape[-2] - r, r] *= inverse_std[..., r:]
    return scaled
