"""Means, variances and extremes over samples that arrive in chunks, in float64.

Shapes: n samples, s members. Samples come first here, so that sums over them run along memory.
Chunks are merged by the pairwise update of Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
computing sample variances" (1979), so a large mean costs no digits. All variances here are mean squared deviations
from the mean (divided by n). The bits of a sum depend neither on the number of threads nor on what is summed beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

Array = np.ndarray


class Moments:
    """Mean, variance and extremes over the samples of arrays `[n, s, ...]`; each result is `[s, ...]`."""

    def __init__(self) -> None:
        self.n = 0
        self.mean: Array = np.zeros(())
        self.sum_squares: Array = np.zeros(())  # of deviations from the mean
        self.low: Array = np.full((), np.inf)
        self.high: Array = np.full((), -np.inf)

    def update(self, values: Array) -> None:
        """Take in one chunk."""
        n, mean = len(values), total(values) / len(values)
        low, high = values.min(axis=0), values.max(axis=0)
        deviation = values - mean
        n_now = self.n + n
        shift = mean - self.mean
        self.sum_squares = self.sum_squares + total(deviation * deviation) + shift**2 * (self.n * n / n_now)
        self.mean = self.mean + shift * (n / n_now)
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        self.n = n_now

    @property
    def variance(self) -> Array:
        """Exactly 0 where all values are equal, whatever the rounding of their mean."""
        return np.where(self.low == self.high, 0.0, self.sum_squares / self.n)


def total(values: Array) -> Array:
    """The sum over the first axis, sample after sample: numpy would sum a single column in another order."""
    if values.size == len(values) > 0:
        return np.add.accumulate(values, axis=0, dtype=np.float64)[-1]
    return values.sum(axis=0, dtype=np.float64)


def blocks(members: int, inputs: int, numbers: int, most: int) -> Iterator[tuple[slice, slice]]:
    """Some members and all inputs at a time, or one member and some inputs: at most so many numbers, where each input
    of each member has `numbers`."""
    n_members = max(1, most // (numbers * inputs))
    n_inputs = inputs if n_members > 1 else max(1, most // numbers)
    for member, start in itertools.product(range(0, members, n_members), range(0, inputs, n_inputs)):
        yield slice(member, member + n_members), slice(start, start + n_inputs)
