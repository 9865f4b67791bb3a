"""kancli's launcher as Hydra knows it, for sweepers that decide on their jobs as they go. A sweep over listed values is
planned whole by `command`, which does not need it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from kancli.config.hydra import plain_config, register_launcher
from kancli.errors import ConfigError, KanError
from kancli.runs.reader import parse_override_words
from kancli.sweeps import local, table
from kancli.sweeps.jobs import Composed, Composer, jobs_of
from kancli.sweeps.objective import objective_of
from kancli.sweeps.plan import Job, Plan, read_plan, write_plan
from kancli.sweeps.planning import check_folders, plan_job

log = logging.getLogger("kancli")


class KanLauncher(Launcher):
    """Plans each batch of jobs, adds it to the plan in the sweep's folder, and runs it by processes of this machine."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Begin on the plan that lies in the sweep's folder.

        Args:
            task_function: is not called: jobs of one shape are computed together.

        Raises:
            ConfigError: there is no plan.
        """
        loader: Any = hydra_context.config_loader

        def compose(words: list[str]) -> dict[str, Any]:
            return plain_config(loader.load_sweep_config(config, words))

        self._plan = read_plan(Path(config.hydra.sweep.dir))
        self._composer = Composer(loader.presets, compose)
        self._jobs: dict[str, Job] = {}  # by what they are made from
        self._said: set[str] = set()

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a batch of jobs; each returns its objective. One that was run before is not run again.

        Raises:
            ConfigError: a job's config has faults, or there is no such statistic as the objective.
        """
        composed, notices = jobs_of(job_overrides, self._composer)
        for notice in set(notices) - self._said:
            log.warning("%s", notice)
        self._said.update(notices)
        runs, wanted = {}, []
        for made in composed:
            same = made.fingerprint()
            if same not in self._jobs:
                self._jobs[same] = plan_job(len(self._jobs), made, self._plan.head)
                runs[self._jobs[same].number] = made.settings
            wanted.append(self._jobs[same])
        jobs = list(self._jobs.values())
        check_folders(jobs, self._plan.head)
        head = {**self._plan.head, "swept": swept_in(jobs), "notices": sorted(self._said)}
        self._plan = Plan(self._plan.folder, head, jobs)
        write_plan(self._plan)
        local.run(self._plan, runs)
        rows = table.rows_of(dataclasses.replace(self._plan, jobs=wanted))
        return [self._returned(*each) for each in zip(wanted, composed, rows, strict=True)]

    def _returned(self, job: Job, made: Composed, row: table.Row) -> JobReturn:
        returned = JobReturn(overrides=job.words, cfg=OmegaConf.create(made.config), task_name="kan-run",
                             working_dir=str(self._plan.path(job).absolute()), status=JobStatus.COMPLETED)  # fmt: skip
        try:
            if row.status != "complete":
                raise KanError(f"{row.folder}: {row.status}: {row.cause}")
            names = made.settings.objective
            returned.return_value = None if names is None else objective_of(row.statistics, names)
        except ConfigError:
            raise
        except KanError as error:
            returned.status, returned.return_value = JobStatus.FAILED, error
        return returned


def swept_in(jobs: Sequence[Job]) -> Mapping[str, list[str]]:
    """The values of each key that has several."""
    values: dict[str, dict[str, None]] = {}
    for job in jobs:
        for key, value in parse_override_words(job.words).items():
            values.setdefault(key, {})[value] = None
    return {key: list(each) for key, each in values.items() if len(each) > 1}


def register() -> None:
    """Register the launcher with Hydra."""
    register_launcher(KanLauncher)
