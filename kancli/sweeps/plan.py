"""The plan of a sweep, frozen in its folder before the first job: what each job is, and what has become of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from kancli.config.compose import settings_of
from kancli.config.identity import identity
from kancli.config.settings import Settings
from kancli.errors import ConfigError, one_line
from kancli.runs.files import unwritable_message, write_whole
from kancli.runs.reader import RunRecord, read_run
from kancli.seeding import SEMANTICS
from kancli.sweeps.jobs import Composed, Expansion

if TYPE_CHECKING:
    from kancli.config.presets import Presets
    from kancli.config.settings import Settings


PLAN = "plan.jsonl"  # the head, then a line a job
MASTER = "multirun.yaml"  # Hydra's own record of a sweep
SCHEMA = 1


@dataclass(frozen=True)
class Job:
    """One run of a sweep, as it was planned."""

    number: int
    words: list[str]  # that would make it alone
    changes: dict[str, Any]  # the sections of its config that are not those of the plan's base
    choices: dict[str, Any]  # the option of each group
    folder: str  # below the sweep's
    identity: str


@dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    number: int
    failure: str | None = None  # why it failed, in one line


@dataclass(frozen=True)
class Plan:
    """A sweep as it was planned.

    Its head holds `semantics`, `typed`, `options` (of kan-run, besides the words), `argv`, `swept` (the values of each
    key that has several), `notices`, `dropped` (how many jobs would have repeated another), `hydra` (the record of
    Hydra's own part) and `base` (the config that `changes` are made to).
    """

    folder: Path
    head: Mapping[str, Any]
    jobs: Sequence[Job]

    def config(self, job: Job) -> dict[str, Any]:
        """A job's composed config, of plain values."""
        return {**self.head["base"], **job.changes}

    def settings(self, job: Job) -> Settings:
        """A job's settings.

        Raises:
            ConfigError: they do not hold any more, as where a file of samples has gone.
        """
        return settings_of(self.config(job))

    def path(self, job: Job) -> Path:
        """A job's folder."""
        return self.folder / job.folder

    def check_semantics(self) -> None:
        """Check that jobs made now are what was planned.

        Raises:
            ConfigError: the laws or the random streams have changed.
        """
        planned = self.head.get("semantics")
        if planned != SEMANTICS:
            raise ConfigError(
                [f"{self.folder}: planned with semantics {planned}, this kancli has {SEMANTICS} (see CHANGELOG.md):"
                 " what is missing would not fit what is there; run the sweep anew"]
            )  # fmt: skip

    def record(self, job: Job) -> RunRecord | None:
        """A job's run.json; None where there is none, or one of another run."""
        try:
            record = read_run(self.path(job)).record
        except ConfigError:
            return None
        return record if record.identity == job.identity else None

    def status(self, job: Job) -> str | None:
        """How a job ended, or "running" or "interrupted"; None where it left no record."""
        record = self.record(job)
        return None if record is None else record.status

    def clear(self, job: Job) -> None:
        """Remove what an attempt at a job left that did not complete.

        Raises:
            ConfigError: it cannot be removed.
        """
        if self.status(job) not in (None, "complete"):
            try:
                shutil.rmtree(self.path(job))
            except OSError as error:
                raise ConfigError([f"{self.path(job)}: cannot be removed: {error.strerror}"]) from None

    @contextlib.contextmanager
    def begun(self) -> Iterator[None]:
        """Within, this process alone works on the sweep.

        Raises:
            ConfigError: another one does.
        """
        with (self.folder / PLAN).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigError([f"{self.folder}: another kan-run is at work on this sweep; wait for it"]) from None
            yield


def freeze(plan: Plan) -> None:
    """Write a plan to its folder, which must be there.

    Raises:
        ConfigError: it cannot be written.
    """
    lines = [json.dumps({**plan.head, "schema": SCHEMA, "jobs": len(plan.jobs)}, ensure_ascii=False)]
    lines += [json.dumps(vars(job), ensure_ascii=False) for job in plan.jobs]
    try:
        write_whole(plan.folder / PLAN, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise ConfigError([unwritable_message(plan.folder, error, "hydra.sweep.dir")]) from None


def is_planned(folder: Path) -> bool:
    """Whether a folder is that of a planned sweep."""
    return (folder / PLAN).is_file()


def read(folder: Path) -> Plan:
    """The plan of a sweep.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    path = folder / PLAN
    try:
        with path.open(encoding="utf-8") as file:
            head = json.loads(next(file))
            if head.get("schema") != SCHEMA:
                raise ConfigError([f"{path}: has schema {head.get('schema')}, this kancli reads {SCHEMA}"])
            jobs = [_job(json.loads(line)) for line in file]
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file; give the folder of a sweep"]) from None
    except (OSError, ValueError, AttributeError, TypeError, KeyError, StopIteration) as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None
    if len(jobs) != head["jobs"]:
        raise ConfigError([f"{path}: damaged: {len(jobs)} jobs, {head['jobs']} were planned"])
    return Plan(folder, head, jobs)


def _job(line: Mapping[str, Any]) -> Job:
    job = Job(**line)
    if Path(job.folder).is_absolute() or ".." in Path(job.folder).parts:
        raise ValueError(f"job {job.number} lies outside: {job.folder}")
    return job


def planned(found: Expansion, config: DictConfig, typed: Sequence[str], presets: Presets) -> Plan:
    """The plan of what was found, in the folder that the config names."""
    head = {**initial_head(config, typed, presets, found.jobs[0].config), "swept": found.swept, "notices": found.notices,
            "dropped": found.dropped}  # fmt: skip
    jobs = [planned_job(number, each, head) for number, each in enumerate(found.jobs)]
    check_places(jobs, head)
    return Plan(Path(config.hydra.sweep.dir), head, jobs)


def initial_head(config: DictConfig, typed: Sequence[str], presets: Presets, base: Mapping[str, Any]) -> dict[str, Any]:
    """The head of a plan that holds no jobs yet.

    Args:
        base: a config near that of all jobs.
    """
    return {
        "semantics": SEMANTICS,
        "typed": list(typed),
        "options": [] if presets.own is None else ["--config-dir", str(presets.own)],
        "argv": sys.argv,
        "swept": {},
        "notices": [],
        "dropped": 0,
        "hydra": OmegaConf.to_container(config.hydra, enum_to_str=True),
        "base": base,
    }


def planned_job(number: int, job: Composed, head: Mapping[str, Any]) -> Job:
    """A job as the plan holds it."""
    base, hydra = head["base"], head["hydra"]
    changes = {name: value for name, value in job.config.items() if base.get(name, base) != value}
    choices = {name: value for name, value in job.choices.items() if hydra["runtime"]["choices"].get(name) != value}
    return Job(number, job.words, changes, choices, _place(number, job, hydra), identity(job.settings))


def check_places(jobs: Sequence[Job], head: Mapping[str, Any]) -> None:
    """Check that each job has a folder of its own.

    Raises:
        ConfigError: two would share one.
    """
    places = {job.folder: job for job in reversed(jobs)}
    if len(places) < len(jobs):
        double = next(job for job in jobs if places[job.folder] is not job)
        raise ConfigError(
            [f"hydra.sweep.subdir={head['hydra']['sweep']['subdir']}: jobs {places[double.folder].number} and"
             f" {double.number} would share the folder {double.folder}; name one for each, or leave it out"]
        )  # fmt: skip


def _place(number: int, job: Composed, hydra: Mapping[str, Any]) -> str:
    """A job's folder below the sweep's."""
    template = hydra["sweep"]["subdir"]
    if template == "${hydra.job.num}":
        return str(number)
    own = {"job": job_of(hydra, number, job.words), "overrides": {**hydra["overrides"], "task": job.words}}
    return str(OmegaConf.create({**job.config, "hydra": {**hydra, **own}}).hydra.sweep.subdir)


def job_of(hydra: Mapping[str, Any], number: int, words: Sequence[str]) -> dict[str, Any]:
    """What Hydra's record calls `job`."""
    naming = hydra["job"]["config"]["override_dirname"]
    split = (word.partition("=")[::2] for word in words)
    named = (f"{key}{naming['kv_sep']}{value}" for key, value in split if key not in naming["exclude_keys"])
    return {
        **hydra["job"],
        "override_dirname": naming["item_sep"].join(sorted(named)),
        "id": str(number),
        "num": number,
    }
