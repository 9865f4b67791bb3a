"""A ranking as plain values: the contents of ranking.json. None is an undefined number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

NAME = "ranking.json"
# A scheme's metric beside another's: its interval lies below, above or within the region of practical equivalence.
Difference = Literal["lower", "higher", "equivalent", "undecided"]


@dataclass(frozen=True)
class Ratio:
    """A geometric mean ratio of a scheme to another, with its 95 % interval."""

    ratio: float | None
    low: float | None
    high: float | None
    difference: Difference


@dataclass(frozen=True)
class TaskRatio:
    """A scheme on one task, beside the baseline."""

    init: str
    ratio: float | None
    low: float | None
    high: float | None
    wins: int  # pairs in which the scheme is lower than the baseline
    n: int  # pairs
    lost: int  # networks that failed or diverged


@dataclass(frozen=True)
class TaskRanking:
    """The schemes on one task."""

    task: str
    singular: bool
    first: str | None  # the scheme of the lowest geometric mean
    lost_of_baseline: int
    schemes: Sequence[TaskRatio]  # all but the baseline; the reference last


@dataclass(frozen=True)
class Count:
    """How often a scheme is lower than the baseline, and p of a two-sided test of it."""

    wins: int
    n: int
    p: float | None  # over pairs of the sign test, over tasks of the signed-rank test


@dataclass(frozen=True)
class SchemeRanking:
    """A scheme over the tasks without a pole."""

    init: str
    overall: Ratio  # to the baseline; tasks count alike
    interquartile: Ratio  # the same of the middle half of all pairs
    per_run: Count
    per_task: Count
    p_holm: float | None  # of the test over tasks, corrected for the number of schemes
    first: int  # tasks on which it has the lowest geometric mean
    mean_rank: float | None
    lost: int
    profile: Sequence[float]  # shares of pairs within `MetricRanking.factors` of the best scheme
    is_reference: bool = False  # an MLP, which is in no rank, test or profile


@dataclass(frozen=True)
class Friedman:
    """Friedman's test; absent for two schemes, where the signed-rank test says the same."""

    statistic: float
    p: float
    smallest_p: float  # that so many tasks can reach
    critical_difference: float  # of two mean ranks, by the Nemenyi test at 5 %
    groups: Sequence[Sequence[str]]  # schemes whose mean ranks do not differ


@dataclass(frozen=True)
class MetricRanking:
    """The ranking by one metric."""

    n_tasks: int  # without a pole, on which all schemes were run
    smallest_p: float  # two-sided, of the signed-rank test over so many tasks
    smallest_p_holm: float  # the same after Holm's correction
    tasks_needed: int  # for a corrected p of at most 5 %
    friedman: Friedman | None
    factors: Sequence[float]
    schemes: Sequence[SchemeRanking]  # by their overall ratio, the lowest first; then the reference
    pairs: Sequence[tuple[str, str, Ratio]]  # of two schemes other than the baseline: the first one's to the second's
    tasks: Sequence[TaskRanking]


@dataclass(frozen=True)
class Median:
    """The median over seeds of a metric of a scheme on one task, beside the published one."""

    metric: str
    task: str
    init: str
    others: str  # the values of other swept keys, as typed
    networks: str  # their sizes; of several, the median over them of their medians
    n: int  # seeds
    median: float | None  # None: of lost networks
    published: float | None
    ratio: float | None  # to the published one; None where that is of other networks


@dataclass(frozen=True)
class Medians:
    """What `study.published` adds."""

    source: str  # of the published numbers
    rows: Sequence[Median]
    remarks: Sequence[str]


@dataclass(frozen=True)
class Ranking:
    """The contents of ranking.json."""

    schema: int
    baseline: str
    metric: str  # the one that table, figure and sentence show
    rope: float
    networks: int  # that count
    lost: int  # of them
    incomplete: int  # runs that do not count
    singular: Sequence[str]  # tasks that are left out of all means and tests
    sentence: str
    remarks: Sequence[str]
    metrics: Mapping[str, MetricRanking]
    medians: Medians | None = None
