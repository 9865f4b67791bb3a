"""Rank schemes over the tasks without a pole: on these tasks, by all of their runs, and over tasks as blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kancli.ranking import bootstrap, significance
from kancli.ranking.blocks import Block
from kancli.ranking.bootstrap import Estimate
from kancli.ranking.result import (
    Count,
    Difference,
    Friedman,
    MetricRanking,
    Ratio,
    SchemeRanking,
    TaskRanking,
)

Array = np.ndarray

MAX_LOG = 700.0  # exp(710) is no float
NO_ESTIMATE = Ratio(None, None, None, "undecided")


def exp(log: float) -> float | None:
    """A ratio from its log, within the range of floats; None for NaN."""
    return math.exp(min(max(log, -MAX_LOG), MAX_LOG)) if math.isfinite(log) else None


def difference(low: float | None, high: float | None, rope: float) -> Difference:
    """What an interval says: it lies beyond 1/rope to rope, or within, or neither (Kruschke 2018)."""
    if low is None or high is None:
        return "undecided"
    if high < 1 / rope:
        return "lower"
    if low > rope:
        return "higher"
    return "equivalent" if low >= 1 / rope and high <= rope else "undecided"


def rank_over_tasks(
    blocks: Sequence[Block], counts: Sequence[Array], schemes: Sequence[str], tasks: Sequence[TaskRanking], rope: float
) -> MetricRanking:
    """Rank by one metric.

    Args:
        blocks: of the tasks without a pole.
        counts: of the resamples, `[b, n]` by block.
        schemes: the baseline first.
        tasks: all of them.
    """
    means = np.array([block.means for block in blocks]).reshape(-1, len(schemes))
    means = means[np.isfinite(means).all(1)]
    n_tasks, n_tests = len(means), len(schemes) - 1
    ratios, pairs = _ratios(blocks, counts, schemes, rope)
    factors = significance.profile_factors([block.scores for block in blocks])
    smallest = significance.smallest_signed_rank_p(n_tasks) if n_tasks else 1.0
    rows = _scheme_rows(blocks, counts, means, schemes, ratios, factors, rope)
    return MetricRanking(
        n_tasks=n_tasks,
        smallest_p=smallest,
        smallest_p_holm=min(1.0, n_tests * smallest),
        tasks_needed=significance.tasks_needed(n_tests),
        friedman=_friedman(means, schemes),
        factors=factors.tolist(),
        schemes=sorted(rows, key=lambda row: math.inf if row.overall.ratio is None else row.overall.ratio),
        pairs=pairs,
        tasks=tasks,
    )


def _ratios(
    blocks: Sequence[Block], counts: Sequence[Array], schemes: Sequence[str], rope: float
) -> tuple[list[Ratio], list[tuple[str, str, Ratio]]]:
    """The overall ratios of all schemes to the first, and those of all pairs of the others."""
    places = [(a, b) for b in range(len(schemes)) for a in range(b + 1, len(schemes))]
    left, right = map(list, zip(*places, strict=True))
    if blocks:
        _, estimate = bootstrap.estimate_tasks([block.logs[left] - block.logs[right] for block in blocks], counts)
        found = [_as_ratio(estimate, number, rope) for number in range(len(places))]
    else:
        found = [NO_ESTIMATE] * len(places)
    n_others = len(schemes) - 1
    others = zip(places[n_others:], found[n_others:], strict=True)
    to_baseline = [Ratio(1.0, 1.0, 1.0, "equivalent"), *found[:n_others]]
    return to_baseline, [(schemes[a], schemes[b], ratio) for (a, b), ratio in others]


def _as_ratio(estimate: Estimate, number: int, rope: float) -> Ratio:
    ratio, low, high = (exp(values[number]) for values in (estimate.mean, estimate.low, estimate.high))
    return Ratio(ratio, low, high, difference(low, high, rope))


def _scheme_rows(
    blocks: Sequence[Block],
    counts: Sequence[Array],
    means: Array,
    schemes: Sequence[str],
    ratios: Sequence[Ratio],
    factors: Array,
    rope: float,
) -> list[SchemeRanking]:
    """What is known of each scheme, in the order of `schemes`."""
    others = range(1, len(schemes))
    per_run = [Count(0, 0, None), *(_count_runs(blocks, scheme) for scheme in others)]
    per_task = [Count(0, 0, None), *(_count_tasks(means[:, scheme] - means[:, 0]) for scheme in others)]
    tested = [count.p for count in per_task if count.p is not None]
    corrected = [None, *significance.holm(tested)] if tested else [None] * len(schemes)
    ranks = significance.mean_ranks(means).tolist() if len(means) else [None] * len(schemes)
    profile = significance.performance_profile([block.scores for block in blocks], factors) if blocks else None
    middle = [ratios[0], *(_interquartile(blocks, counts, scheme, rope) for scheme in others)]
    return [
        SchemeRanking(
            init=name,
            overall=ratios[scheme],
            interquartile=middle[scheme],
            per_run=per_run[scheme],
            per_task=per_task[scheme],
            p_holm=corrected[scheme],
            first=int((means.argmin(1) == scheme).sum()),
            mean_rank=ranks[scheme],
            lost=sum(int(block.lost[scheme]) for block in blocks),
            profile=[] if profile is None or np.isnan(profile).any() else profile[scheme].tolist(),
        )
        for scheme, name in enumerate(schemes)
    ]


def _count_runs(blocks: Sequence[Block], scheme: int) -> Count:
    wins = sum(int(block.wins()[scheme - 1]) for block in blocks)
    losses = sum(int(block.losses()[scheme - 1]) for block in blocks)
    n = sum(int(block.sizes()[scheme - 1]) for block in blocks)
    return Count(wins, n, significance.sign_p(wins, losses) if n else None)


def _count_tasks(differences: Array) -> Count:
    p = significance.signed_rank_p(differences) if len(differences) else None
    return Count(int((differences < 0).sum()), len(differences), p)


def _interquartile(blocks: Sequence[Block], counts: Sequence[Array], scheme: int, rope: float) -> Ratio:
    """The interquartile mean of the log ratios of all pairs, pooled, with its stratified bootstrap interval."""
    logs = [block.logs[scheme] - block.logs[0] for block in blocks]
    there = [~np.isnan(values) for values in logs]
    if not any(map(np.any, there)):
        return NO_ESTIMATE
    pooled = np.concatenate([values[kept] for values, kept in zip(logs, there, strict=True)])
    weights = np.concatenate([count[:, kept] for count, kept in zip(counts, there, strict=True)], axis=1)
    (centre,) = bootstrap.interquartile_mean(pooled)
    if min(int(kept.sum()) for kept in there if kept.any()) < 2:
        return Ratio(exp(centre), None, None, "undecided")
    low, high = (exp(end) for end in np.nanquantile(bootstrap.interquartile_mean(pooled, weights), [0.025, 0.975]))
    return Ratio(exp(centre), low, high, difference(low, high, rope))


def _friedman(means: Array, schemes: Sequence[str]) -> Friedman | None:
    """The test of three schemes or more on two tasks or more."""
    n_tasks, n_schemes = means.shape
    if n_tasks < 2 or n_schemes < 3:
        return None
    statistic, p = significance.friedman(means)
    critical = significance.critical_difference(n_tasks, n_schemes)
    groups = significance.groups_within(significance.mean_ranks(means).tolist(), critical)
    return Friedman(
        statistic=statistic,
        p=p,
        smallest_p=significance.smallest_friedman_p(n_tasks, n_schemes),
        critical_difference=critical,
        groups=[[schemes[place] for place in group] for group in groups],
    )
