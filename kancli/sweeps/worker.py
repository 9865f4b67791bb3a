"""The part of a sweep that runs in a worker: compute a batch and write its folders, or record why a job failed."""

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
from kancli.errors import KanError, WriteError, one_line
from kancli.inits import SCHEMES
from kancli.inputs.samplers import File
from kancli.runs import record as records
from kancli.runs.batch import compute_together
from kancli.runs.folder import RunFolder
from kancli.runs.input_file import NO_FILES, InputFiles, input_files_of
from kancli.runs.reader import ENDED
from kancli.runs.result import Result
from kancli.sweeps.hydra_record import HydraRecord
from kancli.sweeps.plan import Job, Outcome, Plan
from kancli.tasks.data import Data

log = logging.getLogger("kancli")


def run_batch(plan: Plan, batch: Sequence[Job], max_failures: int | None = None) -> list[Outcome]:
    """Compute the jobs of a batch together; if that fails, one by one, so that only the faulty ones fail.

    Args:
        max_failures: stop once more jobs than this have failed.
    """
    try:
        runs = list(_planned_settings(plan, batch))
    except KanError as error:
        return (
            _one_by_one(plan, batch, max_failures) if len(batch) > 1 else [record_failure(plan, batch[0], str(error))]
        )
    outcomes: list[Outcome] = []
    hydra = HydraRecord(plan)
    try:
        for job, result in zip(batch, compute_together(runs), strict=True):
            outcomes.append(_record(plan, hydra, job, result))
            if _exceeds(outcomes, max_failures):
                break
    except (Exception, SystemExit) as error:
        if isinstance(error, WriteError) and error.no_room:
            return [*outcomes, Outcome(batch[len(outcomes)].number, str(error), no_room=True)]
        if len(batch) > 1:
            return _one_by_one(plan, batch[len(outcomes) :], max_failures, outcomes)
        cause = str(error) if isinstance(error, WriteError) else one_line(error)
        return [record_failure(plan, batch[0], cause)]
    return outcomes


def _one_by_one(
    plan: Plan, jobs: Sequence[Job], max_failures: int | None, outcomes: Sequence[Outcome] = ()
) -> list[Outcome]:
    outcomes = list(outcomes)
    for job in jobs:
        if _exceeds(outcomes, max_failures):
            break
        outcomes += run_batch(plan, [job])
    return outcomes


def _exceeds(outcomes: Sequence[Outcome], max_failures: int | None) -> bool:
    return max_failures is not None and sum(outcome.failure is not None for outcome in outcomes) > max_failures


def record_failure(plan: Plan, job: Job, failure: str) -> Outcome:
    """Write the cause of a failure to the job's folder, unless it has a final record already."""
    if plan.status(job) not in ENDED:
        with contextlib.suppress(KanError, OSError):  # on a full disk; summary.json still has the cause
            folder = _create_folder(plan, HydraRecord(plan), job, plan.config(job))
            try:
                folder.close("failed", error=failure)
            except (KanError, OSError):
                folder.discard()
    return Outcome(job.number, failure)


def _planned_settings(plan: Plan, batch: Sequence[Job]) -> Iterator[Settings]:
    """The settings of each job. Those of jobs that differ by their seed alone are validated once.

    Raises:
        KanError: they are not those that were planned.
    """
    validated: dict[str, Settings] = {}
    for job in batch:
        key = json.dumps({name: section for name, section in job.changes.items() if name != "seed"})
        if key not in validated:
            validated[key] = plan.settings(job)
        settings = dataclasses.replace(validated[key], seed=plan.config(job)["seed"])
        # The plan holds everything but the files that it names and the code of a user's scheme.
        uses_files = isinstance(settings.inputs, File) or isinstance(settings.task, Data)
        uses_files |= type(settings.init) not in SCHEMES.values()
        if uses_files and identity(settings) != job.identity:
            raise KanError(
                "has changed since the plan: the file of samples, of the task or of the model,"
                " or the code of the scheme"
            )
        yield settings


def _record(plan: Plan, hydra: HydraRecord, job: Job, result: Result) -> Outcome:
    start, computed = time.perf_counter(), sum(result.seconds.values())
    files = input_files_of(result.settings, plan.path(job))
    folder = _create_folder(plan, hydra, job, config_of(result.settings), files)
    with records.record_failure(folder):
        records.log_start(job.identity, result.settings)
        figure_seconds = records.record(result, folder)
        records.finish(folder, result, figure_seconds, total=computed + time.perf_counter() - start)
    error = records.error_of(result)
    return Outcome(job.number, None if error is None else str(error))


def _create_folder(
    plan: Plan, hydra: HydraRecord, job: Job, config: Mapping[str, Any], files: InputFiles = NO_FILES
) -> RunFolder:
    path = plan.path(job).absolute()
    record = records.initial_record(config, job.identity, job.words, plan.head["argv"], files)
    return RunFolder.create_staged(path, hydra.files(job, path), record)
