"""Output of `kan-run check`: lines for the terminal, JSON, JUnit XML and Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from kancli.compare.check import CheckResult
from kancli.compare.deviations import Deviation
from kancli.runs.terminal import clean

MAX_STATISTICS = 5  # of a run that drifted


def format_lines(result: CheckResult) -> list[str]:
    """Format the answer for one baseline: one line, and details if something differs."""
    comparison = result.comparison
    if comparison is None:
        return [f"{result.name}: inconclusive: {(result.reason or '').removeprefix(f'{result.name}: ')}"]
    lines = [f"{result.name}: {comparison.answer} ({comparison.tier.name}: {', '.join(comparison.tier.reasons)})"]
    if comparison.first is not None:
        equal = f" (equal up to {comparison.equal[-1]})" if comparison.equal else ""
        lines.append(f"  first difference: {comparison.cause or comparison.first}{equal}")
    if comparison.answer == "drift":
        lines += [f"  {_format_deviation(row)}" for row in comparison.deviations[:MAX_STATISTICS]]
    if result.hint is not None:
        lines.append(f"  {result.hint}")
    return lines


def as_document(results: Sequence[CheckResult]) -> list[dict[str, Any]]:
    """The document of `check --json`: one object for each baseline."""
    return [_plain(result) for result in results]


def as_junit(results: Sequence[CheckResult]) -> bytes:
    """Encode one test case for each baseline: a failure for drift, an error if it is inconclusive."""
    counts = Counter(result.answer for result in results)
    suite = ElementTree.Element("testsuite", name="kan-run check", tests=str(len(results)),
                                failures=str(counts["drift"]), errors=str(counts["inconclusive"]))  # fmt: skip
    for result in results:
        case = ElementTree.SubElement(suite, "testcase", classname="kancli.check", name=_xml_text(result.name))
        tag = {"drift": "failure", "inconclusive": "error"}.get(result.answer)
        if tag is not None:
            text = _xml_text("\n".join(format_lines(result)))
            ElementTree.SubElement(case, tag, message=text.splitlines()[0]).text = text
    return ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)


def _xml_text(text: str) -> str:
    """Replace the characters that XML cannot hold, not even escaped."""
    return re.sub("[\ud800-\udfff\ufffe\uffff]", "\ufffd", clean(text))


def as_markdown(results: Sequence[CheckResult]) -> str:
    """Format a table for the summary of a CI job."""
    rows = ["| baseline | answer | why |", "|---|---|---|"]
    for result in results:
        first, *details = format_lines(result)
        why = " ".join([first.removeprefix(f"{result.name}: {result.answer}").strip(": "), *map(str.strip, details)])
        rows.append(f"| {_format_cell(result.name)} | {result.answer} | {_format_cell(why)} |")
    return "\n".join(["### kan-run check", "", *rows, ""])


def _format_cell(text: str) -> str:
    return clean(text).replace("\n", " ").replace("|", "\\|")


def _format_deviation(row: Deviation) -> str:
    return f"{row.name}: {_format_value(row.baseline)} -> {_format_value(row.now)}{row.format_difference()}"


def _format_value(value: float | str | None) -> str:
    return "null" if value is None else value if isinstance(value, str) else f"{value:.9g}"


def _plain(result: CheckResult) -> dict[str, Any]:
    content: dict[str, Any] = {"baseline": result.name, "answer": result.answer, "reason": result.reason}
    if (comparison := result.comparison) is not None:
        content |= {
            "tier": comparison.tier.name,
            "why": list(comparison.tier.reasons),
            "first": comparison.first,
            "equal": list(comparison.equal),
            "reason": comparison.cause,
            "rows": [row.plain() for row in comparison.deviations],
            "hint": result.hint,
        }
    return content
