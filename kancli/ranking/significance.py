"""Tests over tasks as blocks, and the smallest p that a number of tasks can reach. scipy does the tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

Array = np.ndarray

LEVEL = 0.05
N_FACTORS = 41  # of a performance profile


def mean_ranks(means: Array) -> Array:
    """The mean over tasks of each scheme's rank, 1 for the lowest mean; ties share their mean rank, `[k]`.

    Args:
        means: `[t, k]`.
    """
    return stats.rankdata(means, axis=1).mean(0)


def friedman(means: Array) -> tuple[float, float]:
    """Statistic and p of the Friedman test of `[t, k]`, by its chi-square approximation.

    Without any difference the statistic is 0 and p is 1.
    """
    if (means == means[:, :1]).all():  # where scipy divides by 0
        return 0.0, 1.0
    statistic, p = stats.friedmanchisquare(*means.T)
    return float(statistic), float(p)


def smallest_friedman_p(n_tasks: int, n_schemes: int) -> float:
    """The p of the Friedman test where all tasks agree on the order of all schemes."""
    return float(stats.chi2.sf(n_tasks * (n_schemes - 1), n_schemes - 1))


def critical_difference(n_tasks: int, n_schemes: int) -> float:
    """The difference of two mean ranks that the Nemenyi test finds at 5 % (Demšar 2006): q sqrt(k(k + 1)/(6 t)), q the
    quantile of the studentized range over sqrt(2)."""
    q = stats.studentized_range.ppf(1 - LEVEL, n_schemes, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(n_schemes * (n_schemes + 1) / (6 * n_tasks)))


def groups_within(ranks: Sequence[float], difference: float) -> list[list[int]]:
    """The largest groups of two or more schemes whose mean ranks differ by less than `difference`, best first."""
    order = sorted(range(len(ranks)), key=lambda scheme: ranks[scheme])
    groups: list[list[int]] = []
    for begin, first in enumerate(order):
        group = [scheme for scheme in order[begin:] if ranks[scheme] - ranks[first] < difference]
        if len(group) > 1 and not (groups and set(group) <= set(groups[-1])):
            groups.append(group)
    return groups


def signed_rank_p(differences: Array) -> float:
    """The two-sided p of Wilcoxon's signed-rank test of `[t]`; 1 where all are 0."""
    if not np.any(differences):
        return 1.0
    _, p = stats.wilcoxon(differences)  # exact for few tasks
    return float(p)  # pyright: ignore[reportArgumentType]


def smallest_signed_rank_p(n_tasks: int) -> float:
    """The two-sided p of the signed-rank test where all tasks agree; half of it is one-sided."""
    return min(1.0, 2.0 ** (1 - n_tasks))


def tasks_needed(n_tests: int) -> int:
    """The fewest tasks with which one of `n_tests` signed-rank tests can get below 5 % after Holm's correction."""
    return next(n for n in range(1, 64) if n_tests * smallest_signed_rank_p(n) <= LEVEL)


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm 1979)."""
    order = np.argsort(values, kind="stable")
    corrected, before = [1.0] * len(values), 0.0
    for rank, place in enumerate(order):
        before = max(before, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = before
    return corrected


def sign_p(wins: int, losses: int) -> float:
    """The two-sided p of the sign test; ties do not count."""
    return float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def profile_factors(scores: Sequence[Array]) -> Array:
    """Factors from 1 to the largest finite ratio of a score to the best one of its pair, `[f]`.

    Args:
        scores: as for `performance_profile`.
    """
    with np.errstate(all="ignore"):
        ratios = [of_task / of_task.min(0) for of_task in scores]
    largest = max((float(values[np.isfinite(values)].max(initial=1.0)) for values in ratios), default=1.0)
    return np.geomspace(1.0, max(largest, 1.0), N_FACTORS) if largest > 1 else np.array([1.0, 2.0])


def performance_profile(scores: Sequence[Array], factors: Array) -> Array:
    """The share of pairs on which a scheme is within each factor of the best one (Dolan and Moré 2002), `[k, f]`.

    Tasks count alike. A lost network is within no factor. Pairs that lack a scheme do not count.

    Args:
        scores: `[k, n]` by task: the metric, inf for lost networks.
        factors: `[f]`, at least 1.
    """
    shares = []
    for of_task in scores:
        complete = of_task[:, ~np.isnan(of_task).any(0)]
        if complete.shape[1]:
            within = complete[:, :, None] <= complete.min(0)[:, None] * factors
            shares.append((within & np.isfinite(complete)[:, :, None]).mean(1))
    return np.mean(shares, axis=0) if shares else np.full((len(scores[0]), len(factors)), math.nan)
