"""The table of a sweep: a row a job, gathered from the folders alone; seeds taken together, and what each swept key
does to each statistic. No torch is loaded."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kancli.errors import ConfigError, one_line
from kancli.runs.files import read_json
from kancli.stats.columns import flat
from kancli.stats.summary import summary_statistics
from kancli.sweeps.names import parse_override_words
from kancli.sweeps.plan import ENDED, Plan

SEED = "seed"
SUMMARY_SCHEMA = 1
# Of each layer, what a row tells: the rest is in the job's own stats.json.
LAYER_COLUMNS = (
    "coef_mean", "coef_std", "scale_base_std", "preacts_std", "postacts_std", "output_mean", "output_std",
    "gain_variance", "off_grid", "spline_share", "nonlinearity_mean", "roughness_mean", "edge_distance", "flat_edges",
    "gradient_gain",
)  # fmt: skip
NO_RECORD = "missing"
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
    verdicts: Sequence[Mapping[str, Any]]  # as in stats.json
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
        yield _row(job.number, path, folder, plan.record(job) or {}, job.words, swept, replay)


def rows_without_plan(sweep: Path, seen_from: Path | None = None) -> list[Row]:
    """The same of a folder that holds runs and no plan: what differs among their overrides was swept.

    Raises:
        ConfigError: there is no run in it.
    """
    found = sorted((path.parent for path in sweep.glob("**/run.json")), key=lambda path: (len(path.name), str(path)))
    if not found:
        raise ConfigError([f"{sweep}: holds no runs"])
    records = [(path, _record(path)) for path in found]
    words = [words_in(record) for _, record in records]
    typed = [parse_override_words(each) for each in words]
    swept = [
        key
        for key in dict.fromkeys(key for each in typed for key in each)
        if len({each.get(key) for each in typed}) > 1
    ]
    return [
        _row(number, path, os.path.relpath(path, seen_from or sweep), record, own, swept, shlex.join(["kan-run", *own]))
        for number, ((path, record), own) in enumerate(zip(records, words, strict=True))
    ]


def row_of_run(folder: Path) -> Row:
    """The same of one run, whose folder the table lies in.

    Raises:
        ConfigError: there is none, or its run.json is damaged.
    """
    record = read_json(folder / "run.json")
    words = words_in(record)
    return _row(0, folder, ".", record, words, [], shlex.join(["kan-run", *words]))


def words_in(record: Mapping[str, Any]) -> list[str]:
    """What was typed for a run, as far as its record can be read."""
    typed = record.get("overrides")
    return [word for word in typed if isinstance(word, str)] if isinstance(typed, list) else []


def _record(path: Path) -> dict[str, Any]:
    try:
        return read_json(path / "run.json")
    except ConfigError as error:
        return {"status": "damaged", "error": str(error)}


def _row(
    number: int,
    path: Path,
    folder: str,
    record: Mapping[str, Any],
    words: Sequence[str],
    swept: Sequence[str],
    replay: str,
) -> Row:
    cause = record.get("error")
    verdicts: Sequence[Mapping[str, Any]] = []
    statistics: dict[str, float | None] = {}
    if record.get("status") in ENDED:
        try:
            verdicts, statistics = _found(path / "stats.json")
        except ConfigError as error:  # there is none of a run that failed early
            cause = cause or str(error)
    typed = parse_override_words(words)
    seconds = record.get("seconds")
    return Row(
        number,
        folder,
        str(record.get("status", NO_RECORD)),
        None if cause is None else str(cause),
        replay,
        {key: typed[key] for key in swept if key in typed},
        verdicts,
        statistics,
        seconds.get("total") if isinstance(seconds, Mapping) else None,
    )


def _found(path: Path) -> tuple[Sequence[Mapping[str, Any]], dict[str, float | None]]:
    """The verdicts and the numbers of a stats.json.

    Raises:
        ConfigError: it is missing or damaged.
    """
    stats = read_json(path)
    try:
        verdicts = stats["verdicts"]
        if not all(isinstance(each[name], str | None) for each in verdicts for name in ("name", "verdict")):
            raise TypeError("a verdict that is no word")
        statistics = statistics_of(stats)
        if strange := [name for name, value in statistics.items() if not isinstance(value, int | float | None)]:
            raise TypeError(f"{strange[0]} is no number")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None
    return verdicts, statistics


def statistics_of(stats: Mapping[str, Any]) -> dict[str, float | None]:
    """The numbers of a run that a row tells: over members, their mean."""
    found: dict[str, float | None] = {}
    for verdict in stats.get("verdicts", []):
        found[verdict["name"]] = verdict["value"]
    for name in ("propagation", "jacobian", "ntk"):
        for inner, value in (stats.get(name) or {}).items():
            if not isinstance(_mean(value), list):
                found[f"{name}_{inner}"] = _mean(value)
    for layer in stats.get("layers", []):
        told = flat({name: each for name, each in layer.items() if name not in ("nodes", "edges")})
        for name in LAYER_COLUMNS:
            value = told.get(name, told.get(f"{name}_mean"))
            if value is not None:
                found[f"layer{layer['layer']}_{name}"] = value
    return found


def _mean(value: Any) -> Any:
    return value.get("mean") if isinstance(value, Mapping) else value


def columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The table by column: number, swept keys, status, verdicts, statistics, seconds, cause, folder and replay."""
    swept = list(dict.fromkeys(key for row in rows for key in row.keys))
    names = list(dict.fromkeys(name for row in rows for name in row.statistics))
    judged = list(dict.fromkeys(each["name"] for row in rows for each in row.verdicts))
    words = [{each["name"]: each["verdict"] for each in row.verdicts} for row in rows]
    return {
        "job": [row.number for row in rows],
        **{key: [row.keys.get(key) for row in rows] for key in swept},
        "status": [row.status for row in rows],
        **{name: [row.statistics.get(name) for row in rows] for name in names},
        **{f"{name}_verdict": [each.get(name) for each in words] for name in judged},
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
