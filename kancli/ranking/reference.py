"""The MLP of a ranking: a line of reference beside the initialisations, which stay as they are without it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from kancli.ranking.outcomes import MLP, Outcomes, TrainedNetwork
from kancli.ranking.result import MetricRanking, TaskRatio
from kancli.ranking.words import times


def without_reference(outcomes: Outcomes) -> tuple[Outcomes, list[TrainedNetwork]]:
    """The networks of initialisations, and those of MLPs."""
    inits = [network for network in outcomes.networks if network.scheme != MLP]
    mlps = [network for network in outcomes.networks if network.scheme == MLP]
    return dataclasses.replace(outcomes, networks=inits), mlps


def networks_beside(outcomes: Outcomes, mlps: Sequence[TrainedNetwork], baseline: str) -> list[TrainedNetwork]:
    """The networks of the baseline and the MLPs."""
    return [*(network for network in outcomes.networks if network.scheme == baseline), *mlps]


def with_reference(ranking: MetricRanking, beside: MetricRanking) -> MetricRanking:
    """A ranking of initialisations with the row of the MLP: its ratio to the baseline, but no rank and no test.

    Args:
        beside: the ranking of the baseline and the MLP alone.
    """
    ratios = {task.task: row for task in beside.tasks for row in task.schemes}
    absent = TaskRatio(MLP, None, None, None, wins=0, n=0, lost=0)
    tasks = [
        dataclasses.replace(task, schemes=[*task.schemes, ratios.get(task.task, absent)]) for task in ranking.tasks
    ]
    row = next(row for row in beside.schemes if row.init == MLP)
    row = dataclasses.replace(row, p_holm=None, first=0, mean_rank=None, profile=[], is_reference=True)
    return dataclasses.replace(ranking, schemes=[*ranking.schemes, row], tasks=tasks)


def clause(ranking: MetricRanking, baseline: str) -> str:
    """What the sentence of a ranking says of the MLP; empty without one."""
    row = next((row for row in ranking.schemes if row.is_reference), None)
    if row is None or row.overall.ratio is None:
        return ""
    return f"; for reference, that of an MLP of as many parameters is {times(row.overall)} as high as {baseline}'s"
