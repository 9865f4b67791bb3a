"""The jobs of a sweep that its pictures show: one for each combination of swept keys, up to sixteen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kancli.sweeps.row import Row
from kancli.sweeps.summary import group_by_keys
from kancli.sweeps.table import SEED

MAX_SHOWN = 16

T = TypeVar("T")


@dataclass(frozen=True)
class Selection:
    """The jobs to show, each with its title, in the order of the sweep."""

    jobs: Sequence[tuple[str, Row]]
    subset: str | None = None  # which of the combinations these are; None for all
    has_seeds: bool = False  # whether a job stands for several seeds

    @property
    def remarks(self) -> list[str]:
        """How the jobs were chosen, for the legend."""
        seeds = ["of several seeds, the one of median output std"] if self.has_seeds else []
        return [*seeds, *filter(None, [self.subset])]


def select_representatives(rows: Sequence[Row]) -> Selection:
    """Select the median job of each combination of swept keys by the std of the outputs; jobs that differ only in their
    seed share one.

    Beyond `MAX_SHOWN` combinations, half of these have the smallest and half the largest std. Where the seed alone is
    swept, each seed counts as a combination.
    """
    groups = list(group_by_keys(rows).values())
    if len(groups) == 1:
        groups = [[row] for row in rows]
    shown, subset = select_groups(groups)
    jobs = [(job_title(group), median_job(group)) for group in shown]
    return Selection(jobs, subset, has_seeds=len(groups) < len(rows))


def select_groups(groups: Sequence[Sequence[Row]]) -> tuple[list[Sequence[Row]], str | None]:
    """The groups of jobs to show, and which of all they are; None for all."""
    shown = extremes(groups, lambda group: score(median_job(group)))
    if len(shown) == len(groups):
        return shown, None
    half = MAX_SHOWN // 2
    subset = f"{MAX_SHOWN} of {len(groups)} combinations: the {half} of smallest and the {half} of largest output std"
    return shown, subset


def extremes(items: Sequence[T], score: Callable[[T], float]) -> list[T]:
    """The items of the lowest and highest scores, in their own order; all, up to `MAX_SHOWN`."""
    if len(items) <= MAX_SHOWN:
        return list(items)
    order = sorted(range(len(items)), key=lambda index: _sortable(score(items[index])))
    half = MAX_SHOWN // 2
    return [items[index] for index in sorted([*order[:half], *order[-half:]])]


def median_job(rows: Sequence[Row]) -> Row:
    """The job of the median score; of two in the middle, the lower one."""
    return sorted(rows, key=lambda row: _sortable(score(row)))[(len(rows) - 1) // 2]


def job_title(rows: Sequence[Row]) -> str:
    """The title of the median job: the swept keys, and its seed where several jobs share them."""
    row = median_job(rows)
    keys = " ".join(f"{key}={value}" for key, value in row.keys.items() if key != SEED or len(rows) == 1)
    seed = f"seed {row.keys[SEED]} of {len(rows)}" if len(rows) > 1 and SEED in row.keys else ""
    return ", ".join(filter(None, [keys, seed])) or f"job {row.number}"


def score(row: Row) -> float:
    """The std of the outputs; NaN for a job without it."""
    return row.statistic(output_std_name([row]))


def output_std_name(rows: Sequence[Row]) -> str:
    """The name of the std of the outputs of the last layer; empty without one."""
    names = [name for row in rows for name in row.statistics if name.endswith("_output_std")]
    return names[-1] if names else ""


def _sortable(score: float) -> tuple[bool, float]:
    """A key that sorts NaN last."""
    return math.isnan(score), score
