"""Moments of the slopes of b(x) and of the bases over samples, for budgets of the gradient.

Shapes: s members (1 for a single model), n samples, i inputs, o outputs, K bases of order k.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from kancli.kan.base_functions import derivative_of
from kancli.kan.edge_sums import apply_elementwise
from kancli.kan.layer import KANLayer

Array = np.ndarray


class SlopeMoments(NamedTuple):
    """Means over samples."""

    square: Array  # [s]            sum_j (dy_j/dx)^2 over the outputs j, mean over the inputs x
    base: Array  # [s, i]           b'(x)^2
    products: Array  # [s, i, K, k + 1]  B_m'(x) B_{m+r}'(x), of the standardised bases where the layer has them


def slope_moments(layer: KANLayer, x: Tensor, squares: Array) -> SlopeMoments:
    """The moments of a layer at the samples x `[s, n, i]`, float64.

    Args:
        squares: of all edges' slopes, the sums over inputs and outputs, `[s, n]`.
    """
    bases = layer.local_basis(x, derivative=1).dense().numpy()  # [s, n, i, K]
    products = np.zeros((len(x), *bases.shape[2:], layer.k + 1))
    for r in range(min(layer.k + 1, layer.n_basis)):
        products[..., : layer.n_basis - r, r] = (bases[..., : layer.n_basis - r] * bases[..., r:]).mean(axis=1)
    if (standard := layer.basis_statistics) is not None:
        products = standardised(products, standard.inverse_std.numpy())
    base = apply_elementwise(derivative_of(layer.base_fun), x).numpy()
    return SlopeMoments(squares.mean(axis=1) / layer.n_in, (base**2).mean(axis=1), products)


def standardised(products: Array, inverse_std: Array) -> Array:
    """The means of B_m B_{m+r} `[s, i, K, k + 1]` of bases that are divided by their std.

    Args:
        inverse_std: `[s, i, K]`.
    """
    scaled = products * inverse_std[..., None]
    for r in range(min(products.shape[-1], products.shape[-2])):
        scaled[..., : products.shape[-2] - r, r] *= inverse_std[..., r:]
    return scaled
