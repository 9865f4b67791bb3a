"""Mean and standard deviation of the basis functions over samples, for layers that standardise their bases.

Shapes: s members, n samples, i inputs, K = G + k basis functions; `[(s,) ...]` is an axis of ensembles only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kancli.kan.splines import LocalBasis

STANDARD_EPS = 1e-5  # added to the variance of a basis, as in jaxKAN
STANDARDISED = "standardised_bases"  # in the metadata of a model's tensors, which do not show it


@dataclass(frozen=True)
class BasisStatistics:
    """Mean and 1/sqrt(var + 1e-5) of each basis over samples, `[(s,) i, K]`."""

    mean: Tensor
    inverse_std: Tensor

    @classmethod
    def of(cls, chunks: Sequence[LocalBasis]) -> BasisStatistics:
        """Statistics over all samples of some chunks; the variance is the mean squared deviation."""
        # Sums in float64: a basis's mean square is about as great as its variance, so the difference is exact enough.
        n_samples = sum(chunk.first.shape[-2] for chunk in chunks)
        dense = [chunk.dense() for chunk in chunks]  # [(s,) n, i, K]
        mean = torch.stack([values.sum(-3, dtype=torch.float64) for values in dense]).sum(0) / n_samples
        square = torch.stack([values.double().square().sum(-3) for values in dense]).sum(0) / n_samples
        inverse_std = (square - mean.square()).clamp_min(0).add(STANDARD_EPS).rsqrt()
        return cls(mean.to(dense[0].dtype), inverse_std.to(dense[0].dtype))
