"""Normal scores: the entries of a tensor as numbers that are N(0, 1) and independent if the entries follow their law.

Each law maps its entries by its own distribution function: a score is the normal quantile of the share below an entry.
So sums of scores have exact distributions for tensors of any size, normal for their mean, chi-square for their squares.

Shapes: s members, n scores of one member; `...` the axes of the tensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

BLOCK_NUMBERS = 2**20  # entries whose scores are held at a time
ROUNDINGS = 4  # an entry may lie this many roundings beyond the bounds of its law
MIN_RESOLUTION = 1e-4  # a law is not tested where one rounding is more than this share of its width
MIN_SHARE = 2.0**-54  # smallest share of a distribution, as float64 resolves it


@runtime_checkable
class Scored(Protocol):
    """A law that knows its normal scores."""

    def rows(self, block: slice) -> Scored: ...

    def normal_scores(self, values: np.ndarray, eps: float) -> np.ndarray:
        """Normal scores of the entries: `[s, ...]` to `[s, n]`, infinite for entries that the law cannot give.

        Args:
            eps: relative rounding of the entries.
        """
        ...


def score_sums(law: object, values: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Sums of the normal scores of tensors `[s, ...]`, of their squares, and the number of scores of one tensor.

    The number is less than that of the entries where these depend on one another, and 0 for a law without randomness.
    A sum is infinite where an entry is impossible under the law.

    Args:
        eps: relative rounding of the entries.

    Returns:
        `[s]`, `[s]` and the number; None for a law that does not know its scores.
    """
    import numpy as np

    if not isinstance(law, Scored):
        return None
    n_rows = max(1, BLOCK_NUMBERS // max(1, values[:, :1].size))
    total, squares, count = np.zeros(len(values)), np.zeros(len(values)), 0
    for start in range(0, values.shape[1], n_rows):
        rows = slice(start, start + n_rows)
        scores = np.ascontiguousarray(law.rows(rows).normal_scores(values[:, rows], eps))
        total += scores.sum(axis=1)
        squares += (scores * scores).sum(axis=1)
        count += scores.shape[1]
    return total, squares, count


def where_possible(scores: np.ndarray, possible: np.ndarray) -> np.ndarray:
    """Scores `[s, n]`, or infinity for members with an entry that is not `possible` `[s, ...]` under the law."""
    import numpy as np

    return np.where(possible.reshape(len(scores), -1).all(axis=1, keepdims=True), scores, np.inf)


def constant_scores(values: np.ndarray, value: float, eps: float) -> np.ndarray:
    """The scores of entries that are all `value` up to rounding: none; infinite for members where they are not."""
    import numpy as np

    possible = abs(values - value) <= ROUNDINGS * eps * abs(value)
    if possible.all():
        return np.zeros((len(values), 0))
    return where_possible(np.full((len(values), 1), np.nan), possible)


def unresolved_scores(values: np.ndarray) -> np.ndarray:
    """The scores of entries whose law is finer than their rounding: none."""
    import numpy as np

    return np.zeros((len(values), 0))


def resolves(magnitude: float, width: float, eps: float) -> bool:
    """Whether numbers of that magnitude, rounded by a share `eps`, show a distribution of that width."""
    return eps * magnitude <= MIN_RESOLUTION * width


def uniform_scores(values: np.ndarray, low: float, high: float, slack: float) -> np.ndarray:
    """Normal scores of values that are uniform in [low, high].

    Args:
        slack: values this far beyond the bounds count as rounded.
    """
    import numpy as np
    import torch

    shares = (values - low) / (high - low)
    margin = max(slack / (high - low), MIN_SHARE)
    scores = torch.special.ndtri(torch.from_numpy(np.clip(shares, margin, 1 - margin))).numpy()
    return np.where((shares < -margin) | (shares > 1 + margin), np.inf, scores).reshape(len(values), -1)
