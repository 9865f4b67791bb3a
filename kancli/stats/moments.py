"""Means, variances and covariances over samples that arrive in chunks, in float64.

Chunks are merged by the pairwise update of Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
computing sample variances" (1979), so a large mean costs no digits. All variances here are mean squared deviations
from the mean (divided by n). numpy does the sums: their bits do not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


class Moments:
    """Mean, variance and extremes over the first axis of arrays `[n, ...]`."""

    def __init__(self) -> None:
        self.n = 0
        self.mean: Array = np.zeros(())
        self.sum_squares: Array = np.zeros(())  # of deviations from the mean
        self.low: Array = np.full((), np.inf)
        self.high: Array = np.full((), -np.inf)

    def update(self, values: Array) -> Array:
        """Take in one chunk; returns its deviations from its own mean."""
        n, mean = len(values), values.mean(axis=0)
        deviation = values - mean
        total = self.n + n
        shift = mean - self.mean
        self.sum_squares = self.sum_squares + _sum_products(deviation, deviation) + shift**2 * (self.n * n / total)
        self.mean = self.mean + shift * (n / total)
        self.low, self.high = np.minimum(self.low, values.min(axis=0)), np.maximum(self.high, values.max(axis=0))
        self.n = total
        return deviation

    @property
    def variance(self) -> Array:
        """Exactly 0 where all values are equal, whatever the rounding of their mean."""
        return np.where(self.low == self.high, 0.0, self.sum_squares / self.n)


class EdgeMoments(Moments):
    """Moments of y `[n, i, o]`, and its covariance with x `[n, i]`."""

    def __init__(self) -> None:
        super().__init__()
        self.x = Moments()
        self.sum_products: Array = np.zeros(())

    def update_pair(self, x: Array, y: Array) -> None:
        n, before = len(x), self.n
        x_mean, y_mean = self.x.mean, self.mean
        dx = self.x.update(x)
        dy = self.update(y)
        # The chunk's own means, back from the merged ones.
        if before:
            x_shift = (self.x.mean - x_mean) * (self.n / n)
            y_shift = (self.mean - y_mean) * (self.n / n)
            self.sum_products = self.sum_products + x_shift[:, None] * y_shift * (before * n / self.n)
        self.sum_products = self.sum_products + _sum_products(dx[:, :, None], dy)

    @property
    def covariance(self) -> Array:
        """`[i, o]`"""
        return self.sum_products / self.n


def _sum_products(a: Array, b: Array) -> Array:
    return (a * b).sum(axis=0)
