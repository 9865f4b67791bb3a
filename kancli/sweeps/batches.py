"""Batches of jobs as the tasks of somebody else's launcher: joblib's, submitit's or Ray's. A task starts once for many
jobs, which it runs from the frozen plan by processes of its own machine."""

from __future__ import annotations

import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kancli.config.settings import Settings
from kancli.inits.plugins import CodePolicy, use_policy
from kancli.runs.reader import ENDED
from kancli.sweeps import costs, local
from kancli.sweeps.plan import read

JOBS = "KANCLI_JOBS"  # what names a task's jobs, among hydra.job.env_set
FOLDER = ".tasks"  # below the sweep's, where Hydra has a folder for each task; nothing is put into them
MIN_SECONDS = 30.0  # of a task, so that what it takes to start is little beside it
MAX_TASKS = 100


@dataclass(frozen=True)
class RemoteJob:
    """What a launcher calls on whatever machine: a task, in the place and with the trust of the caller's."""

    cwd: Path  # where kan-run was called: files of samples are named from there
    code_policy: CodePolicy
    task: Callable[[Any], Any]

    def __call__(self, config: Any) -> Any:
        if self.cwd.is_dir():
            os.chdir(self.cwd)
        multiprocessing.set_start_method("spawn", force=True)  # joblib's is unknown to processes that this one starts
        with use_policy(self.code_policy):
            return self.task(config)


@dataclass(frozen=True)
class Task:
    """A batch of jobs, by the config of a task."""

    folder: Path  # the sweep's, absolute

    def __call__(self, config: Any) -> dict[str, int]:
        """Run those jobs that have not ended. A task that is sent again, where its machine was lost, goes on."""
        from hydra.core.hydra_config import HydraConfig

        plan = read(self.folder)
        plan.check_semantics()
        wanted = numbers_of(HydraConfig.get().job.env_set[JOBS])
        runs = {}
        for number in wanted:
            if plan.status(plan.jobs[number]) not in ENDED:
                plan.clear(plan.jobs[number])
                runs[number] = plan.settings(plan.jobs[number])
        workers = next(iter(runs.values())).sweep.workers if runs else None
        failed = len(local.run(plan, runs, processes=1 if workers is None else workers))
        return {"jobs": len(wanted), "failed": failed}


def batches(runs: Mapping[int, Settings]) -> Iterator[list[int]]:
    """The numbers of the jobs of each task: `sweep.jobs_per_task` of them, or as many as take half a minute, in a
    hundred tasks at most."""
    numbers = list(runs)
    size = runs[numbers[0]].sweep.jobs_per_task
    if size is None:
        each = costs.seconds_of_jobs(list(runs.values())) / len(numbers)
        size = max(-(-len(numbers) // MAX_TASKS), round(MIN_SECONDS / each))
    for begin in range(0, len(numbers), size):
        yield numbers[begin : begin + size]


def words_of(numbers: Sequence[int]) -> list[str]:
    """The overrides that make a task of these jobs."""
    return [
        f"hydra.sweep.subdir='{FOLDER}/${{hydra.job.num}}'",
        f"+hydra.job.env_set.{JOBS}='{text_of(numbers)}'",
    ]


def text_of(numbers: Sequence[int]) -> str:
    """Rising numbers in a few letters: 0-99,105."""
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and number == stretches[-1][-1] + 1:
            stretches[-1][1:] = [number]
        else:
            stretches.append([number])
    return ",".join("-".join(map(str, each)) for each in stretches)


def numbers_of(text: str) -> list[int]:
    """The same back."""
    ends = [list(map(int, re.split("-", each))) for each in text.split(",")]
    return [number for each in ends for number in range(each[0], each[-1] + 1)]
