"""The state of a job, from its folder: complete, failed, unfinished, or something else that lies in its place."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from kancli.errors import ConfigError
from kancli.runs.reader import read_run
from kancli.sweeps.plan import Job, Plan


@dataclass(frozen=True)
class JobState:
    """What the folder of a job holds."""

    status: str | None  # as in run.json; None if the folder does not hold this job's record with all of its files
    fault: str | None = None  # why it does not, if anything lies there


def state_of(plan: Plan, job: Job) -> JobState:
    """Read and verify the folder of a job."""
    path = plan.path(job)
    if not os.path.lexists(path):
        return JobState(None)
    if path.is_symlink() or not path.is_dir():
        return JobState(None, "a file lies in the place of its folder")
    try:
        run = read_run(path)
        if run.record.has_ended:
            run.verify()
    except ConfigError as error:
        return JobState(None, str(error).removeprefix(f"{path}/").removeprefix(f"{path}: damaged: "))
    if run.record.identity != job.identity:
        return JobState(None, "it holds the run of another config")
    return JobState(run.record.status)


def clear(plan: Plan, job: Job) -> None:
    """Remove whatever lies in the place of a job's folder, unless it is its complete record.

    Raises:
        ConfigError: it cannot be removed, or does not lie below the sweep's folder.
    """
    path, sweep = plan.path(job), plan.folder.resolve()
    if not os.path.lexists(path) or state_of(plan, job).status == "complete":
        return
    place = path.parent.resolve() / path.name
    if path.name in ("", "..") or place == sweep or sweep not in place.parents:
        raise ConfigError([f"{path}: lies outside the folder of the sweep: name a folder below it"])
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        else:
            shutil.rmtree(path)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be removed: {error.strerror}"]) from None
