"""The best jobs of a search: in the order of its objective, or of several objectives those that none surpasses."""

from __future__ import annotations

from collections.abc import Sequence

from kancli.sweeps.row import Row

MAX_BEST = 10  # on the terminal
MAXIMIZE = "maximize"


def best_rows(rows: Sequence[Row], objective: Sequence[str], directions: Sequence[str]) -> list[Row]:
    """The complete jobs that have all objectives, the best first, at most `MAX_BEST`.

    With several objectives, a job counts by the number of jobs that are at least as good in all and better in one: 0
    for those on the Pareto front.

    Args:
        objective: names of statistics.
        directions: "minimize" or "maximize", one for each.
    """
    judged = [
        row
        for row in rows
        if row.status == "complete" and all(row.statistics.get(name) is not None for name in objective)
    ]
    costs = {row.number: _costs(row, objective, directions) for row in judged}
    if len(objective) == 1:
        return sorted(judged, key=lambda row: costs[row.number])[:MAX_BEST]
    dominated = {
        row.number: sum(_dominates(costs[other.number], costs[row.number]) for other in judged) for row in judged
    }
    return sorted(judged, key=lambda row: dominated[row.number])[:MAX_BEST]


def _costs(row: Row, objective: Sequence[str], directions: Sequence[str]) -> list[float]:
    """The objectives as numbers of which less is better."""
    values = [float(row.statistics[name] or 0.0) for name in objective]
    return [-value if way == MAXIMIZE else value for value, way in zip(values, directions, strict=True)]


def _dominates(first: Sequence[float], second: Sequence[float]) -> bool:
    return list(first) != list(second) and all(a <= b for a, b in zip(first, second, strict=True))
