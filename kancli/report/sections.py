"""The plan of a sweep in words, what failed, and the commands that make it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from kancli.report.elements import Markup, command, grid, link, tag, together
from kancli.sweeps import table
from kancli.sweeps.plan import ENDED
from kancli.sweeps.reader import RunsFolder
from kancli.sweeps.table import Row

SYMBOLS = {"complete": "✓", "failed": "✗", "damaged": "✗", "running": "…", "interrupted": "◐", "missing": "○"}
MAX_VALUES = 12  # of a swept key
MAX_ROWS = 100


def chips(rows: Sequence[Row]) -> Markup:
    """How many jobs ended how."""
    told = table.counts(rows)
    order = [*(name for name in SYMBOLS if name in told), *(name for name in told if name not in SYMBOLS)]
    shown = (
        tag("span", f"{SYMBOLS.get(name, '?')} {told[name]} {name}", class_=f"chip {kind(name)}") for name in order
    )
    return tag("p", *(together([each, " "]) for each in shown), class_="chips")


def kind(status: str) -> str:
    """The class of a status, whatever word it is."""
    return f"is-{status}" if status in SYMBOLS else "is-damaged"


def plan(found: RunsFolder) -> Markup:
    """What was swept, over which values, and what the plan noticed."""
    if found.head is None:
        keys = dict.fromkeys(key for row in found.rows for key in row.keys)
        values = {key: list(dict.fromkeys(row.keys.get(key, "not given") for row in found.rows)) for key in keys}
        intro = tag("p", f"{len(found.rows)} runs without a plan: what differs among their overrides counts as swept.")
        return together([intro, _values(values)])
    head = found.head
    factors = [str(len(values)) for values in head["swept"].values()]
    product = f"{' × '.join(factors)} = " if len(factors) > 1 else ""
    dropped = head["dropped"]
    said = f"{product}{len(found.rows) + dropped} jobs planned"
    if dropped:
        said += f"; {dropped} would have repeated another and were dropped, which leaves {len(found.rows)}"
    notices = tag("ul", *(tag("li", str(each)) for each in head["notices"])) if head["notices"] else Markup()
    return together([tag("p", f"{said}."), _values(head["swept"]), notices])


def _values(swept: dict[str, list[str]]) -> Markup:
    if not swept:
        return tag("p", "No key has several values.")
    parts = []
    for key, values in swept.items():
        shown = [tag("code", str(value)) for value in values]
        if len(values) > MAX_VALUES:
            shown = [*shown[:6], Markup("…"), *shown[-2:]]
        count = tag("span", f" {len(values)} value{'' if len(values) == 1 else 's'}", class_="quiet")
        parts += [tag("dt", tag("code", key)), tag("dd", *(together([each, " "]) for each in shown), count)]
    return tag("dl", *parts, class_="plan")


def failures(rows: Sequence[Row]) -> Markup | None:
    """Jobs that are not complete, with their cause and the command that makes each alone; None where there are none."""
    failed = [row for row in rows if row.cause or row.status not in ("complete", table.NO_RECORD)]
    missing = [row for row in rows if row.status == table.NO_RECORD and not row.cause]
    parts = []
    if failed:
        lines = [
            [
                tag("a", f"job {row.number}", href=f"{link(row.folder)}/"),
                tag("span", f"{SYMBOLS.get(row.status, '?')} {row.status}", class_=f"chip {kind(row.status)}"),
                row.cause or "no cause recorded",
                command(row.replay),
            ]
            for row in failed[:MAX_ROWS]
        ]
        parts.append(grid(["job", "status", "cause", "made alone by"], lines, "failures", class_="words"))
        if len(failed) > MAX_ROWS:
            parts.append(tag("p", f"... and {len(failed) - MAX_ROWS} more: summary.json and the table have them all."))
    if missing:
        named = ", ".join(str(row.number) for row in missing[:MAX_ROWS])
        more = ", ..." if len(missing) > MAX_ROWS else ""
        parts.append(tag("p", f"{len(missing)} job{'' if len(missing) == 1 else 's'} left no record: {named}{more}."))
    return together(parts) if parts else None


def commands(found: RunsFolder) -> Markup:
    """How to make all of it again, and how to go on with what is not complete."""
    if found.head is None:
        lines = [["the run" if found.is_run else f"job {row.number}", command(row.replay)] for row in found.rows[:1]]
    else:
        words = ["kan-run", *found.head["options"], "-m", *found.head["typed"]]
        lines = [["the whole sweep", command(shlex.join(map(str, words)))]]
        here = shlex.quote(found.name)
        if any(row.status not in ENDED for row in found.rows):
            lines.append(["what is missing", command(f"kan-run resume {here}")])
        if any(row.status == "failed" for row in found.rows):
            lines.append(["what failed", command(f"kan-run resume {here} --only failed")])
        lines.append(["this page", command(f"kan-run report {here}")])
    remark = "" if found.is_run else " The command of each job is in the table's last column."
    where = "" if found.head is None else f" Those that name {found.name} are typed in the folder that holds it."
    told = tag("p", f"{remark}{where}".strip(), class_="quiet")
    return together([grid(["", "command"], lines, "commands", class_="words"), told])
