"""The table of a sweep: a row a job, gathered from the folders alone; seeds taken together, and what each swept key
does to each statistic. No torch is loaded."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kancli.errors import ConfigError, one_line
from kancli.runs.reader import RecordedRun, RunRecord, parse_override_words, read_run
from kancli.stats.columns import flat
from kancli.stats.summary import summary_statistics
from kancli.sweeps.plan import Plan

if TYPE_CHECKING:
    from kancli.stats.verdicts import Verdict

SEED = "seed"
SUMMARY_SCHEMA = 1
# Of each layer, what a row tells: the rest is in the job's own stats.json.
LAYER_COLUMNS = (
    "coef_mean", "coef_std", "scale_base_std", "preacts_std", "postacts_std", "output_mean", "output_std",
    "gain_variance", "off_grid", "spline_share", "nonlinearity_mean", "roughness_mean", "edge_distance", "flat_edges",
    "gradient_gain",
)  # fmt: skip
NO_RECORD, DAMAGED = "missing", "damaged"  # statuses of jobs without a readable record
MISSING = "–"  # in place of a swept key's value, where a job has none


@dataclass(frozen=True)
class Row:
    """One job of a sweep, as its folder tells it."""

    number: int
    folder: str  # as seen from where the table lies
    status: str  # as in run.json, or "missing"
    cause: str | None  # why it failed
    replay: str  # the command that makes it alone
    keys: Mapping[str, str]  # the swept keys, as typed
    verdicts: Sequence[Verdict]
    statistics: Mapping[str, float | None]
    seconds: float | None


def rows_of(plan: Plan, seen_from: Path | None = None) -> Iterator[Row]:
    """The jobs of a sweep, in order.

    Args:
        seen_from: the folder that the table will lie in; None for the sweep's.
    """
    swept = list(plan.head["swept"])
    for job in plan.jobs:
        path = plan.path(job)
        folder = job.folder if seen_from is None else os.path.relpath(path, seen_from)
        replay = shlex.join(["kan-run", *plan.head["options"], *job.words])
        yield _row(job.number, path, folder, plan.record(job), job.words, swept, replay)


def rows_without_plan(sweep: Path, seen_from: Path | None = None) -> list[Row]:
    """The same of a folder that holds runs and no plan: what differs among their overrides was swept.

    Raises:
        ConfigError: there is no run in it.
    """
    folders = sorted((path.parent for path in sweep.glob("**/run.json")), key=lambda path: (len(path.name), str(path)))
    if not folders:
        raise ConfigError([f"{sweep}: holds no runs"])
    records = [_record_or_error(folder) for folder in folders]
    words = [record.overrides if isinstance(record, RunRecord) else [] for record in records]
    overrides = [parse_override_words(own) for own in words]
    swept = [
        key
        for key in dict.fromkeys(key for own in overrides for key in own)
        if len({own.get(key) for own in overrides}) > 1
    ]
    return [
        _row(number, path, os.path.relpath(path, seen_from or sweep), record, own, swept, shlex.join(["kan-run", *own]))
        for number, (path, record, own) in enumerate(zip(folders, records, words, strict=True))
    ]


def row_of_run(run: RecordedRun) -> Row:
    """The row of a single run, whose folder the table lies in."""
    words = run.record.overrides
    return _row(0, run.folder, ".", run.record, words, [], shlex.join(["kan-run", *words]))


def _record_or_error(folder: Path) -> RunRecord | ConfigError:
    try:
        return read_run(folder).record
    except ConfigError as error:
        return error


def _row(
    number: int,
    path: Path,
    folder: str,
    record: RunRecord | ConfigError | None,
    words: Sequence[str],
    swept: Sequence[str],
    replay: str,
) -> Row:
    overrides = parse_override_words(words)
    keys = {key: overrides[key] for key in swept if key in overrides}
    if record is None:
        return Row(number, folder, NO_RECORD, None, replay, keys, [], {}, None)
    if isinstance(record, ConfigError):
        return Row(number, folder, DAMAGED, str(record), replay, keys, [], {}, None)
    cause = record.error
    verdicts: Sequence[Verdict] = []
    statistics: dict[str, float | None] = {}
    if record.has_ended:
        try:
            verdicts, statistics = _read_statistics(RecordedRun(path, record))
        except ConfigError as error:  # a run that failed early wrote no statistics
            cause = cause or str(error)
    seconds = record.seconds.get("total")
    return Row(number, folder, record.status, cause, replay, keys, verdicts, statistics, seconds)


def _read_statistics(run: RecordedRun) -> tuple[Sequence[Verdict], dict[str, float | None]]:
    """The verdicts and the statistics of a run.

    Raises:
        ConfigError: its stats.json is missing or damaged.
    """
    verdicts = run.verdicts
    try:
        statistics = statistics_of(run.stats)
        for name, value in statistics.items():
            if not isinstance(value, int | float | None):
                raise TypeError(f"{name} is no number")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError([f"{run.folder}/stats.json: damaged: {one_line(error)}"]) from None
    return verdicts, statistics


def statistics_of(stats: Mapping[str, Any]) -> dict[str, float | None]:
    """The statistics in a row, from the contents of stats.json: over members, their mean."""
    statistics: dict[str, float | None] = {entry["name"]: entry["value"] for entry in stats["verdicts"]}
    for name in ("propagation", "jacobian", "ntk"):
        for inner, value in (stats.get(name) or {}).items():
            if not isinstance(_mean(value), list):
                statistics[f"{name}_{inner}"] = _mean(value)
    for layer in stats["layers"]:
        values = flat({name: value for name, value in layer.items() if name not in ("nodes", "edges")})
        for name in LAYER_COLUMNS:
            value = values.get(name, values.get(f"{name}_mean"))
            if value is not None:
                statistics[f"layer{layer['layer']}_{name}"] = value
    return statistics


def _mean(value: Any) -> Any:
    return value.get("mean") if isinstance(value, Mapping) else value


def columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The table by column: number, swept keys, status, verdicts, statistics, seconds, cause, folder and replay."""
    swept = list(dict.fromkeys(key for row in rows for key in row.keys))
    names = list(dict.fromkeys(name for row in rows for name in row.statistics))
    judged = list(dict.fromkeys(verdict.name for row in rows for verdict in row.verdicts))
    words = [{verdict.name: verdict.verdict for verdict in row.verdicts} for row in rows]
    return {
        "job": [row.number for row in rows],
        **{key: [row.keys.get(key) for row in rows] for key in swept},
        "status": [row.status for row in rows],
        **{name: [row.statistics.get(name) for row in rows] for name in names},
        **{f"{name}_verdict": [of_row.get(name) for of_row in words] for name in judged},
        "seconds": [row.seconds for row in rows],
        "cause": [row.cause for row in rows],
        "folder": [row.folder for row in rows],
        "replay": [row.replay for row in rows],
    }


