"""`kan-run diff`: the differences between two runs: config, environment, hashes of stages, statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kancli.compare.baseline import Record, read
from kancli.compare.deviations import Deviation, Tolerance, compare_statistics, compare_training
from kancli.compare.tolerance import other_files, sort_stages
from kancli.spelling import show

MAX_STATISTICS, MAX_STAGES = 20, 4  # on the terminal
ZERO_TOLERANCE = Tolerance(0.0, 0.0, 0.0)
Change = tuple[str, str, str]  # a name, and its value in the first run and in the second


@dataclass(frozen=True)
class Difference:
    """The differences between two runs."""

    names: tuple[str, str]
    config: tuple[Change, ...]
    environment: tuple[Change, ...]
    stages: tuple[str, ...]  # whose hashes differ, in the order of the computation
    deviations: tuple[Deviation, ...]  # of statistics, the largest first
    files: Mapping[str, str]  # a line on files of samples with different contents, by section

    @property
    def differs(self) -> bool:
        """Whether the runs differ; another environment alone is no difference."""
        return bool(self.config or self.stages or self.deviations or self.files)


def diff(first: Path, second: Path) -> Difference:
    """Compare two runs, each a folder or a blessed file.

    Raises:
        InconclusiveError: one of them is missing, damaged, not complete, or of another schema.
    """
    a, b = read(first), read(second)
    deviations = compare_statistics(a, b, ZERO_TOLERANCE) if _same_depth(a, b) else []
    deviations += [row for row in compare_training(a.stats, b.stats) if row.baseline != row.now]
    stages = [stage for stage in sort_stages({**a.ladder, **b.ladder}) if a.ladder.get(stage) != b.ladder.get(stage)]
    config = _changes(a.config, b.config)
    files = other_files(a, b)
    if files and not config and "config" in stages:  # its hash covers the file
        stages.remove("config")
    return Difference(
        (a.name, b.name),
        tuple(config),
        tuple(_changes(a.environment, b.environment)),
        tuple(stages),
        tuple(deviations),
        files,
    )


def format_lines(difference: Difference) -> list[str]:
    """Format the differences for the terminal."""
    if not difference.differs and not difference.environment:
        return ["no difference"]
    lines = [f"- {difference.names[0]}", f"+ {difference.names[1]}"]
    lines += difference.files.values()
    for title, changes in (("config", difference.config), ("environment", difference.environment)):
        if changes:
            lines += [title, *(f"  {name}: {first} | {second}" for name, first, second in changes)]
    if difference.stages:
        rest = ", ..." if len(difference.stages) > MAX_STAGES else ""
        lines += ["stages that differ", f"  {', '.join(difference.stages[:MAX_STAGES])}{rest}"]
    if difference.deviations:
        lines.append("statistics")
        for row in difference.deviations[:MAX_STATISTICS]:
            lines.append(f"  {row.name}: {show(row.baseline)} | {show(row.now)}{row.format_difference()}")
        if (n_more := len(difference.deviations) - MAX_STATISTICS) > 0:
            lines.append(f"  ... and {n_more} more")
    return lines


def as_document(difference: Difference) -> dict[str, Any]:
    """The document of `diff --json`."""
    return {
        "runs": difference.names,
        "inputs": difference.files.get("inputs"),
        "task": difference.files.get("task"),
        "model": difference.files.get("model"),
        "config": difference.config,
        "environment": difference.environment,
        "rungs": difference.stages,
        "statistics": [deviation.plain() for deviation in difference.deviations],
    }


def _same_depth(a: Record, b: Record) -> bool:
    """Whether two runs have the same number of layers; otherwise their statistics are not comparable."""
    return len(a.stats["layers"]) == len(b.stats["layers"])


def _changes(first: Mapping[str, Any], second: Mapping[str, Any], path: str = "") -> list[Change]:
    changes = []
    for name in {**first, **second}:
        inner, left, right = f"{path}{name}", first.get(name), second.get(name)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            changes += _changes(left, right, f"{inner}.")
        elif left != right:
            changes.append((inner, show(left), show(right)))
    return changes
