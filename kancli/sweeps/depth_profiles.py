"""Signal and gradient by layer of the jobs of a sweep: a profile for each combination of swept keys, over its seeds."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kancli.figures.data import Array, DepthProfile
from kancli.sweeps.representatives import select_groups
from kancli.sweeps.row import Row
from kancli.sweeps.summary import group_by_keys
from kancli.sweeps.table import SEED

MIN_LAYERS = 3  # of a network whose profile is worth a figure
QUANTILES = {"low": 0.05, "middle": 0.5, "high": 0.95}


def depth_profiles(rows: Sequence[Row]) -> tuple[list[DepthProfile], list[str]]:
    """The profile of each combination of swept keys, up to sixteen and then the extremes, and which these are; empty if
    no network has `MIN_LAYERS` layers."""
    measured = [row for row in rows if row.depth]
    if not any(row.depth > MIN_LAYERS for row in measured):
        return [], []
    by_depth: dict[tuple[Any, int], list[Row]] = {}  # a table of several folders may hold networks of one name
    for keys, rows_of_keys in group_by_keys(measured).items():
        for row in rows_of_keys:
            by_depth.setdefault((keys, row.depth), []).append(row)
    groups, subset = select_groups(list(by_depth.values()))
    return [_together(group) for group in groups], [subset] if subset else []


def _together(rows: Sequence[Row]) -> DepthProfile:
    """The profile of jobs that differ only in their seed: median, and 5 to 95 % of the seeds."""
    name = " ".join(f"{key}={value}" for key, value in rows[0].keys.items() if key != SEED)
    first = rows[0].profile
    assert first is not None  # all rows have a depth
    values: dict[str, Mapping[str, Array]] = dict(first.values)
    middles, slopes = ({quantity: array("d") for quantity in values} for _ in range(2))
    for row in rows:  # numbers go into arrays, as rows may be a million
        profile = row.profile
        assert profile is not None
        for quantity in values.keys() & profile.values.keys():
            middles[quantity].extend(profile.values[quantity]["middle"])
            if (slope := profile.slopes.get(quantity)) is not None:
                slopes[quantity].append(slope)
    for quantity, numbers in middles.items():
        if len(numbers) > rows[0].depth:
            values[quantity] = _over_seeds(np.reshape(numbers, (-1, rows[0].depth)))
    means = {quantity: float(np.mean(found)) if found else None for quantity, found in slopes.items()}
    return DepthProfile(name, values, means)


def _over_seeds(middles: Array) -> dict[str, Array]:
    """Quantiles over the first axis; NaN where a seed has no value."""
    is_measured = np.isfinite(middles).all(axis=0)
    quantiles = np.quantile(np.where(is_measured, middles, 0), list(QUANTILES.values()), axis=0)
    return {name: np.where(is_measured, row, np.nan) for name, row in zip(QUANTILES, quantiles, strict=True)}
