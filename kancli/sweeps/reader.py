"""Read a folder of runs: sweep, plain folder or single run, with its plan, rows and records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kancli.errors import ConfigError
from kancli.runs.reader import RecordedRun, RunRecord, read_run
from kancli.sweeps import table
from kancli.sweeps.history import RACE
from kancli.sweeps.plan import MULTIRUN, has_plan, read_plan
from kancli.sweeps.row import Row


@dataclass(frozen=True)
class RunsFolder:
    """The contents of a folder: a sweep, runs without a plan, or a single run."""

    folder: Path
    rows: Sequence[Row]
    records: Sequence[RunRecord | None]  # one for each row; None if it is missing or damaged
    head: Mapping[str, Any] | None = None  # of the plan; None without a plan
    stats: Mapping[str, Any] = field(default_factory=dict)  # of a single run

    @property
    def runs(self) -> Iterator[tuple[Row, RecordedRun]]:
        """The runs that are not damaged, to read other files of theirs."""
        for row, record in zip(self.rows, self.records, strict=True):
            if record is not None and row.status != table.DAMAGED:
                yield row, RecordedRun(self.folder / row.folder, record)

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
        ConfigError: it holds no runs; or its plan, or a file of a single run, is damaged. Damaged jobs are rows.
    """
    if not folder.is_dir():
        raise ConfigError([f"{folder}: no such folder; name the folder of a sweep or of a run"])
    if has_plan(folder):
        plan = read_plan(folder)
        return _of_jobs(folder, table.read_jobs(plan), plan.head)
    if (folder / "run.json").exists():
        return _read_single(folder)
    if (folder / RACE).exists():
        raise ConfigError(
            [f"{folder}: is a race, which keeps no runs: race.json has its answer, race.csv its networks"]
        )
    return _of_jobs(folder, table.read_runs_without_plan(folder))


def _read_single(folder: Path) -> RunsFolder:
    run = read_run(folder)
    run.verify()
    row = table.read_row(run)
    if row.status == table.DAMAGED or (row.status == "complete" and not row.verdicts):
        raise ConfigError([row.cause or f"{folder}/stats.json: damaged: it has no verdicts"])
    return RunsFolder(folder, [row], [run.record], stats=run.stats if row.verdicts else {})


def _of_jobs(
    folder: Path, jobs: Iterable[tuple[Row, RunRecord | None]], head: Mapping[str, Any] | None = None
) -> RunsFolder:
    pairs = list(jobs)
    return RunsFolder(folder, [row for row, _ in pairs], [record for _, record in pairs], head)


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep."""
    return (folder / MULTIRUN).exists() or has_plan(folder)
