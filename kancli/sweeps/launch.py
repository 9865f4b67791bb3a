"""Run the jobs of a plan, with workers of this machine or with a launcher other than kancli's own."""

from __future__ import annotations

import contextlib
import itertools
import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobStatus
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from kancli.config.grammar import literal
from kancli.config.hydra import BASIC_LAUNCHER, OWN_LAUNCHER, instantiate_launcher, multirun
from kancli.errors import one_line
from kancli.inits.plugins import code_policy
from kancli.sweeps import launcher_tasks, local
from kancli.sweeps.plan import Job, Plan

if TYPE_CHECKING:
    from kancli.config.hydra import Hydra
    from kancli.config.settings import Settings

log = logging.getLogger("kancli")


def is_own(config: DictConfig) -> bool:
    """Whether the config of a sweep names kancli's own launcher."""
    return config.hydra.launcher._target_ == OWN_LAUNCHER


def start(
    hydra: Hydra, config: DictConfig, plan: Plan, runs: Mapping[int, Settings], task: Callable[[Any], Any]
) -> dict[int, str]:
    """Run jobs with the launcher that the config names.

    Args:
        runs: the settings of the jobs, by number.
        task: one job, by Hydra's config.

    Returns:
        The causes of failures, by number of the job, as far as they are known here.
    """
    if not runs:
        return {}
    with multirun(hydra, config) as context:
        return run_jobs(context, config, plan, runs, task)


def run_jobs(
    context: HydraContext, config: DictConfig, plan: Plan, runs: Mapping[int, Settings], task: Callable[[Any], Any]
) -> dict[int, str]:
    """As `start`, without the callbacks of the sweep. Hydra changes the config."""
    if is_own(config):
        _warn_of_job_callbacks(context)
        return local.run(plan, runs)
    if config.hydra.launcher._target_ == BASIC_LAUNCHER:  # takes jobs, not tasks
        return _run_basic(context, config, plan, runs, task)
    _run_foreign(context, config, plan, runs)
    return {}


def _warn_of_job_callbacks(context: HydraContext) -> None:
    """Warn of callbacks that take the composed config of a job: jobs of a batch are not composed by Hydra."""
    methods = {name for callback in context.callbacks.callbacks for name in ("on_job_start", "on_job_end")
               if getattr(type(callback), name, None) is not getattr(Callback, name)}  # fmt: skip
    if methods:
        log.warning(
            "hydra.callbacks: %s: not called where jobs are computed together; hydra/launcher=basic calls it",
            ", ".join(sorted(methods, reverse=True)),
        )


def _prepare_foreign(config: DictConfig, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Adapt a config to a launcher other than kancli's own.

    Returns:
        The function that the launcher is to call.
    """
    with open_dict(config.hydra):
        config.hydra.mode = RunMode.MULTIRUN
        overrides: Any = OmegaConf.to_container(config.hydra.overrides.hydra)  # with their interpolations
        if "hydra.mode=MULTIRUN" not in overrides:  # Hydra composes each job from these
            config.hydra.overrides.hydra.append("hydra.mode=MULTIRUN")
        if config.hydra.launcher._target_ == BASIC_LAUNCHER:  # calls the function in this process
            return function
        config.hydra.sweep.dir = str(Path(config.hydra.sweep.dir).absolute())
        ray = OmegaConf.select(config.hydra.launcher, "ray.init")
        if ray is not None and ray.get("address"):  # the launcher's own default is for a cluster that it starts
            ray.setdefault("object_store_memory", None)
    return launcher_tasks.RemoteCall(Path.cwd(), code_policy(), function)


def _run_foreign(context: HydraContext, config: DictConfig, plan: Plan, runs: Mapping[int, Settings]) -> None:
    """Run jobs as tasks of a launcher other than kancli's own. Failures show in the folders of the jobs."""
    function = _prepare_foreign(config, launcher_tasks.Task(plan.folder.absolute()))
    words = [launcher_tasks.task_overrides(numbers) for numbers in launcher_tasks.divide(runs)]
    print(f"kan-run: {len(words)} task{'s' if len(words) > 1 else ''}", file=sys.stderr)
    launcher = instantiate_launcher(context, function, config)
    with submitted_jobs() as submitted:
        try:
            results = launcher.launch(words, initial_job_idx=0)
        except Exception as error:  # the launcher lost a process or a machine; its other tasks go on
            log.warning("%s", one_line(error))
            results = []
            for job in submitted:
                job.wait()
    for number, result in enumerate(results):
        if result.status == JobStatus.FAILED:
            log.warning("task %d: %s", number, one_line(result._return_value))
    shutil.rmtree(plan.folder / launcher_tasks.FOLDER, ignore_errors=True)


def _run_basic(
    context: HydraContext, config: DictConfig, plan: Plan, runs: Mapping[int, Settings], task: Callable[[Any], Any]
) -> dict[int, str]:
    """Run jobs with Hydra's basic launcher, each with the number and the folder that it has in the plan."""
    launcher = instantiate_launcher(context, _prepare_foreign(config, task), config)
    numbers, results = list(runs), []
    starts = [place for place, number in enumerate(numbers) if place == 0 or number != numbers[place - 1] + 1]
    for start, end in itertools.pairwise([*starts, len(numbers)]):  # the launcher counts from the first number on
        words = [_words_with_folder(plan.jobs[number]) for number in numbers[start:end]]
        results += launcher.launch(words, initial_job_idx=numbers[start])
    return {
        number: one_line(result._return_value)
        for number, result in zip(numbers, results, strict=True)
        if result.status == JobStatus.FAILED
    }


def _words_with_folder(job: Job) -> list[str]:
    """The overrides of a job, with its folder if that is not Hydra's default."""
    if job.folder == str(job.number):
        return job.words
    return [*job.words, f"hydra.sweep.subdir={literal(job.folder)}"]


@contextlib.contextmanager
def submitted_jobs() -> Iterator[list[Any]]:
    """Collect submitit's jobs as its executor submits them; none where it is not installed.

    The block replaces `AutoExecutor.map_array` and restores it at the end. Hydra's launcher drops its jobs when it
    raises, and a local job cannot be rebuilt from its folder: only the object holds the process to wait for.
    """
    jobs: list[Any] = []
    try:
        from submitit import AutoExecutor  # pyright: ignore[reportMissingImports]
    except ImportError:
        yield jobs
        return
    submit = AutoExecutor.map_array

    def submit_and_collect(*args: Any) -> list[Any]:
        submitted = submit(*args)
        jobs.extend(submitted)
        return submitted

    AutoExecutor.map_array = submit_and_collect
    try:
        yield jobs
    finally:
        AutoExecutor.map_array = submit
