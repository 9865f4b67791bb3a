"""What checks found, told: for the terminal, as JSON, as JUnit XML, and as Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from kancli.compare.check import Check
from kancli.compare.tolerance import Comparison, Row

MAX_STATISTICS = 5  # statistics told of a run that drifted


def lines(check: Check) -> list[str]:
    """The answer for one baseline: one line, and more where something differs."""
    if check.comparison is None:
        return [f"{check.name}: inconclusive: {check.reason}"]
    found = check.comparison
    told = [f"{check.name}: {found.answer} ({found.tier.name}: {', '.join(found.tier.reasons)})"]
    if found.first is not None:
        told.append(f"  {_parting(found)}")
    if found.answer == "drift":
        told += [f"  {_row(row)}" for row in found.rows[:MAX_STATISTICS]]
    return told


def as_json(checks: Sequence[Check]) -> str:
    """One object a baseline, in a list."""
    return json.dumps([_plain(check) for check in checks], indent=2, ensure_ascii=False)


def as_junit(checks: Sequence[Check]) -> bytes:
    """One test case a baseline: a failure for drift, an error where nothing can be said."""
    counts = Counter(each.answer for each in checks)
    suite = ElementTree.Element("testsuite", name="kan-run check", tests=str(len(checks)),
                                failures=str(counts["drift"]), errors=str(counts["inconclusive"]))  # fmt: skip
    for check in checks:
        case = ElementTree.SubElement(suite, "testcase", classname="kancli.check", name=check.name)
        kind = {"drift": "failure", "inconclusive": "error"}.get(check.answer)
        if kind is not None:
            text = "\n".join(lines(check))
            ElementTree.SubElement(case, kind, message=text.splitlines()[0]).text = text
    return ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)


def as_markdown(checks: Sequence[Check]) -> str:
    """A table, for the summary of a CI job."""
    rows = ["| baseline | answer | why |", "|---|---|---|"]
    for check in checks:
        first, *more = lines(check)
        why = " ".join([first.removeprefix(f"{check.name}: {check.answer}").strip(": "), *map(str.strip, more)])
        rows.append(f"| {_cell(check.name)} | {check.answer} | {_cell(why)} |")
    return "\n".join(["### kan-run check", "", *rows, ""])


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def _parting(found: Comparison) -> str:
    equal = found.equal[-1] if found.equal else None
    return f"{found.first} differs first" + (f"; equal up to {equal}" if equal else "; nothing before it")


def _row(row: Row) -> str:
    difference = f", {row.apart}" if row.apart else ""
    return f"{row.name}: {_format_value(row.baseline)} was, {_format_value(row.now)} is{difference}"


def _format_value(value: float | str | None) -> str:
    return "null" if value is None else value if isinstance(value, str) else f"{value:.9g}"


def _plain(check: Check) -> dict[str, Any]:
    found = check.comparison
    told: dict[str, Any] = {"baseline": check.name, "answer": check.answer, "reason": check.reason}
    if found is not None:
        told |= {"tier": found.tier.name, "why": list(found.tier.reasons), "first": found.first,
                 "equal": list(found.equal), "rows": [row.plain() for row in found.rows]}  # fmt: skip
    return told
