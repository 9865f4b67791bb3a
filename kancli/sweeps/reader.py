"""Read a folder of runs: sweep, plain folder or single run, with its plan, rows and records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kancli.errors import ConfigError
from kancli.runs.reader import RunRecord, read_run
from kancli.sweeps import table
from kancli.sweeps.plan import MULTIRUN, Plan, has_plan, read_plan
from kancli.sweeps.table import Row


@dataclass(frozen=True)
class RunsFolder:
    """The contents of a folder: a sweep, runs without a plan, or a single run."""

    folder: Path
    rows: Sequence[Row]
    records: Sequence[RunRecord | None]  # one for each row; None if it is missing or damaged
    head: Mapping[str, Any] | None = None  # of the plan; None without a plan
    stats: Mapping[str, Any] = field(default_factory=dict)  # of a single run

    @property
    def name(self) -> str:
        """The name of the folder; not empty for `.` either."""
        return self.folder.resolve().name

    @property
    def is_run(self) -> bool:
        """Whether the folder is that of a single run."""
        return self.head is None and [row.folder for row in self.rows] == ["."]


def read_folder(folder: Path) -> RunsFolder:
    """Read a folder of runs.

    Raises:
        ConfigError: it holds no runs; or its plan, or the record or statistics of a single run, are damaged.
    """
    if not folder.is_dir():
        raise ConfigError([f"{folder}: no such folder; name the folder of a sweep or of a run"])
    if has_plan(folder):
        return _read_planned(read_plan(folder))
    if (folder / "run.json").exists():
        run = read_run(folder)
        row = table.read_row(run)
        if row.status == "complete" and not row.verdicts:  # the only run: there is nothing else to return
            raise ConfigError([row.cause or f"{folder}/stats.json: damaged: it has no verdicts"])
        return RunsFolder(folder, [row], [run.record], stats=run.stats if row.verdicts else {})
    rows = table.read_rows_without_plan(folder)
    return RunsFolder(folder, rows, [_read_record(folder / row.folder) for row in rows])


def _read_planned(plan: Plan) -> RunsFolder:
    rows = list(table.read_rows(plan))
    return RunsFolder(plan.folder, rows, [plan.record(job) for job in plan.jobs], plan.head)


def _read_record(folder: Path) -> RunRecord | None:
    try:
        return read_run(folder).record
    except ConfigError:  # the cause is in its row
        return None


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep."""
    return (folder / MULTIRUN).exists() or has_plan(folder)
