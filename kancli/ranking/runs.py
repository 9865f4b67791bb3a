"""The runs of some sweeps, as a ranking reads them: of each its overrides, its record, and what training came to.

Only run.json and stats.json are read, and verified: a ranking of ten thousand runs takes seconds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from kancli.errors import ConfigError, one_line
from kancli.runs.reader import RecordedRun, parse_override_words, read_run
from kancli.sweeps.plan import Job, has_plan, read_plan
from kancli.sweeps.table import run_folders

Number: TypeAlias = float | dict[str, Any] | None
FAILED, COMPLETE, NOT_READ = "failed", "complete", "missing or damaged"


class Training(msgspec.Struct, frozen=True):
    """What training came to; each number of a run of several members is a summary over them."""

    train_loss: Number
    first_train_loss: Number
    test_loss: Number
    rel_l2: Number
    diverged: int
    steps_to_tenth: Number = None
    steps_to_hundredth: Number = None
    steps_to_thousandth: Number = None
    singular: bool = False


class _Stats(msgspec.Struct, frozen=True):
    """The part of stats.json that counts."""

    training: Training | None = None


@dataclass(frozen=True)
class Run:
    """A run of a sweep."""

    status: str  # as in run.json, or `NOT_READ`
    overrides: Mapping[str, str]  # as typed
    recorded: RecordedRun | None = None
    training: Training | None = None  # of a complete run with a task

    @property
    def config(self) -> Mapping[str, Any]:
        return self.recorded.record.config if self.recorded else {}

    def section(self, name: str) -> Mapping[str, Any]:
        """A section of the config; empty where the run has none."""
        section = self.config.get(name)
        return section if isinstance(section, dict) else {}  # not Mapping, whose check takes a second for 10,000 runs

    def number(self, key: str, default: int) -> int:
        """A whole number of the config, or as typed where there is no record."""
        value = self.config.get(key, self.overrides.get(key))
        try:
            return default if value is None else int(value)
        except (TypeError, ValueError):
            return default


def read_runs(folders: Sequence[Path]) -> tuple[list[Run], Mapping[str, Any]]:
    """Read the runs of sweeps and of other folders of runs, and the keys of `study` in the first sweep.

    Raises:
        ConfigError: a folder is missing or holds no runs, or its plan is damaged.
    """
    runs, study = [], None
    for folder in dict.fromkeys(path.resolve() for path in folders):
        if not folder.is_dir():
            raise ConfigError([f"{folder}: no such folder; name the folder of a sweep"])
        if has_plan(folder):
            plan = read_plan(folder)
            runs += [_read(plan.path(job), job.words, job) for job in plan.jobs]
            study = plan.head["base"].get("study", {}) if study is None else study
        elif found := run_folders(folder):
            runs += [_read(path) for path in found]
        else:
            raise ConfigError([f"{folder}: holds no runs"])
    return runs, study if isinstance(study, Mapping) else {}


def _read(folder: Path, words: Sequence[str] = (), job: Job | None = None) -> Run:
    """Read a run; of a planned job that has none in its place, what its words say."""
    try:
        if not os.path.lexists(folder / "run.json"):
            return Run(NOT_READ, parse_override_words(words))
        run = read_run(folder)
        if job is not None and run.record.identity != job.identity:
            return Run(NOT_READ, parse_override_words(words))
        words = words or run.record.overrides
        training = _read_training(run) if run.record.status == COMPLETE else None
        return Run(run.record.status, parse_override_words(words), run, training)
    except ConfigError:
        return Run(NOT_READ, parse_override_words(words))


def _read_training(run: RecordedRun) -> Training | None:
    """The entry `training` of stats.json.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    try:
        return msgspec.json.decode(run.read("stats.json"), type=_Stats).training
    except msgspec.DecodeError as error:
        raise ConfigError([f"{run.folder}/stats.json: damaged: {one_line(error)}"]) from None
