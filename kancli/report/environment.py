"""Versions, commit, processor and threads of the jobs: the first job's, and where other jobs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kancli.runs.reader import RunRecord
from kancli.stats.columns import flat
from kancli.sweeps.row import Row

RECORD_KEYS = ("versions", "git", "platform", "cpu", "threads", "semantics")
MAX_JOBS = 12  # listed for each different value
NOT_RECORDED = "not recorded"


def environment(rows: Sequence[Row], records: Sequence[RunRecord | None]) -> dict[str, Any]:
    """Compare the environments of all jobs that left a record.

    Returns:
        `remark`, and a table of text as `columns` and `lines`; without lines if no job left a record.
    """
    jobs = {row.number: _properties(record) for row, record in zip(rows, records, strict=True) if record is not None}
    if not jobs:
        return {"remark": "No job has left a record yet.", "columns": [], "lines": []}
    first_job, first = next(iter(jobs.items()))
    names = dict.fromkeys(name for properties in jobs.values() for name in properties)
    lines = [[name, first.get(name, NOT_RECORDED)] for name in names]
    if len(jobs) == 1:
        return {"remark": None, "columns": ["", "as recorded"], "lines": lines}
    differences = [_differences(name, first, jobs) for name in names]
    if not any(differences):
        remark = f"Identical in the {len(jobs)} jobs that left a record."
        return {"remark": remark, "columns": ["", f"job {first_job}"], "lines": lines}
    return {
        "remark": "Jobs differ.",
        "columns": ["", f"job {first_job}", "other jobs"],
        "lines": [[*line, difference] for line, difference in zip(lines, differences, strict=True)],
    }


def _properties(record: RunRecord) -> dict[str, str]:
    properties = {}
    for key in RECORD_KEYS:
        value = getattr(record, key)
        entries = flat(value) if isinstance(value, Mapping) else {"": value}
        for name, entry in entries.items():
            properties[name if key == "versions" else f"{key} {name}".strip()] = _format_value(entry)
    return properties


def _differences(name: str, first: Mapping[str, str], jobs: Mapping[int, Mapping[str, str]]) -> str:
    """List the values of a property other than the first job's, each with its jobs; empty if there are none."""
    others: dict[str, list[int]] = {}
    for number, properties in jobs.items():
        if properties.get(name) != first.get(name):
            others.setdefault(properties.get(name, NOT_RECORDED), []).append(number)
    return "; ".join(f"{value}: {_format_jobs(numbers)}" for value, numbers in others.items())


def _format_value(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _format_jobs(numbers: Sequence[int]) -> str:
    listed = ", ".join(map(str, numbers[:MAX_JOBS]))
    rest = f" and {len(numbers) - MAX_JOBS} more" if len(numbers) > MAX_JOBS else ""
    return f"job{'' if len(numbers) == 1 else 's'} {listed}{rest}"
