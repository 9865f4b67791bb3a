"""`kan-run diff`: what differs between two runs, and nothing else: config, environment, parameters, statistics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kancli.compare import baseline
from kancli.compare.baseline import Record
from kancli.compare.tolerance import Row, Tolerance, differing, in_order
from kancli.schema import show

MAX_ROWS = 20  # statistics told on the terminal
NONE = Tolerance(0.0, 0.0, 0.0)
Change = tuple[str, str, str]  # a name, and its value in one and in the other


@dataclass(frozen=True)
class Difference:
    """What differs; empty where nothing does."""

    names: tuple[str, str]
    config: tuple[Change, ...]
    environment: tuple[Change, ...]
    rungs: tuple[str, ...]  # of the ladder, in the order of the computation
    rows: tuple[Row, ...]  # of the statistics, those that differ most first

    @property
    def differs(self) -> bool:
        """Whether the runs do: their environment alone is no difference."""
        return bool(self.config or self.rungs or self.rows)


def diff(one: Path, other: Path) -> Difference:
    """Hold two runs, folders or blessed files, side by side.

    Raises:
        InconclusiveError: one of them is missing, damaged, not finished, or of another schema.
    """
    a, b = baseline.read(one), baseline.read(other)
    rows = [*differing(a, b, NONE)] if _same_shape(a, b) else []
    return Difference(
        (a.name, b.name),
        tuple(_changes(a.config, b.config)),
        tuple(_changes(a.environment, b.environment)),
        tuple(name for name in in_order({**a.ladder, **b.ladder}) if a.ladder.get(name) != b.ladder.get(name)),
        tuple(sorted(rows, key=lambda row: -row.difference)),
    )


def lines(found: Difference) -> list[str]:
    """What differs, for the terminal."""
    if not found.differs and not found.environment:
        return ["no difference"]
    told = [f"- {found.names[0]}", f"+ {found.names[1]}"]
    for title, changes in (("config", found.config), ("environment", found.environment)):
        if changes:
            told += [title, *(f"  {name}: {one} | {other}" for name, one, other in changes)]
    if found.rungs:
        told += ["first to differ", f"  {', '.join(found.rungs[:4])}" + (" ..." if len(found.rungs) > 4 else "")]
    if found.rows:
        told.append("statistics")
        for row in found.rows[:MAX_ROWS]:
            errors = f"  ({row.apart})" if row.apart else ""
            told.append(f"  {row.name}: {show(row.baseline)} | {show(row.now)}{errors}")
        if len(found.rows) > MAX_ROWS:
            told.append(f"  ... and {len(found.rows) - MAX_ROWS} more")
    return told


def as_json(found: Difference) -> str:
    """The same, whole."""
    rows = [row.plain() for row in found.rows]
    content = {"runs": found.names, "config": found.config, "environment": found.environment, "rungs": found.rungs}
    return json.dumps({**content, "statistics": rows}, indent=2, ensure_ascii=False)


def _same_shape(a: Record, b: Record) -> bool:
    """Whether statistics of two runs have the same places: those of other widths or members do not."""
    return len(a.stats["layers"]) == len(b.stats["layers"])


def _changes(one: Mapping[str, Any], other: Mapping[str, Any], path: str = "") -> list[Change]:
    changes = []
    for name in {**one, **other}:
        here, left, right = f"{path}{name}", one.get(name), other.get(name)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            changes += _changes(left, right, f"{here}.")
        elif left != right:
            changes.append((here, show(left), show(right)))
    return changes
