"""Content of the sections in words: job counts, plan, failures, and commands that reproduce the results."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from kancli.config.identity import affects_identity
from kancli.report.data import relative_url
from kancli.runs.reader import ENDED, parse_override_words
from kancli.spelling import shorten
from kancli.sweeps import summary, table
from kancli.sweeps.reader import RunsFolder
from kancli.sweeps.row import Row

STATUS_SYMBOLS = {"complete": "✓", "failed": "✗", "damaged": "✗", "running": "…", "interrupted": "◐", "missing": "○"}
MAX_VALUES = 12  # of a swept key
MAX_ROWS = 100


def title(runs: RunsFolder) -> str:
    """What was run or swept: the width, if all runs have one, and the overrides that change results, as typed.

    The folder's name where no record can be read, or where runs without a plan have no overrides that differ.
    """
    configs = [record.config for record in runs.records if record is not None]
    overrides = {key: value for key, value in _typed(runs).items() if affects_identity(key) and not _is_hydra(key)}
    if not configs or not (overrides or runs.is_run):
        return runs.name
    widths = [config.get("width") for config in configs]
    network = "KAN"
    if isinstance(widths[0], list) and widths.count(widths[0]) == len(widths):
        network = f"KAN {'-'.join(map(str, widths[0]))}"
        overrides.pop("width", None)
    words = [f"{key}={value}" for key, value in overrides.items()]
    return f"{network}, {shorten(' '.join(words)) or 'all defaults'}"


def _typed(runs: RunsFolder) -> dict[str, str]:
    """The overrides of a run or of a sweep; of runs without a plan the values of each override that differs."""
    if runs.is_run:
        return {} if runs.records[0] is None else parse_override_words(runs.records[0].overrides)
    if runs.head is None:
        swept, typed = _differing_values(runs.rows), {}
    else:
        swept, typed = runs.head["swept"], parse_override_words(list(map(str, runs.head["typed"])))
    return {**{key: ",".join(map(str, values)) for key, values in swept.items()}, **typed}


def _is_hydra(key: str) -> bool:
    return key.partition("/")[0].partition(".")[0] == "hydra"


def status_counts(rows: Sequence[Row]) -> dict[str, int]:
    """Count the jobs by status, known statuses first."""
    counts = summary.count_statuses(rows)
    known = [status for status in STATUS_SYMBOLS if status in counts]
    return {status: counts[status] for status in dict.fromkeys([*known, *counts])}


def plan(runs: RunsFolder) -> dict[str, Any]:
    """Return the number of jobs in words, the values of each swept key, and the plan's notices."""
    if runs.head is None:
        intro = f"{len(runs.rows)} runs without a plan: every override that differs between them counts as swept."
        return {"intro": intro, "swept": _swept(_differing_values(runs.rows)), "notices": []}
    swept, dropped = runs.head["swept"], runs.head["dropped"]
    factors = [str(len(values)) for values in swept.values()]
    product = f"{' × '.join(factors)} = " if len(factors) > 1 else ""
    duplicates = f"; {dropped} duplicates were dropped, which leaves {len(runs.rows)}" if dropped else ""
    intro = f"{product}{len(runs.rows) + dropped} jobs planned{duplicates}."
    return {"intro": intro, "swept": _swept(swept), "notices": list(map(str, runs.head["notices"]))}


def _differing_values(rows: Sequence[Row]) -> dict[str, list[str]]:
    keys = dict.fromkeys(key for row in rows for key in row.keys)
    return {key: list(dict.fromkeys(row.keys.get(key, "not given") for row in rows)) for key in keys}


def _swept(swept: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Shorten long lists of values to their first six (`first`) and last two (`last`)."""
    return [
        {
            "key": key,
            "first": values[:6] if len(values) > MAX_VALUES else values,
            "last": values[-2:] if len(values) > MAX_VALUES else [],
            "count": len(values),
        }
        for key, values in swept.items()
    ]


def failures(rows: Sequence[Row], base: str) -> dict[str, Any] | None:
    """Return the jobs that are not complete, with cause and command; None if all are complete.

    Args:
        base: the path from the folder of the page to that of the runs.
    """
    failed = [row for row in rows if row.cause or row.status not in ("complete", table.NO_RECORD)]
    missing = [row.number for row in rows if row.status == table.NO_RECORD and not row.cause]
    if not failed and not missing:
        return None
    return {
        "failed": [{"row": row, "url": f"{relative_url(row.folder, base)}/"} for row in failed[:MAX_ROWS]],
        "n_more": max(len(failed) - MAX_ROWS, 0),
        "missing": _format_missing(missing),
    }


def _format_missing(numbers: Sequence[int]) -> str | None:
    if not numbers:
        return None
    listed = ", ".join(map(str, numbers[:MAX_ROWS])) + (", ..." if len(numbers) > MAX_ROWS else "")
    return f"{len(numbers)} job{'' if len(numbers) == 1 else 's'} left no record: {listed}."


def replay(runs: RunsFolder) -> dict[str, Any]:
    """Return the commands that run everything again and that resume an incomplete sweep."""
    job_commands = "" if runs.is_run else "The command of each job is in the last column of the table of results."
    if runs.head is None:
        name = "the run" if runs.is_run else f"job {runs.rows[0].number}"
        return {"commands": {name: runs.rows[0].replay}, "remark": job_commands}
    folder = shlex.quote(runs.name)
    commands = {"the sweep": shlex.join(["kan-run", *map(str, [*runs.head["options"], "-m", *runs.head["typed"]])])}
    if any(row.status not in ENDED for row in runs.rows):
        commands["missing jobs"] = f"kan-run resume {folder}"
    if any(row.status == "failed" for row in runs.rows):
        commands["failed jobs"] = f"kan-run resume {folder} --only failed"
    commands["this page"] = f"kan-run report {folder}"
    return {"commands": commands, "remark": f"{job_commands} Run commands that name {runs.name} in its parent folder."}
