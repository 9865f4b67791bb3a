"""kancli's launcher as a Hydra plugin, for sweepers that choose their jobs as they go.

It plans them; the launcher that the user named runs them. A sweep over listed values is planned before it starts, by
`sweep`, which does not need the plugin.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from kancli.config.hydra import compose_job, register_launcher
from kancli.errors import ConfigError, KanError
from kancli.runs.reader import parse_override_words
from kancli.sweeps import table
from kancli.sweeps.jobs import ComposedJob, Composer, compose_jobs
from kancli.sweeps.objective import objective_of
from kancli.sweeps.plan import Job, Plan, read_plan, write_plan
from kancli.sweeps.planning import check_folders, plan_job

if TYPE_CHECKING:
    from kancli.config.settings import Settings

RunJobs = Callable[[Plan, Mapping[int, "Settings"]], Mapping[int, str]]  # returns the causes of failures, by number

log = logging.getLogger("kancli")


class KanLauncher(Launcher):
    """Adds the jobs that a sweeper chooses to the plan in the sweep's folder, and runs them.

    Args:
        run_jobs: runs jobs of the plan, by their settings.
    """

    def __init__(self, run_jobs: RunJobs) -> None:
        self._run_jobs = run_jobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Read the plan in the sweep's folder.

        Args:
            task_function: not called, because jobs of one shape are computed together.

        Raises:
            ConfigError: there is no plan.
        """
        loader: Any = hydra_context.config_loader

        self._plan = read_plan(Path(config.hydra.sweep.dir))
        self._composer = Composer(loader.presets, functools.partial(compose_job, loader, config))
        self._jobs: dict[str, Job] = {}  # by fingerprint
        self._notices: set[str] = set()

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs. A job that is already in the plan is not run again.

        Returns:
            The objective of each job, or its failure.

        Raises:
            ConfigError: a job's config has faults, or a run has no such statistic as the objective.
        """
        composed, notices = compose_jobs(job_overrides, self._composer, self._jobs)
        for notice in set(notices) - self._notices:
            log.warning("%s", notice)
        self._notices.update(notices)
        runs, requested = {}, []
        for key, job in composed:
            if key not in self._jobs:
                self._jobs[key] = plan_job(len(self._jobs), job, self._plan.head)
                runs[self._jobs[key].number] = job.settings
            requested.append(self._jobs[key])
        self._extend_plan()
        causes = self._run_jobs(self._plan, runs)
        rows = table.with_causes(table.read_rows(dataclasses.replace(self._plan, jobs=requested)), causes)
        return [self._job_return(*parts) for parts in zip(requested, [job for _, job in composed], rows, strict=True)]

    def _extend_plan(self) -> None:
        jobs = list(self._jobs.values())
        check_folders(jobs, self._plan.head)
        head = {**self._plan.head, "swept": swept_values(jobs), "notices": sorted(self._notices)}
        self._plan = Plan(self._plan.folder, head, jobs)
        write_plan(self._plan)

    def _job_return(self, job: Job, composed: ComposedJob, row: table.Row) -> JobReturn:
        result = JobReturn(overrides=job.words, cfg=OmegaConf.create(composed.config), task_name="kan-run",
                           working_dir=str(self._plan.path(job).absolute()), status=JobStatus.COMPLETED)  # fmt: skip
        try:
            if row.status != "complete":
                raise KanError(f"{row.folder}: {row.status}: {row.cause}")
            names = composed.settings.objective
            result.return_value = None if names is None else objective_of(row.statistics, names)
        except ConfigError:
            raise
        except KanError as error:
            result.status, result.return_value = JobStatus.FAILED, error
        return result


def swept_values(jobs: Sequence[Job]) -> Mapping[str, list[str]]:
    """The values of each key that has several."""
    values: dict[str, dict[str, None]] = {}
    for job in jobs:
        for key, value in parse_override_words(job.words).items():
            values.setdefault(key, {})[value] = None
    return {key: list(distinct) for key, distinct in values.items() if len(distinct) > 1}


def register(run_jobs: RunJobs) -> None:
    """Register the launcher with Hydra."""
    register_launcher(functools.partial(KanLauncher, run_jobs))
