"""What any folder of runs tells: which kind it is, its plan, and of each run its row and its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kancli.errors import ConfigError, one_line
from kancli.runs.reader import RunRecord, read_run
from kancli.sweeps import table
from kancli.sweeps.plan import MULTIRUN, PLAN, Plan, has_plan, read_plan
from kancli.sweeps.table import Row

HEAD = {"typed": list, "options": list, "swept": dict, "notices": list, "dropped": int}


@dataclass(frozen=True)
class RunsFolder:
    """A folder of runs, of a sweep, or a single run's."""

    folder: Path
    rows: Sequence[Row]
    records: Sequence[RunRecord | None]  # of each row; None where there is none
    head: Mapping[str, Any] | None = None  # of the plan, where there is one
    stats: Mapping[str, Any] = field(default_factory=dict)  # of a single run

    @property
    def name(self) -> str:
        """The folder's own name, wherever it is looked at from."""
        return self.folder.resolve().name

    @property
    def is_run(self) -> bool:
        """Whether it is a single run's folder."""
        return self.head is None and [row.folder for row in self.rows] == ["."]


def read_folder(folder: Path) -> RunsFolder:
    """Read a folder.

    Raises:
        ConfigError: it holds no runs, or one of the files that tell what it is is damaged.
    """
    if not folder.is_dir():
        raise ConfigError([f"{folder}: no such folder; give that of a sweep or of a run"])
    if has_plan(folder):
        return _planned(read_plan(folder))
    if (folder / "run.json").exists():
        run = read_run(folder)
        row = table.row_of_run(run)
        if row.status == "complete" and not row.verdicts:  # fatal here, where there is no other job
            raise ConfigError([row.cause or f"{folder}/stats.json: damaged: it has no verdicts"])
        return RunsFolder(folder, [row], [run.record], stats=run.stats if row.verdicts else {})
    rows = table.rows_without_plan(folder)
    return RunsFolder(folder, rows, [_read_record(folder / row.folder) for row in rows])


def _planned(plan: Plan) -> RunsFolder:
    path = plan.folder / PLAN
    for name, kind in HEAD.items():
        if not isinstance(plan.head.get(name), kind):
            raise ConfigError([f"{path}: damaged: its head's {name} is no {kind.__name__}"])
    if not all(isinstance(values, list) for values in plan.head["swept"].values()):
        raise ConfigError([f"{path}: damaged: the values of a swept key are no list"])
    try:
        rows = list(table.rows_of(plan))
        records = [plan.record(job) for job in plan.jobs]
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None
    return RunsFolder(plan.folder, rows, records, plan.head)


def _read_record(folder: Path) -> RunRecord | None:
    try:
        return read_run(folder).record
    except ConfigError:  # its row says so
        return None


def is_sweep(folder: Path) -> bool:
    """Whether a folder is a sweep's."""
    return (folder / MULTIRUN).exists() or has_plan(folder)
