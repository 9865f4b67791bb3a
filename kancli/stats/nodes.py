"""Moments and similarity of the nodes of one layer, over samples that arrive in chunks.

Shapes: n samples, s members (1 for a single model), j nodes.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from kancli.kan.cached import cached_property
from kancli.kan.threads import one_blas_thread
from kancli.stats import kernels
from kancli.stats.running_moments import Array, Moments, total

MIN_FREEDOM = 1e-3  # of the effective rank above 1: values closer to one variable count as one


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
        is_first = self.moments.n == 0
        array = values.contiguous().numpy()
        self._update_moments(array)
        if not self.similarity or array.shape[-1] == 1:
            return
        if is_first:
            self.shift = np.where(np.isfinite(self.moments.mean), self.moments.mean, 0.0)
        shifted, sums = self._shifted(array)
        self.sums = self.sums + sums
        with one_blas_thread():
            self.products = self.products + np.matmul(shifted.swapaxes(1, 2), shifted)

    def _update_moments(self, values: Array) -> None:
        if (compiled := kernels.loaded(values)) is None:
            self.moments.update(np.ascontiguousarray(values.swapaxes(0, 1), np.float64))
            return
        s, n, j = values.shape
        mean, squares, low, high = np.empty((4, s, j))
        compiled.node_moments(values, mean, squares, low, high)
        self.moments.merge(n, mean, squares, low, high)

    def _shifted(self, values: Array) -> tuple[Array, Array]:
        """Values counted from the shift, `[s, n, j]`; and their sums over the samples, `[s, j]`."""
        if (compiled := kernels.loaded(values)) is None:
            shifted = np.ascontiguousarray(values.swapaxes(0, 1), np.float64) - self.shift  # [n, s, j]
            return shifted.swapaxes(0, 1), total(shifted)
        shifted, sums = np.empty(values.shape), np.empty(self.shift.shape)
        compiled.shift_nodes(values, self.shift, shifted, sums)
        return shifted, sums

    @property
    def finite(self) -> Array:
        """Whether all values are finite, `[s]`."""
        return np.isfinite(self._bounds.max(axis=1))

    def first_non_finite(self, member: int) -> int:
        """The first node with a value that is not finite."""
        return int(np.flatnonzero(~np.isfinite(self._bounds[member]))[0])

    @property
    def _bounds(self) -> Array:
        """Of the sizes of a node's values, `[s, j]`; not finite where one of them is not."""
        return np.maximum(-self.moments.low, self.moments.high)

    def pooled(self) -> dict[str, Array]:
        """Statistics over all samples and nodes, `[s]` each."""
        mean, variance = self.moments.mean, self.moments.variance
        low, high = self.moments.low.min(axis=1), self.moments.high.max(axis=1)
        return {**pool(mean, variance), "node_std": np.sqrt(variance.mean(axis=1)), "min": low, "max": high}

    @cached_property
    def covariance(self) -> Array:
        """Covariances of every two nodes over the samples, `[s, j, j]`; computed once, after the last update."""
        variance = self.moments.variance
        if variance.shape[1] == 1:
            return variance[:, :, None]
        mean = self.sums / self.moments.n
        return self.products / self.moments.n - mean[:, :, None] * mean[:, None, :]

    @property
    def effective_rank(self) -> Array:
        """(tr C)^2 / sum_jk C_jk^2, `[s]`."""
        variance = self.moments.variance
        if variance.shape[1] == 1:
            return np.where(variance[:, 0] > 0, 1.0, np.nan)
        return variance.sum(axis=1) ** 2 / (self.covariance.reshape(len(variance), -1) ** 2).sum(axis=1)

    @property
    def correlations(self) -> tuple[Array, Array]:
        """|C_jk| / sqrt(C_jj C_kk), `[s, j, j]`, 0 but for pairs of nodes that both vary; and the number of these."""
        spread = np.sqrt(self.moments.variance)
        scale = spread[:, :, None] * spread[:, None, :]
        pairs = (scale != 0) & ~np.eye(scale.shape[1], dtype=bool)
        correlations = np.where(pairs, np.minimum(np.abs(self.covariance) / scale, 1.0), 0.0)
        return correlations, pairs.sum(axis=(1, 2))

    def similarity_statistics(self) -> dict[str, object]:
        """Similarity of the nodes, `[s]` each; with C the covariance of the nodes' values over the samples, `[j, j]`.

        `correlation`: mean and max of |C_jk| / sqrt(C_jj C_kk) over all pairs of nodes that both vary.
        `effective_rank`: (tr C)^2 / sum_jk C_jk^2, the participation ratio of the eigenvalues of C: 1 where all nodes
            are perfectly correlated, their number where none are correlated and all have one variance.
        """
        correlations, count = self.correlations
        correlations = correlations.reshape(len(count), -1)
        return {
            "correlation": {
                "mean": correlations.sum(axis=1) / count,
                "max": np.where(count > 0, correlations.max(axis=1), np.nan),
            },
            "effective_rank": self.effective_rank,
        }


def node_distance(entering: NodeValues, leaving: NodeValues) -> Array:
    """How far the nodes leaving a layer are from being one function, `[s]`.

    sqrt((1 / m - 1) / (r - 1)), m the mean over pairs of nodes leaving of their squared correlation, r the effective
    rank of the values entering: the tangent of a typical angle between two nodes, over that of nodes with independent
    weights, for which E[m] = 1 / r. 0 where all nodes are one function, about 1 where they are independent. NaN where
    the values entering are one variable, of which all nodes are functions, or where no two nodes vary.
    """
    correlations, count = leaving.correlations
    similarity = (correlations**2).reshape(len(count), -1).sum(axis=1) / count
    freedom = entering.effective_rank - 1
    return np.sqrt(np.maximum(1 / similarity - 1, 0.0) / np.where(freedom > MIN_FREEDOM, freedom, np.nan))


def pool(mean: Array, variance: Array) -> dict[str, Array]:
    """Mean, std and rms over samples and entries, from mean and variance of each entry: `[s, ...]` to `[s]`."""
    means = mean.reshape(len(mean), -1)
    centre = means.mean(axis=1)
    spread = (variance.reshape(means.shape) + (means - centre[:, None]) ** 2).mean(axis=1)
    return {"mean": centre, "std": np.sqrt(spread), "rms": np.sqrt(spread + centre**2)}
