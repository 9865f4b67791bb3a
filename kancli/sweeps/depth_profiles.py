"""Signal and gradient by layer of the jobs of a sweep: a profile for each combination of swept keys, over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kancli.figures.data import Array, DepthProfile
from kancli.sweeps.representatives import select_groups
from kancli.sweeps.summary import group_by_keys
from kancli.sweeps.table import SEED, Row

MIN_LAYERS = 3  # of a network whose profile is worth a figure
QUANTILES = {"low": 0.05, "middle": 0.5, "high": 0.95}


def depth_profiles(rows: Sequence[Row]) -> tuple[list[DepthProfile], list[str]]:
    """The profile of each combination of swept keys, up to sixteen and then the extremes, and which these are; empty if
    no network has `MIN_LAYERS` layers."""
    measured = [row for row in rows if row.profile is not None]
    if not any(_depth(row) > MIN_LAYERS for row in measured):
        return [], []
    by_depth: dict[tuple[Any, int], list[Row]] = {}  # a table of several folders may hold networks of one name
    for keys, rows_of_keys in group_by_keys(measured).items():
        for row in rows_of_keys:
            by_depth.setdefault((keys, _depth(row)), []).append(row)
    groups, subset = select_groups(list(by_depth.values()))
    return [_together(group) for group in groups], [subset] if subset else []


def _depth(row: Row) -> int:
    return 0 if row.profile is None else len(row.profile.values["signal"]["middle"])


def _together(rows: Sequence[Row]) -> DepthProfile:
    """The profile of jobs that differ only in their seed: median, and 5 to 95 % of the seeds."""
    name = " ".join(f"{key}={value}" for key, value in rows[0].keys.items() if key != SEED)
    profiles = [row.profile for row in rows if row.profile is not None]
    values = {quantity: _over_seeds([profile.values[quantity] for profile in profiles if quantity in profile.values])
              for quantity in profiles[0].values}  # fmt: skip
    slopes: dict[str, float | None] = {}
    for quantity in values:
        found = [slope for profile in profiles if (slope := profile.slopes.get(quantity)) is not None]
        slopes[quantity] = float(np.mean(found)) if found else None
    return DepthProfile(name, values, slopes)


def _over_seeds(values: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    if len(values) == 1:
        return dict(values[0])
    middles = np.stack([value["middle"] for value in values])
    is_measured = np.isfinite(middles).all(axis=0)
    quantiles = np.quantile(np.where(is_measured, middles, 0), list(QUANTILES.values()), axis=0)
    return {name: np.where(is_measured, row, np.nan) for name, row in zip(QUANTILES, quantiles, strict=True)}
