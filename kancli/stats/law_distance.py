"""How far drawn parameters lie from their law, as normal deviates, and how likely that is by chance.

Shapes: s members (1 for a single model); `...` the axes of a tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from kancli.stats.budgets import EdgeLaw
from kancli.stats.network_stats import LayerStats
from kancli.stats.running_moments import Array

MAX_Z = 38.0  # as far as float64 has probabilities: 6e-316 lies beyond

# From tensors `[s, ...]` to the sums over each tensor of numbers that are independent and N(0, 1) under its law, and of
# their squares, `[s]` each, and how many these are. The sums are not finite where an entry is impossible under the law,
# and the number is 0 for a law without randomness; None for a law that gives no such numbers.
Scores = Callable[[Array], tuple[Array, Array, int] | None]


class Declared(NamedTuple):
    """What a scheme's law declares for one tensor; `[s]` where members have schemes of their own."""

    mean: float | Array
    std: float | Array
    mean_error: float | Array  # standard error of the mean of all entries
    variance_error: float | Array  # standard error of the mean squared distance of all entries from the declared mean
    scores: Scores | Array
    edge: EdgeLaw | Array | None = None  # the law of the entries on one edge; None where it differs from edge to edge


@np.errstate(all="ignore")
def distances_from_law(tensors: Array, law: Declared) -> tuple[Array, Array]:
    """`z` and `z_std` of tensors `[s, ...]`, `[s]` each: independent and N(0, 1) under the law, for any size of tensor.

    `z` is the mean of the normal scores in standard errors; `z_std` the normal quantile of the chi-square probability
    of their variance. Both are at most `MAX_Z`, which also stands for entries that are impossible under the law, and
    NaN for a law without randomness. A law that has no scores is tested by its mean and mean square, which are near
    normal for large tensors.
    """
    if not isinstance(law.scores, np.ndarray):
        return _of_scores(tensors, law.scores) or _of_moments(tensors, law)
    members = []
    for index in range(len(tensors)):
        of_member = Declared(*(np.asarray(field)[index] for field in law))
        members.append(distances_from_law(tensors[index : index + 1], of_member))
    z, z_std = zip(*members, strict=True)
    return np.concatenate(z), np.concatenate(z_std)


def _of_scores(tensors: Array, scores: Scores) -> tuple[Array, Array] | None:
    if (sums := scores(tensors)) is None:
        return None
    total, squares, n = sums
    n = n or math.nan
    impossible = np.isinf(squares) & np.isfinite(tensors.reshape(len(tensors), -1)).all(axis=1)
    z, z_std = total / math.sqrt(n), _chi_square_z(np.maximum(squares - total**2 / n, 0.0), n - 1)
    return _limited(z, impossible), _limited(z_std, impossible)


def _limited(z: Array, impossible: Array) -> Array:
    return np.where(impossible, MAX_Z, np.clip(z, -MAX_Z, MAX_Z))


def _chi_square_z(value: Array, n: float) -> Array:
    """The normal quantile of the probability that chi-square with n degrees of freedom is below a value; NaN for 0."""
    import torch  # here, so that verdicts of recorded runs are read without it

    half, shape = torch.from_numpy(value / 2), torch.tensor(n / 2, dtype=torch.float64)
    below, above = torch.special.gammainc(shape, half), torch.special.gammaincc(shape, half)
    z = torch.where(below < above, torch.special.ndtri(below), -torch.special.ndtri(above)).numpy()
    return z if n else np.full(z.shape, math.nan)


def _of_moments(tensors: Array, law: Declared) -> tuple[Array, Array]:
    values = tensors.reshape(len(tensors), -1)
    mean, std, mean_error, variance_error = (np.asarray(number, np.float64) for number in law[:4])
    square, variance = ((values - mean) ** 2).mean(axis=1), std**2
    # A cube root makes a chi-square nearly normal (Wilson and Hilferty 1931).
    spread = (variance_error / variance) ** 2 / 9  # 2/(9 nu), 2/nu being the square of the relative error
    z_std = (np.cbrt(square / variance) - (1 - spread)) / np.sqrt(spread)
    return (values.mean(axis=1) - mean) / mean_error, z_std


def chance_probabilities(layers: Sequence[LayerStats]) -> dict[str, float]:
    """By tensor and statistic, the probability that some draw of the run is as far off its law by chance.

    Two-sided, and by Sidak (1967) for all tests of the run: for each mean and std of a tensor the sum of all members'
    deviates and, of an ensemble, each member's own. The places without randomness have none.
    """
    tests = {place: z[np.isfinite(z)] for place, z in _deviates(layers) if np.isfinite(z).any()}
    n_tests = sum(len(z) + (len(z) > 1) for z in tests.values())
    return {place: _probability_of_any(_most_extreme(z), n_tests) for place, z in tests.items()}


def _deviates(layers: Sequence[LayerStats]) -> Iterator[tuple[str, Array]]:
    for number, layer in enumerate(layers):
        for name, entry in layer.layer.items():
            if isinstance(entry, dict) and "z" in entry:
                yield f"mean of layer {number}'s {name}", entry["z"]
                yield f"std of layer {number}'s {name}", entry["z_std"]


def _most_extreme(z: Array) -> float:
    return max(abs(z).max(), abs(z.sum()) / math.sqrt(len(z)))


def _probability_of_any(z: float, n_tests: int) -> float:
    """The probability that any of so many independent normal deviates is at least that far from 0."""
    probability = math.erfc(z / math.sqrt(2))  # two-sided
    return -math.expm1(n_tests * math.log1p(-probability)) if probability < 1 else 1.0
