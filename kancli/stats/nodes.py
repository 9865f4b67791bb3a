"""Moments and similarity of the nodes of one layer, over samples that arrive in chunks.

Shapes: n samples, s members (1 for a single model), j nodes.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from kancli.kan.threads import one_blas_thread
from kancli.stats.running_moments import Array, Moments, total


class NodeValues:
    """The values of the nodes between two layers, or before the first, or after the last.

    Args:
        similarity: also accumulate the products of every two nodes, which `similarity_statistics` needs.
    """

    def __init__(self, *, similarity: bool) -> None:
        self.similarity = similarity
        self.moments = Moments()
        self.shift: Array = np.zeros(())
        self.products: Array = np.zeros(())  # [s, j, j], of values counted from the shift
        self.sums: Array = np.zeros(())  # [s, j]

    def update(self, values: Tensor) -> None:
        """Accumulate one chunk, `[s, n, j]`."""
        array = values.transpose(0, 1).double().contiguous().numpy()  # [n, s, j]
        self.moments.update(array)
        if not self.similarity or values.shape[-1] == 1:
            return
        if self.moments.n == len(array):
            self.shift = np.where(np.isfinite(self.moments.mean), self.moments.mean, 0.0)
        shifted = array - self.shift
        self.sums = self.sums + total(shifted)
        columns = shifted.swapaxes(0, 1)  # [s, n, j]
        with one_blas_thread():
            self.products = self.products + np.matmul(columns.swapaxes(1, 2), columns)

    @property
    def finite(self) -> Array:
        """Whether all values are finite, `[s]`."""
        return np.isfinite((self.moments.low + self.moments.high).sum(axis=1))

    def first_non_finite(self, member: int) -> int:
        """The first node with a value that is not finite."""
        sums = self.moments.low[member] + self.moments.high[member]
        return int(np.flatnonzero(~np.isfinite(sums))[0])

    def pooled(self) -> dict[str, Array]:
        """Statistics over all samples and nodes, `[s]` each."""
        mean, variance = self.moments.mean, self.moments.variance
        return {**pool(mean, variance), "min": self.moments.low.min(axis=1), "max": self.moments.high.max(axis=1)}

    def similarity_statistics(self) -> dict[str, object]:
        """Similarity of the nodes, `[s]` each; with C the covariance of the nodes' values over the samples, `[j, j]`.

        `correlation`: mean and max of |C_jk| / sqrt(C_jj C_kk) over all pairs of nodes that both vary.
        `effective_rank`: (tr C)^2 / sum_jk C_jk^2, the participation ratio of the eigenvalues of C: 1 where all nodes
            are perfectly correlated, their number where none are correlated and all have one variance.
        """
        variance = self.moments.variance
        s, n_nodes = variance.shape
        if n_nodes == 1:
            undefined = np.full(s, np.nan)
            return {
                "correlation": {"mean": undefined, "max": undefined},
                "effective_rank": np.where(variance[:, 0] > 0, 1.0, np.nan),
            }
        n = self.moments.n
        mean = self.sums / n
        covariance = self.products / n - mean[:, :, None] * mean[:, None, :]
        spread = np.sqrt(variance)
        scale = spread[:, :, None] * spread[:, None, :]
        pairs = (scale != 0) & ~np.eye(n_nodes, dtype=bool)
        correlation = np.where(pairs, np.minimum(np.abs(covariance) / scale, 1.0), 0.0).reshape(s, -1)
        count = pairs.reshape(s, -1).sum(axis=1)
        return {
            "correlation": {
                "mean": correlation.sum(axis=1) / count,
                "max": np.where(count > 0, correlation.max(axis=1), np.nan),
            },
            "effective_rank": variance.sum(axis=1) ** 2 / (covariance.reshape(s, -1) ** 2).sum(axis=1),
        }


def pool(mean: Array, variance: Array) -> dict[str, Array]:
    """Mean, std and rms over samples and entries, from mean and variance of each entry: `[s, ...]` to `[s]`."""
    means = mean.reshape(len(mean), -1)
    centre = means.mean(axis=1)
    spread = (variance.reshape(means.shape) + (means - centre[:, None]) ** 2).mean(axis=1)
    return {"mean": centre, "std": np.sqrt(spread), "rms": np.sqrt(spread + centre**2)}
