"""The table's numbers, for the page's script and for a reader without one: jobs, cells, and which columns matter."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kancli.report.elements import Markup, link
from kancli.sweeps import table
from kancli.sweeps.table import Row

WORDS = ("fail", "warn", "pass")  # the worst first
SLOPES = ("propagation_signal", "propagation_gradient")
CELL = ("mean", "sd", "low", "high", "n")


def data_of(rows: Sequence[Row]) -> dict[str, Any]:
    """What the page's script shows.

    `keys`, `statistics` and `judged` name what the lists in `jobs` and `cells` hold. Which statistics are shown at
    first is in `shown`.
    """
    keys = list(dict.fromkeys(key for row in rows for key in row.keys))
    statistics = list(dict.fromkeys(name for row in rows for name in row.statistics))
    judged = list(dict.fromkeys(each["name"] for row in rows for each in row.verdicts))
    fixed = [key for key in keys if key != table.SEED]
    same = list(table.by_keys(rows).values())
    return {
        "keys": keys,
        "fixed": fixed,
        "statistics": statistics,
        "judged": judged,
        "shown": shown(rows, statistics, judged),
        "jobs": [_job(row, keys, statistics, judged) for row in rows],
        "cells": [
            _cell(cell, group, fixed, statistics, judged)
            for cell, group in zip(table.cells(rows), same, strict=True)
        ],
    }  # fmt: skip


def shown(rows: Sequence[Row], statistics: Sequence[str], judged: Sequence[str]) -> list[str]:
    """The statistics that a reader wants first: size of the output, slopes, and what some job's verdict is on."""
    outputs = [name for name in statistics if name.endswith("_output_std")][-1:]
    standing = {each["name"] for row in rows for each in row.verdicts if each["verdict"] in WORDS[:2]}
    slopes = [name for name in SLOPES if any(row.statistics.get(name) is not None for row in rows)]
    return [*outputs, *slopes, *(name for name in judged if name in standing)]


def _job(row: Row, keys: Sequence[str], statistics: Sequence[str], judged: Sequence[str]) -> dict[str, Any]:
    words = {each["name"]: each["verdict"] for each in row.verdicts}
    return {
        "job": row.number,
        "folder": row.folder,
        "link": f"{link(row.folder)}/",
        "status": row.status,
        "cause": row.cause,
        "replay": row.replay,
        "seconds": finite(row.seconds),
        "keys": [row.keys.get(key) for key in keys],
        "values": [finite(row.statistics.get(name)) for name in statistics],
        "words": [words.get(name) for name in judged],
    }


def _cell(
    cell: Mapping[str, Any], rows: Sequence[Row], keys: Sequence[str], statistics: Sequence[str], judged: Sequence[str]
) -> dict[str, Any]:
    told = cell["statistics"]
    words: dict[str, Counter[str]] = {name: Counter() for name in judged}
    for row in rows:
        for each in row.verdicts:
            if each["verdict"]:
                words[each["name"]][each["verdict"]] += 1
    return {
        "jobs": cell["jobs"],
        "complete": sum(row.status == "complete" for row in rows),
        "statuses": table.counts(rows),
        "keys": [cell["keys"].get(key) for key in keys],
        "values": [[told[name][each] for each in CELL] if name in told else None for name in statistics],
        "words": [[words[name][word] for word in WORDS] for name in judged],
    }


def finite(value: Any) -> Any:
    """A number that JSON has; None in the place of another."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def script_of(data: Mapping[str, Any]) -> Markup:
    """Data as JSON that stands inside a script element: nothing in it can end the element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
