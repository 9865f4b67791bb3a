"""The budget of a layer for the samples of a run.

Shapes: n samples, s members (1 for a single model), i inputs, o outputs, K bases of order k.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kancli.kan.layer import KANLayer
from kancli.kan.threads import one_blas_thread
from kancli.stats.budgets import (
    MAX_BASES,
    EdgeLaw,
    InputMoments,
    LayerLaw,
    Variance,
    backward_budget,
    budget,
    combined_variances,
)
from kancli.stats.edge_moments import BasisMoments
from kancli.stats.law_distance import Declared
from kancli.stats.parameters import as_array, edges_that_are_on
from kancli.stats.running_moments import Array, total
from kancli.stats.slopes import SlopeMoments, standardised

TENSORS = {"scale_base", "scale_sp", "coef"}  # a layer without a law of each has no budget


class LayerBudget:
    """Accumulates the sums of b(x) over a layer's inputs; `squares` and `backward` return the budgets.

    The values entering are taken as they are: a budget is over the draws of this layer's parameters alone.

    Args:
        declared: what the scheme declares, by tensor.
    """

    def __init__(self, layer: KANLayer, declared: Mapping[str, Declared]) -> None:
        self.layer, self.n_members = layer, layer.n_members or 1
        self.law, self.variances = None, []
        if declared.keys() >= TENSORS and layer.coef.shape[-1] <= MAX_BASES:
            self.law, self.variances = _laws(declared, self.n_members)
        is_on = edges_that_are_on(layer).astype(float)
        self.is_on = is_on[..., :1] if layer.mask is None else is_on  # [s, i, o], or [s, i, 1] for equal outputs
        self.sums: Array = np.zeros((self.n_members, 2))  # of sum_i b(x_i) and of its square, means over outputs

    def update(self, base: Array) -> None:
        """Accumulate one chunk of b(x), `[s, n, i]`."""
        if self.law is None or not np.any(self.law.base_mean):
            return
        with one_blas_thread():
            sums = np.matmul(base.astype(np.float64), self.is_on).swapaxes(0, 1)  # [n, s, o]
        self.sums = self.sums + total(np.stack([sums.mean(axis=2), (sums**2).mean(axis=2)], axis=-1))

    def squares(self, basis: BasisMoments) -> dict[str, Array]:
        """`law`, E[y^2] of a node's value y, and `base` and `spline`, their parts of it, `[s]` each."""
        if self.law is None:
            return {name: np.full(self.n_members, np.nan) for name in ("law", "base", "spline")}
        means = basis.means()
        products, subtracted = means.products, None
        if (standard := self.layer.basis_statistics) is not None:
            inverse_std = as_array(standard.inverse_std).reshape(means.bases.shape)
            products, subtracted = standardised(products, inverse_std), means.bases * inverse_std
        inputs = InputMoments(
            *(self.sums / basis.n).T,
            base_square=self._over_edges(means.base_square),
            spline_variance=self._over_edges(combined_variances(self.variances, products, subtracted)),
        )
        return dict(zip(("law", "base", "spline"), map(np.asarray, budget(self.law, inputs)), strict=True))

    def backward(self, slopes: SlopeMoments) -> Array:
        """E[sum_j (dy_j/dx)^2], the mean over inputs x, `[s]`."""
        if self.law is None:
            return np.full(self.n_members, np.nan)
        variances = combined_variances(self.variances, slopes.products)
        # A mean over inputs of sums over outputs, from means over outputs of sums over inputs.
        base, spline = (self._over_edges(v) * self.layer.n_out / self.layer.n_in for v in (slopes.base, variances))
        return np.asarray(backward_budget(self.law, base, spline))

    def _over_edges(self, values: Array) -> Array:
        """Sum over the inputs that an edge joins to an output, mean over outputs; `[s, i]` to `[s]`."""
        return (values * self.is_on.mean(axis=2)).sum(axis=1)


def _laws(declared: Mapping[str, Declared], n_members: int) -> tuple[LayerLaw, list[Variance | None]]:
    """The moments of the laws, and the variance of a sum of coefficients for each member."""
    edges = {name: law.edge for name, law in declared.items()}
    coef = edges["coef"]
    if not isinstance(coef, np.ndarray):  # one scheme for all members
        return LayerLaw.of(edges), [_combined_variance(coef)] * n_members  # pyright: ignore[reportArgumentType]
    moments, members = {}, []  # by the laws, which many members share
    for laws in zip(*edges.values(), strict=True):  # pyright: ignore[reportArgumentType]
        key = tuple(map(id, laws))
        if key not in moments:
            moments[key] = LayerLaw.of(dict(zip(edges, laws, strict=True)))
        members.append(moments[key])
    return LayerLaw.of_members(members), [_combined_variance(law) for law in coef]


def _combined_variance(law: EdgeLaw | None) -> Variance | None:
    return None if law is None else law.combined_variance
