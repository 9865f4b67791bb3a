"""Means, variances and extremes over samples that arrive in chunks, in float64.

Shapes: n samples, s members. Samples come first here, so that sums over them run over contiguous rows.
Chunks are merged by the pairwise update of Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
computing sample variances" (1979), so a large mean costs no digits. All variances here are mean squared deviations
from the mean (divided by n). A sum has the same bits for any number of threads and of columns.
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
        """Accumulate one chunk."""
        mean = total(values) / len(values)
        deviation = values - mean
        self.merge(len(values), mean, total(deviation * deviation), values.min(axis=0), values.max(axis=0))

    def merge(self, n: int, mean: Array, sum_squares: Array, low: Array, high: Array) -> None:
        """Accumulate the moments of n further samples."""
        n_now = self.n + n
        shift = mean - self.mean
        self.sum_squares = self.sum_squares + sum_squares + shift**2 * (self.n * n / n_now)
        self.mean = self.mean + shift * (n / n_now)
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        self.n = n_now

    @property
    def variance(self) -> Array:
        """Exactly 0 where all values are equal, whatever the rounding of their mean."""
        return np.where(self.low == self.high, 0.0, self.sum_squares / self.n)


def total(values: Array) -> Array:
    """Sum over the first axis in the order of the samples; numpy would sum a single column pairwise."""
    if values.size == len(values) > 0:
        return np.add.accumulate(values, axis=0, dtype=np.float64)[-1]
    return values.sum(axis=0, dtype=np.float64)


def distinct(values: Array) -> Array:
    """Values `[s, ...]` of members, or those of the first, `[1, ...]`, where all members are views of the same."""
    return values if values.strides[0] else values[:1]


def blocks(members: int, inputs: int, numbers: int, max_numbers: int) -> Iterator[tuple[slice, slice]]:
    """Split members and inputs into blocks of at most `max_numbers` numbers.

    A block has some members with all their inputs, or some inputs of one member.

    Args:
        numbers: per input of a member.
    """
    n_members = max(1, max_numbers // (numbers * inputs))
    n_inputs = inputs if n_members > 1 else max(1, max_numbers // numbers)
    for member, start in itertools.product(range(0, members, n_members), range(0, inputs, n_inputs)):
        yield slice(member, member + n_members), slice(start, start + n_inputs)
