"""The plan of a sweep, stored in its folder before the first job runs, and the state of its jobs."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from kancli.config.compose import settings_of
from kancli.config.recorded import with_legal_bounds
from kancli.config.settings import Settings
from kancli.errors import ConfigError
from kancli.regular_files import read_bytes
from kancli.runs.files import unwritable_message
from kancli.runs.hashes import hash_of_bytes, is_sealed, seal
from kancli.runs.json_files import convert, decode_json
from kancli.runs.reader import RunRecord, read_run
from kancli.runs.temporaries import remove_abandoned, replacement
from kancli.seeding import SEMANTICS
from kancli.spelling import show
from kancli.sweeps.plan_schema import PlanHead

PLAN = "plan.jsonl"  # the head, then one line per job
MULTIRUN = "multirun.yaml"  # Hydra's own record of a sweep
SCHEMA = 1


@dataclass(frozen=True)
class Job:
    """One run of a sweep: one line of the plan."""

    number: int
    words: list[str]  # the overrides that make it a single run
    changes: dict[str, Any]  # sections of its config that differ from the plan's base
    choices: dict[str, Any]  # the option of each group
    folder: str  # relative to the sweep's
    identity: str


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    number: int
    failure: str | None = None  # the cause, in one line
    no_room: bool = False  # the cause is that no more can be written: nothing is recorded, the other jobs fail as well


@dataclass(frozen=True)
class Plan:
    """A sweep as planned.

    Its head holds `semantics`, `typed` (the words of the command line), `options` (of kan-run, besides the words),
    `argv`, `swept` (the values of each key that has several), `notices`, `dropped` (the number of duplicate jobs),
    `hydra` (the record of Hydra's own part) and `base` (the config that `changes` are relative to).
    """

    folder: Path
    head: Mapping[str, Any]
    jobs: Sequence[Job]

    def config(self, job: Job) -> dict[str, Any]:
        """The composed config of a job, of plain values."""
        return {**self.head["base"], **job.changes}

    def settings(self, job: Job) -> Settings:
        """The settings of a job; of bounds that this kancli refuses, the defaults, see `with_legal_bounds`.

        Raises:
            ConfigError: they are no longer valid, such as when an input file is gone.
        """
        config, _ = with_legal_bounds(self.config(job))
        return settings_of({name: self._with_path(section) for name, section in config.items()})

    def _with_path(self, section: Any) -> Any:
        """A section of the config with a path, of its file of samples, that holds in the current folder.

        A relative path starts from the folder in which the sweep was planned. It is looked for from the sweep's folder,
        which may have moved together with the file, and then where it was.
        """
        try:
            path, start = section["path"], self.head["hydra"]["runtime"]["cwd"]
            relative = os.path.relpath(start, os.path.join(start, self.head["hydra"]["sweep"]["dir"]))
        except (KeyError, TypeError):  # a section without a file, or a plan without the record of Hydra
            return section
        if not isinstance(path, str) or os.path.isabs(path):
            return section
        for folder in (self.folder / relative, Path(start)):
            if (folder / path).is_file():
                located = path if _is_same_file(folder / path, Path(path)) else os.path.normpath(folder / path)
                return {**section, "path": located}
        return section

    def path(self, job: Job) -> Path:
        """The folder of a job."""
        return self.folder / job.folder

    def check_semantics(self) -> None:
        """Check that a job computed now has the numbers of one computed when the plan was made.

        Raises:
            ConfigError: the laws or the random streams have changed.
        """
        planned = self.head.get("semantics")
        if planned != SEMANTICS:
            raise ConfigError(
                [f"{self.folder}: planned with semantics {planned}, this kancli has {SEMANTICS} (see CHANGELOG.md):"
                 " new jobs would not be comparable with the finished ones; start the sweep again in a new folder"]
            )  # fmt: skip

    def record(self, job: Job) -> RunRecord | None:
        """The run.json of a job. None if it is missing, damaged or of another run."""
        try:
            record = read_run(self.path(job)).record
        except ConfigError:
            return None
        return record if record.identity == job.identity else None

    def status(self, job: Job) -> str | None:
        """The status in a job's run.json: "complete", "failed", "running" or "interrupted". None without a record."""
        record = self.record(job)
        return None if record is None else record.status

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Context manager: keeps other processes from running the sweep, also where `write_plan` replaces its plan.

        Raises:
            ConfigError: another process is running it.
        """
        return lock(self.folder / PLAN, self.folder)


_locks: dict[str, int] = {}  # descriptors of what this process has locked, by absolute path


@contextlib.contextmanager
def lock(path: Path, folder: Path) -> Iterator[None]:
    """Context manager: locks a sweep or a race by one of its files, or its folder.

    Raises:
        ConfigError: another process, or another block of this one, holds the lock.
    """
    descriptor, name = os.open(path, os.O_RDONLY), os.path.abspath(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ConfigError([f"{folder}: another kan-run is at work in this folder; wait for it"]) from None
    _locks[name] = descriptor
    try:
        yield
    finally:
        os.close(_locks.pop(name))


def _is_same_file(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


def write_plan(plan: Plan) -> None:
    """Write a plan to its folder, which must exist.

    Raises:
        ConfigError: it cannot be written.
    """
    lines = "".join(json.dumps(vars(job), ensure_ascii=False) + "\n" for job in plan.jobs).encode()
    head = {**plan.head, "schema": SCHEMA, "jobs": len(plan.jobs), "jobs_sha256": hash_of_bytes(lines)}
    path = plan.folder / PLAN
    try:
        remove_abandoned(path)
        with replacement(path) as file:  # locked
            file.write(f"{json.dumps(seal(head), ensure_ascii=False)}\n".encode() + lines)
            lock_of_new = os.dup(file.fileno())
    except OSError as error:
        raise ConfigError([unwritable_message(plan.folder, error, "hydra.sweep.dir")]) from None
    name = os.path.abspath(path)
    os.close(_locks.get(name, lock_of_new))
    if name in _locks:
        _locks[name] = lock_of_new


def has_plan(folder: Path) -> bool:
    """Whether a folder holds the plan of a sweep."""
    return (folder / PLAN).is_file()


def read_plan(folder: Path) -> Plan:
    """Read the plan of a sweep.

    Raises:
        ConfigError: it is missing or damaged.
    """
    path = folder / PLAN
    if not os.path.lexists(path):
        raise ConfigError([f"{path}: no such file; give the folder of a sweep"])
    head, typed_head, lines = _split(path)
    jobs = [_parse_job(f"{path}:{number + 2}", number, line) for number, line in enumerate(lines.splitlines())]
    if len(jobs) != typed_head.jobs:
        raise ConfigError([f"{path}: damaged: {len(jobs)} jobs, {typed_head.jobs} were planned"])
    if not is_sealed(head) or typed_head.jobs_sha256 not in (None, hash_of_bytes(lines)):
        raise ConfigError([f"{path}: damaged: is not the plan that the sweep wrote"])
    _check_links(folder, jobs)
    return Plan(folder, head, jobs)


def read_head(folder: Path) -> dict[str, Any]:
    """Read the head of a plan alone, which is as fast for many jobs as for few.

    Raises:
        ConfigError: it is missing or damaged.
    """
    head, _, _ = _split(folder / PLAN)
    return head


def _split(path: Path) -> tuple[dict[str, Any], PlanHead, bytes]:
    """The head of a plan, also by its type, and the lines of its jobs."""
    first, _, lines = read_bytes(path).partition(b"\n")
    head = decode_json(path, first, dict[str, Any], unique=True)
    if head.get("schema") != SCHEMA:
        raise ConfigError([f"{path}: has schema {show(head.get('schema'))}, this kancli reads {SCHEMA}"])
    return head, convert(path, head, PlanHead), lines


def _check_links(folder: Path, jobs: Sequence[Job]) -> None:
    """Check that no job's folder, nor one on the way to it, is a symbolic link, which may lead out of the sweep's.

    Raises:
        ConfigError: one is.
    """
    with os.scandir(folder) as entries:  # reads their kinds too: much faster than a call for each of many jobs
        links = {entry.name for entry in entries if entry.is_symlink()}
    for job in jobs:
        first, *rest = PurePath(job.folder).parts if "/" in job.folder else (job.folder,)
        nested = itertools.accumulate(rest, os.path.join, initial=str(folder / first)) if rest else ()
        if first in links or any(map(os.path.islink, nested)):
            raise ConfigError([f"{folder / job.folder}: is reached by a symbolic link; jobs lie in the sweep's folder"])


def _parse_job(place: str, number: int, line: bytes) -> Job:
    """Decode the line of a job.

    Args:
        place: the file and the number of the line.

    Raises:
        ConfigError: it is damaged.
    """
    job = decode_json(place, line, Job, unique=True)
    if job.number != number:
        raise ConfigError([f"{place}: damaged: its number is {job.number}; this is the line of job {number}"])
    if not is_below(job.folder):
        raise ConfigError([f"{place}: damaged: job {number} is not below the sweep's folder: {job.folder}"])
    return job


def is_below(folder: str) -> bool:
    """Whether the name of a job's folder stays below the sweep's folder."""
    path = PurePath(folder)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in folder
