"""What a process beside the sweep's own does: it makes some jobs together, or says in a job's folder why it failed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kancli.config.identity import config_of, identity
from kancli.config.settings import Settings
from kancli.errors import KanError, one_line
from kancli.inits import SCHEMES
from kancli.inputs.samplers import File
from kancli.runs import record as recording
from kancli.runs.batch import compute_together
from kancli.runs.folder import RunFolder
from kancli.runs.reader import ENDED
from kancli.runs.result import Result
from kancli.sweeps.hydra_record import HydraRecord
from kancli.sweeps.plan import Job, Outcome, Plan

log = logging.getLogger("kancli")


def work(plan: Plan, jobs: Sequence[Job], max_failures: int | None = None) -> list[Outcome]:
    """Make jobs of one shape together; where that fails, one by one, so that each has its own answer.

    Args:
        max_failures: once more than so many have failed the others are left.
    """
    try:
        runs = list(_settings(plan, jobs))
    except KanError as error:
        return _one_by_one(plan, jobs, max_failures) if len(jobs) > 1 else [fail(plan, jobs[0], str(error))]
    outcomes: list[Outcome] = []
    hydra = HydraRecord(plan)
    try:
        for job, result in zip(jobs, compute_together(runs), strict=True):
            outcomes.append(_record(plan, hydra, job, result))
            if _too_many(outcomes, max_failures):
                break
    except (Exception, SystemExit) as error:
        if len(jobs) > 1:
            return _one_by_one(plan, jobs[len(outcomes) :], max_failures, outcomes)
        return [fail(plan, jobs[0], one_line(error))]
    return outcomes


def _one_by_one(
    plan: Plan, jobs: Sequence[Job], max_failures: int | None, before: Sequence[Outcome] = ()
) -> list[Outcome]:
    outcomes = list(before)
    for job in jobs:
        if _too_many(outcomes, max_failures):
            break
        outcomes += work(plan, [job])
    return outcomes


def _too_many(outcomes: Sequence[Outcome], max_failures: int | None) -> bool:
    return max_failures is not None and sum(each.failure is not None for each in outcomes) > max_failures


def fail(plan: Plan, job: Job, failure: str) -> Outcome:
    """Say in a job's folder that it failed, and why, unless it has a record of that already."""
    if plan.status(job) not in ENDED:
        with contextlib.suppress(KanError, OSError):  # on a full disk: the sweep's own record tells of it
            _folder(plan, HydraRecord(plan), job, plan.config(job)).close("failed", error=failure)
    return Outcome(job.number, failure)


def _settings(plan: Plan, jobs: Sequence[Job]) -> Iterator[Settings]:
    """The settings of jobs, if they are those that were planned; what differs by its seed alone is checked once.

    Raises:
        KanError: they are not.
    """
    known: dict[str, Settings] = {}
    for job in jobs:
        but_seed = json.dumps({name: each for name, each in job.changes.items() if name != "seed"})
        if but_seed not in known:
            known[but_seed] = plan.settings(job)
        settings = dataclasses.replace(known[but_seed], seed=plan.config(job)["seed"])
        # A file of samples and a scheme's code lie outside the plan, which holds all else.
        outside = isinstance(settings.inputs, File) or type(settings.init) not in SCHEMES.values()
        if outside and identity(settings) != job.identity:
            raise KanError("what it is made from has changed since the plan: the file of samples, or the scheme's code")
        yield settings


def _record(plan: Plan, hydra: HydraRecord, job: Job, result: Result) -> Outcome:
    start, computed = time.perf_counter(), sum(result.seconds.values())
    folder = _folder(plan, hydra, job, config_of(result.settings))
    with recording.record_failure(folder):
        log.info("identity %s", job.identity)
        recording.record(result, folder)
        recording.finish(folder, result, total=computed + time.perf_counter() - start)
    error = recording.error_of(result)
    return Outcome(job.number, None if error is None else str(error))


def _folder(plan: Plan, hydra: HydraRecord, job: Job, config: Mapping[str, Any]) -> RunFolder:
    path = plan.path(job).absolute()
    head = recording.initial_record(config, job.identity, job.words, plan.head["argv"])
    return RunFolder.create_staged(path, hydra.files(job, path), head)
