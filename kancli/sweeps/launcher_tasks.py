"""Tasks for launchers other than kancli's own: joblib's, submitit's or Ray's.

Such a launcher takes seconds to start a unit of work, so a task runs many jobs: it reads them from the plan and
computes them with workers on its own machine.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kancli.config.allowed_code import JOBS
from kancli.config.settings import Settings
from kancli.inits.plugins import CodePolicy, use_policy
from kancli.runs.reader import ENDED
from kancli.sweeps import costs, local
from kancli.sweeps.job_state import clear, state_of
from kancli.sweeps.plan import read_plan

FOLDER = ".tasks"  # in the sweep's folder; Hydra creates an empty folder in it for each task
MIN_SECONDS = 30.0  # of work in a task, so that the time to start it is negligible
MAX_TASKS = 100


@dataclass(frozen=True)
class RemoteCall:
    """A function that a launcher calls on another machine, in the caller's directory and with its code policy."""

    cwd: Path  # of the caller; input files are named relative to it
    code_policy: CodePolicy
    function: Callable[[Any], Any]

    def __call__(self, config: Any) -> Any:
        if self.cwd.is_dir():
            os.chdir(self.cwd)
        # joblib's start method has a name that child processes of this one do not know.
        multiprocessing.set_start_method("spawn", force=True)
        with use_policy(self.code_policy):
            return self.function(config)


@dataclass(frozen=True)
class Task:
    """The function of a task: runs the jobs that Hydra's config of the task lists."""

    folder: Path  # of the sweep, absolute

    def __call__(self, config: Any) -> dict[str, int]:
        """Run the jobs of the task that have not ended, so that a task sent again after its machine was lost resumes.

        Raises:
            ConfigError: the plan is missing or damaged, or was made by a kancli with other laws or random streams.
        """
        from hydra.core.hydra_config import HydraConfig

        plan = read_plan(self.folder)
        plan.check_semantics()
        numbers = parse_numbers(HydraConfig.get().job.env_set[JOBS])
        runs = {}
        for number in numbers:
            if state_of(plan, plan.jobs[number]).status not in ENDED:
                clear(plan, plan.jobs[number])
                runs[number] = plan.settings(plan.jobs[number])
        workers = next(iter(runs.values())).sweep.workers if runs else None
        failures = local.run(plan, runs, workers=1 if workers is None else workers)
        return {"jobs": len(numbers), "failed": len(failures)}


def divide(runs: Mapping[int, Settings]) -> Iterator[list[int]]:
    """Divide jobs among tasks: `sweep.jobs_per_task` jobs each, or half a minute of work but at most a hundred tasks.

    Yields:
        The numbers of the jobs of one task.
    """
    numbers = list(runs)
    size = runs[numbers[0]].sweep.jobs_per_task
    if size is None:
        job_seconds = costs.total_seconds(list(runs.values())) / len(numbers)
        size = max(-(-len(numbers) // MAX_TASKS), round(MIN_SECONDS / job_seconds))
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def task_overrides(numbers: Sequence[int]) -> list[str]:
    """The overrides that start a task with these jobs."""
    return [
        f"hydra.sweep.subdir='{FOLDER}/${{hydra.job.num}}'",
        f"+hydra.job.env_set.{JOBS}='{format_numbers(numbers)}'",
    ]


def format_numbers(numbers: Sequence[int]) -> str:
    """Ascending numbers as ranges: `0-99,105`. Short, because a command line may hold thousands of them."""
    ranges: list[list[int]] = []  # first and last number, or one number
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ",".join("-".join(map(str, ends)) for ends in ranges)


def parse_numbers(text: str) -> list[int]:
    """The inverse of `format_numbers`."""
    ranges = [list(map(int, part.split("-"))) for part in text.split(",")]
    return [number for ends in ranges for number in range(ends[0], ends[-1] + 1)]
