"""Has the jobs of a plan run: by processes of this machine, or by a launcher that is not kancli's own."""

from __future__ import annotations

import contextlib
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

from kancli.config.hydra import BASIC_LAUNCHER, OWN_LAUNCHER, instantiate_launcher, multirun
from kancli.errors import one_line
from kancli.inits.plugins import code_policy
from kancli.sweeps import launcher_tasks, local
from kancli.sweeps.plan import Plan

if TYPE_CHECKING:
    from kancli.config.hydra import Hydra
    from kancli.config.settings import Settings

log = logging.getLogger("kancli")


def is_own(config: DictConfig) -> bool:
    """Whether the config of a sweep names kancli's own launcher."""
    return config.hydra.launcher._target_ == OWN_LAUNCHER


def start(
    hydra: Hydra, config: DictConfig, plan: Plan, runs: Mapping[int, Settings], task: Callable[[Any], Any]
) -> None:
    """Run jobs by the launcher that the config names."""
    if not runs:
        return
    with multirun(hydra, config) as context:
        if is_own(config):
            _say_what_is_not_called(context)
            local.run(plan, runs)
        else:
            _by_launcher(context, config, plan, runs, task)


def _say_what_is_not_called(context: HydraContext) -> None:
    """Of Hydra's callbacks, which take the composed config of each job."""
    in_vain = {name for each in context.callbacks.callbacks for name in ("on_job_start", "on_job_end")
               if getattr(type(each), name, None) is not getattr(Callback, name)}  # fmt: skip
    if in_vain:
        log.warning(
            "hydra.callbacks: %s: not called where jobs are computed together; hydra/launcher=basic calls it",
            ", ".join(sorted(in_vain, reverse=True)),
        )


def for_others(config: DictConfig, task: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a config ready for a launcher that is not kancli's; return what it is to call for one job, where it takes
    them job by job."""
    with open_dict(config.hydra):
        config.hydra.mode = RunMode.MULTIRUN
        if "hydra.mode=MULTIRUN" not in config.hydra.overrides.hydra:  # each job is composed from these
            config.hydra.overrides.hydra.append("hydra.mode=MULTIRUN")
        if config.hydra.launcher._target_ == BASIC_LAUNCHER:  # it calls within this process
            return task
        config.hydra.sweep.dir = str(Path(config.hydra.sweep.dir).absolute())
        ray = OmegaConf.select(config.hydra.launcher, "ray.init")
        if ray is not None and ray.get("address"):  # the launcher's own default is for a cluster that it starts
            ray.setdefault("object_store_memory", None)
    return launcher_tasks.RemoteCall(Path.cwd(), code_policy(), task)


def _by_launcher(
    context: HydraContext, config: DictConfig, plan: Plan, runs: Mapping[int, Settings], task: Callable[[Any], Any]
) -> None:
    """By a launcher of Hydra's or others'. What goes wrong in a task shows in what its jobs left, or did not."""
    job_by_job = config.hydra.launcher._target_ == BASIC_LAUNCHER
    calls = for_others(config, task if job_by_job else launcher_tasks.Task(plan.folder.absolute()))
    if job_by_job:
        words = [plan.jobs[number].words for number in runs]
    else:
        words = [launcher_tasks.task_overrides(numbers) for numbers in launcher_tasks.divide(runs)]
        print(f"kan-run: {len(words)} task{'s' if len(words) > 1 else ''}", file=sys.stderr)
    launcher = instantiate_launcher(context, calls, config)
    with submitted_jobs() as queue:
        try:
            returns = launcher.launch(words, initial_job_idx=0)
        except Exception as error:  # of the launcher's own: a process or a machine that it lost
            log.warning("%s", one_line(error))
            returns = []
            wait(queue)
    for number, each in enumerate([] if job_by_job else returns):
        if each.status == JobStatus.FAILED:
            log.warning("task %d: %s", number, one_line(each._return_value))
    shutil.rmtree(plan.folder / launcher_tasks.FOLDER, ignore_errors=True)


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


def wait(jobs: list[Any]) -> None:
    """Wait until all jobs have ended, however they do."""
    for job in jobs:
        job.wait()
