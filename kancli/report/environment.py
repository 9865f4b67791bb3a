"""Where the jobs were made: what the first one's record says, and where others differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kancli.report.elements import Markup, grid, tag, together
from kancli.stats.columns import flat
from kancli.sweeps.table import Row

PARTS = ("versions", "git", "platform", "cpu", "threads", "semantics")
MAX_JOBS = 12  # named, that differ


def environment(rows: Sequence[Row], records: Sequence[Mapping[str, Any]]) -> Markup:
    """A line a version, processor, number of threads, commit: of the first job that left a record, and of others where
    they differ."""
    told = [(row.number, _parts(record)) for row, record in zip(rows, records, strict=True) if record]
    if not told:
        return tag("p", "No job has left a record yet.")
    first_job, first = told[0]
    names = dict.fromkeys(name for _, parts in told for name in parts)
    lines = []
    same = True
    for name in names:
        others: dict[str, list[int]] = {}
        for number, parts in told:
            if parts.get(name) != first.get(name):
                others.setdefault(parts.get(name, "not told"), []).append(number)
        same = same and not others
        differ = "; ".join(f"{value}: {_jobs(numbers)}" for value, numbers in others.items())
        lines.append([name, first.get(name, "not told"), *([differ] if len(told) > 1 else [])])
    if len(told) == 1:
        return grid(["", "as recorded"], lines, "environment", class_="words")
    remark = f"The same in all {len(told)} jobs that left a record." if same else "Not the same in all jobs."
    heads = ["", f"job {first_job}", "where jobs differ"]
    if same:
        heads, lines = heads[:2], [line[:2] for line in lines]
    return together([tag("p", remark), grid(heads, lines, "environment", class_="words")])


def _parts(record: Mapping[str, Any]) -> dict[str, str]:
    """What a record says of its surroundings, by name."""
    told = {}
    for part in PARTS:
        value = record.get(part)
        inner = flat(value) if isinstance(value, Mapping) else {"": value}
        for name, each in inner.items():
            title = name if part == "versions" else f"{part} {name}".strip()
            told[title] = _word(each)
    return told


def _word(value: Any) -> str:
    if value is None:
        return "not known"
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"


def _jobs(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:MAX_JOBS]))
    more = f" and {len(numbers) - MAX_JOBS} more" if len(numbers) > MAX_JOBS else ""
    return f"job{'' if len(numbers) == 1 else 's'} {named}{more}"
