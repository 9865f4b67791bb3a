"""Summary of a sweep's table: statistics averaged over seeds, main effects of the swept keys, and summary.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kancli.stats.options import WORST_FIRST, worst
from kancli.stats.scales import Scale
from kancli.stats.summary import scale_of, summary_statistics
from kancli.sweeps.row import Row
from kancli.sweeps.table import MISSING, SEED

Array = np.ndarray

SUMMARY_SCHEMA = 1
CONSTANT, ONE_JOB = "constant", "one job a value"  # reasons for a share of None


def group_by_keys(rows: Sequence[Row]) -> dict[tuple[tuple[str, str], ...], list[Row]]:
    """Group the jobs that differ only in their seed, by the other swept keys and their values."""
    groups: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple((key, value) for key, value in row.keys.items() if key != SEED), []).append(row)
    return groups


def values_of(rows: Sequence[Row], name: str) -> Array:
    """Return a statistic of each job; NaN for a job that lacks it."""
    return np.array([row.statistic(name) for row in rows], dtype=float)


def average_over_seeds(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Summarise each group of jobs that differ only in their seed.

    Yields:
        For each group its keys, the number of jobs, and the mean, sd, interval and count of each statistic.
    """
    for keys, group in group_by_keys(rows).items():
        names = dict.fromkeys(name for row in group for name in row.statistics)
        statistics = {name: _summarise_values(values_of(group, name), scale_of(name)) for name in names}
        yield {"keys": dict(keys), "jobs": len(group), "statistics": statistics}


def _summarise_values(values: Array, scale: Scale) -> dict[str, float | int | None]:
    """Summarise values as JSON has them: null for NaN."""
    summary = summary_statistics(values, scale)
    plain = {name: float(value) if np.isfinite(value) else None for name, value in summary.items()}
    return {**plain, "n": int(summary["n"])}


def main_effects(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, Any]]]:
    """Compute the main effect of each swept key except the seed on each statistic.

    Returns:
        By key and statistic: `means`, the mean over all jobs with each value of the key; and `share`, the part of the
        variance between those groups of jobs (eta squared, Fisher 1925), or None and the `reason`: the statistic is
        constant, or no value has two jobs, so that any statistic would have a share of 1.
    """
    swept = [key for key in dict.fromkeys(key for row in rows for key in row.keys) if key != SEED]
    names = list(dict.fromkeys(name for row in rows for name in row.statistics))
    effects: dict[str, dict[str, dict[str, Any]]] = {}
    for key in swept:
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.keys.get(key, MISSING), []).append(row)
        if len(groups) < 2:
            continue
        for name in names:
            effect = _main_effect({value: values_of(group, name) for value, group in groups.items()})
            if effect is not None:
                effects.setdefault(key, {})[name] = effect
    return effects


def _main_effect(groups: Mapping[str, Array]) -> dict[str, Any] | None:
    """Compute one entry of `main_effects` from a statistic's values by group; None if no value is finite."""
    finite = {value: values[np.isfinite(values)] for value, values in groups.items()}
    pooled = np.concatenate(list(finite.values()))
    if not len(pooled):
        return None
    total = ((pooled - pooled.mean()) ** 2).sum()
    between = sum(len(values) * (values.mean() - pooled.mean()) ** 2 for values in finite.values() if len(values))
    means = {value: float(values.mean()) if len(values) else None for value, values in finite.items()}
    if not total > 0:
        return {"share": None, "reason": CONSTANT, "means": means}
    if max(map(len, finite.values())) < 2:
        return {"share": None, "reason": ONE_JOB, "means": means}
    return {"share": float(between / total), "means": means}


def count_statuses(rows: Sequence[Row]) -> dict[str, int]:
    """Count the jobs by status."""
    return dict(sorted(Counter(row.status for row in rows).items()))


def count_verdicts(rows: Sequence[Row]) -> dict[str, int]:
    """Count the jobs by their worst verdict, the worst first."""
    counts = Counter(worst(set(row.verdict_words.values())) for row in rows)
    return {word: counts[word] for word in WORST_FIRST if counts[word]}


def summarise(rows: Sequence[Row], sweeps: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the contents of summary.json; its long lists are iterators.

    Args:
        sweeps: the heads of their plans, by folder.
    """
    failures = (
        {"job": row.number, "folder": row.folder, "status": row.status, "cause": row.cause, "replay": row.replay}
        for row in rows
        if row.status != "complete"
    )
    return {
        "schema": SUMMARY_SCHEMA,
        "sweeps": [{"folder": folder, **head} for folder, head in sweeps.items()],
        "jobs": len(rows),
        "status": count_statuses(rows),
        "verdicts": count_verdicts(rows),
        "cells": average_over_seeds(rows),
        "effects": main_effects(rows),
        "failures": failures,
    }
