"""Bootstrap intervals of means over pairs, within tasks.

Shapes: c comparisons, n pairs of a task, t tasks, b resamples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from kancli.seeding import stream

Array = np.ndarray

RESAMPLES = 2000
BLOCK = 32  # resamples at a time, whose sums stay in the cache: half the time of all at once
TRIMMED = 0.25  # at either end, for the interquartile mean
PURPOSE = "ranking/bootstrap"


@dataclass(frozen=True)
class Estimate:
    """Means of logs, `[...]`, and their 95 % intervals; NaN without two pairs."""

    mean: Array
    low: Array
    high: Array


def resample_counts(sizes: Sequence[int], n_resamples: int = RESAMPLES) -> list[Array]:
    """How often each pair of each task occurs in each resample, `[b, n]` by task: all comparisons share them.

    The stream is private and fixed, so that a ranking is repeatable.
    """
    generator = stream(0, PURPOSE)
    return [generator.multinomial(size, np.full(size, 1 / size), n_resamples).astype(float) for size in sizes]


def estimate_tasks(ratios: Sequence[Array], counts: Sequence[Array]) -> tuple[list[Estimate], Estimate]:
    """The mean of logs on each task, and over tasks; tasks count alike, and pairs are resampled within each.

    Intervals are percentile intervals that are expanded for small samples (Hesterberg 2015): a resample of n pairs
    varies by (n - 1)/n too little, and the quantiles are those of Student's t. Over tasks the degrees of freedom are
    those of Welch and Satterthwaite.

    Args:
        ratios: `[c, n]` logs by task; NaN where a pair lacks one side.
        counts: `[b, n]` by task.

    Returns:
        An estimate `[c]` for each task, and one over the tasks on which a comparison has pairs.
    """
    by_task, moments = [], []
    total, n_tasks = np.zeros((1, len(ratios[0]))), np.zeros(len(ratios[0]))
    for logs, count in zip(ratios, counts, strict=True):
        resampled, n = _resampled_means(logs, count), (~np.isnan(logs)).sum(1)
        mean, variance = _mean_and_variance(logs)
        inflation = np.sqrt(n / np.maximum(n - 1, 1))
        by_task.append(Estimate(mean, *_quantiles(resampled, inflation, n - 1.0)))
        is_there = n > 0
        total = total + np.where(is_there, resampled, 0.0)
        n_tasks = n_tasks + is_there
        moments.append((mean, variance, n))
    means, variances, sizes = map(np.array, zip(*moments, strict=True))
    inflation, freedom = _of_strata(variances, sizes)
    with np.errstate(all="ignore"):
        mean = np.where(sizes > 0, means, 0.0).sum(0) / n_tasks
        overall = Estimate(mean, *_quantiles(total / n_tasks, inflation, freedom))
    return by_task, overall


def _resampled_means(logs: Array, counts: Array) -> Array:
    """`[b, c]`; a resample without a pair of a comparison has the mean of its pairs."""
    is_there = ~np.isnan(logs)
    filled = np.where(is_there, logs, 0.0)
    if is_there.all():
        return counts @ filled.T / logs.shape[1]
    with np.errstate(all="ignore"):
        means, whole = (counts @ filled.T) / (counts @ is_there.T), filled.sum(1) / is_there.sum(1)
    return np.where(np.isnan(means), whole, means)


def _mean_and_variance(logs: Array) -> tuple[Array, Array]:
    """The mean and the variance (divided by n - 1) of each row's numbers, `[c]`; NaN without enough of them."""
    is_there = ~np.isnan(logs)
    n = is_there.sum(1)
    with np.errstate(all="ignore"):
        mean = np.where(is_there, logs, 0.0).sum(1) / n
        variance = np.where(is_there, (logs - mean[:, None]) ** 2, 0.0).sum(1) / (n - 1)
    return mean, np.where(n > 1, variance, math.nan)


@np.errstate(all="ignore")
def _of_strata(variances: Array, sizes: Array) -> tuple[Array, Array]:
    """The factor by which the mean over tasks varies more than its resamples, and its degrees of freedom, `[c]`.

    NaN where a task has one pair only: nothing says how it varies.

    Args:
        variances, sizes: `[t, c]`.
    """
    shares = np.where(sizes > 0, variances / sizes, 0.0)
    total = shares.sum(0)
    inflation = np.sqrt(total / (shares * (sizes - 1) / np.maximum(sizes, 1)).sum(0))
    freedom = total**2 / np.where(sizes > 1, shares**2 / (sizes - 1), 0.0).sum(0)
    is_constant = total == 0
    return np.where(is_constant, 1.0, inflation), np.where(is_constant, (sizes - 1).sum(0), freedom)


@np.errstate(all="ignore")
def _quantiles(resampled: Array, inflation: Array, freedom: Array) -> tuple[Array, Array]:
    """The ends of the expanded 95 % interval of each column of `[b, c]`; NaN without degrees of freedom."""
    is_defined = np.isfinite(inflation) & (freedom > 0) & np.isfinite(resampled).all(0)
    level = ndtr(inflation * stdtrit(np.where(is_defined, freedom, 1.0), 0.025))
    ordered = np.sort(resampled, axis=0)
    low, high = (_at(ordered, np.where(is_defined, share, 0.5)) for share in (level, 1 - level))
    return np.where(is_defined, low, math.nan), np.where(is_defined, high, math.nan)


def _at(ordered: Array, shares: Array) -> Array:
    """The quantile of each sorted column at a share of its own, interpolated linearly."""
    position = shares * (len(ordered) - 1)
    below = np.floor(position).astype(int)
    above, columns = np.minimum(below + 1, len(ordered) - 1), np.arange(ordered.shape[1])
    part = position - below
    return ordered[below, columns] * (1 - part) + ordered[above, columns] * part


def interquartile_mean(logs: Array, counts: Array | None = None) -> Array:
    """The mean without the lowest and the highest quarter of the numbers, each weighed by its count.

    As `scipy.stats.trim_mean` at 0.25 of the numbers repeated count times.

    Args:
        logs: `[n]`, finite.
        counts: `[b, n]` whole numbers; None for one each.

    Returns:
        `[b]`; `[1]` without counts. NaN where all counts are 0.
    """
    order = np.argsort(logs, kind="stable")
    counts = np.ones((1, len(logs))) if counts is None else counts
    blocks = range(0, len(counts), BLOCK)
    return np.concatenate([_interquartile_mean(logs[order], counts[at : at + BLOCK].T[order]) for at in blocks])


@np.errstate(invalid="ignore")
def _interquartile_mean(ordered: Array, weights: Array) -> Array:
    """`[b]`, of sorted numbers `[n]` and their weights `[n, b]`, in which sums of rows are fast."""
    ends = np.cumsum(weights, axis=0)
    total = ends[-1].copy()
    cut = np.floor(TRIMMED * total)
    np.clip(ends, cut, total - cut, out=ends)
    # The sum of logs by what each adds to the kept counts, with the differences taken of the logs, which are fewer.
    sums = ordered[-1] * (total - cut) - ordered[0] * cut - np.diff(ordered) @ ends[:-1]
    return sums / (total - 2 * cut)