def cells(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The jobs with seeds taken together: keys, number of jobs, and each statistic's mean, sd, interval and count."""
    found = []
    for keys, same in by_keys(rows).items():
        names = dict.fromkeys(name for row in same for name in row.statistics)
        told = {}
        for name in names:
            summary = summary_statistics(numbers(same, name))
            told[name] = {**{each: _plain(value) for each, value in summary.items()}, "n": int(summary["n"])}
        found.append({"keys": dict(keys), "jobs": len(same), "statistics": told})
    return found


def effects(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, Any]]]:
    """The main effect of each swept key, but for the seed, on each statistic: the mean over all jobs at each of its
    values, and the share of the statistic's variance that is between them (eta squared, Fisher 1925)."""
    swept = [key for key in dict.fromkeys(key for row in rows for key in row.keys) if key != SEED]
    names = list(dict.fromkeys(name for row in rows for name in row.statistics))
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for key in swept:
        values = list(dict.fromkeys(row.keys.get(key) for row in rows))
        groups = [[row for row in rows if row.keys.get(key) == value] for value in values]
        if len(values) < 2:
            continue
        for name in names:
            known = [each[np.isfinite(each)] for each in (numbers(group, name) for group in groups)]
            every = np.concatenate(known)
            if not len(every):
                continue
            total = ((every - every.mean()) ** 2).sum()
            between = sum(len(each) * (each.mean() - every.mean()) ** 2 for each in known if len(each))
            means = {
                MISSING if value is None else value: float(each.mean()) if len(each) else None
                for value, each in zip(values, known)
            }
            found.setdefault(key, {})[name] = {"share": float(between / total) if total > 0 else None, "means": means}
    return found


def by_keys(rows: Sequence[Row]) -> dict[tuple[tuple[str, str], ...], list[Row]]:
    """The jobs that differ by their seed alone, by the other swept keys and their values."""
    groups: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple((key, value) for key, value in row.keys.items() if key != SEED), []).append(row)
    return groups


def numbers(rows: Sequence[Row], name: str) -> np.ndarray:
    """A statistic of each job; NaN where it has none."""
    values = (row.statistics.get(name) for row in rows)
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many jobs ended how."""
    statuses = sorted(row.status for row in rows)
    return {status: len(list(same)) for status, same in itertools.groupby(statuses)}


def summary(rows: Sequence[Row], sweeps: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The contents of summary.json.

    Args:
        sweeps: the heads of their plans, by folder.
    """
    failures = [
        {"job": row.number, "folder": row.folder, "status": row.status, "cause": row.cause, "replay": row.replay}
        for row in rows
        if row.status != "complete"
    ]
    return {
        "schema": SUMMARY_SCHEMA,
        "sweeps": [{"folder": folder, **head} for folder, head in sweeps.items()],
        "jobs": len(rows),
        "status": counts(rows),
        "cells": cells(rows),
        "effects": effects(rows),
        "failures": failures,
    }
