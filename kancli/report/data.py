"""The data embedded in the page: jobs, cells (jobs that differ only in their seed), and the statistics of interest."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from kancli.stats.options import BAD, WORST_FIRST, statement
from kancli.sweeps import summary
from kancli.sweeps.row import Row
from kancli.sweeps.table import SEED
from kancli.training.curves import ERRORS

SLOPES = ("propagation_signal", "propagation_gradient")
SUMMARY = ("mean", "sd", "low", "high", "n")


def page_data(rows: Sequence[Row], base: str) -> dict[str, Any]:
    """Return the data that the page's script reads.

    `keys`, `statistics` and `judged` name the entries of the lists in `jobs` and `cells`, `statements` what is judged;
    `verdicts` is the order of the counts in the `words` of `cells`. `shown` lists the statistics that the page shows
    first.

    Args:
        base: the path from the folder of the page to that of the runs.
    """
    keys = list(dict.fromkeys(key for row in rows for key in row.keys))
    statistics = list(dict.fromkeys(name for row in rows for name in row.statistics))
    judged = list(dict.fromkeys(name for row in rows for name in row.verdict_words))
    fixed = [key for key in keys if key != SEED]
    groups = summary.group_by_keys(rows).values()
    return {
        "keys": keys,
        "fixed": fixed,
        "statistics": statistics,
        "judged": judged,
        "statements": [statement(name) for name in judged],
        "verdicts": WORST_FIRST,
        "shown": statistics_of_interest(rows, statistics, judged),
        "jobs": [_job(row, base, keys, statistics, judged) for row in rows],
        "cells": [
            _cell(cell, group, fixed, statistics, judged)
            for cell, group in zip(summary.average_over_seeds(rows), groups, strict=True)
        ],
    }  # fmt: skip


def statistics_of_interest(rows: Sequence[Row], statistics: Sequence[str], judged: Sequence[str]) -> list[str]:
    """Return the losses and errors of training, the last layer's output std, the propagation slopes, and each statistic
    that warns or fails in a job."""
    errors = [name for name in ERRORS if any(row.statistics.get(name) is not None for row in rows)]
    outputs = [name for name in statistics if name.endswith("_output_std")][-1:]
    slopes = [name for name in SLOPES if any(row.statistics.get(name) is not None for row in rows)]
    bad = {name for row in rows for name, word in row.verdict_words.items() if word in BAD}
    return [*errors, *outputs, *slopes, *(name for name in judged if name in bad)]


def _job(row: Row, base: str, keys: Sequence[str], statistics: Sequence[str], judged: Sequence[str]) -> dict[str, Any]:
    words = row.verdict_words
    return {
        "job": row.number,
        "folder": row.folder,
        "link": f"{relative_url(row.folder, base)}/",
        "status": row.status,
        "cause": row.cause,
        "replay": row.replay,
        "seconds": finite_or_none(row.seconds),
        "keys": [row.keys.get(key) for key in keys],
        "values": [finite_or_none(row.statistics.get(name)) for name in statistics],
        "words": [words.get(name) for name in judged],
    }


def _cell(
    cell: Mapping[str, Any], rows: Sequence[Row], keys: Sequence[str], statistics: Sequence[str], judged: Sequence[str]
) -> dict[str, Any]:
    summaries = cell["statistics"]
    counts = Counter(named for row in rows for named in row.verdict_words.items())
    return {
        "jobs": cell["jobs"],
        "complete": sum(row.status == "complete" for row in rows),
        "statuses": summary.count_statuses(rows),
        "keys": [cell["keys"].get(key) for key in keys],
        "values": [[summaries[name][field] for field in SUMMARY] if name in summaries else None for name in statistics],
        "words": [[counts[name, verdict] for verdict in WORST_FIRST] for name in judged],
    }


def finite_or_none(value: Any) -> float | None:
    """Return a finite number unchanged, and None for any other value: JSON has no NaN."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def relative_url(path: str, base: str = ".") -> str:
    """Return the URL of a file or folder, whatever characters are in its name.

    Args:
        path: below the folder of the runs.
        base: the path from the folder of the page to that of the runs.
    """
    return f"{quote(os.fsencode(base))}/{quote(os.fsencode(path))}"
