"""Has the jobs of a plan run: by processes of this machine, or by a launcher that is not kancli's own."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from hydra._internal.callbacks import Callbacks
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from kancli.config import hydra as hydra_shell
from kancli.config.compose import CONFIG_NAME
from kancli.errors import one_line
from kancli.inits.plugins import code_policy
from kancli.sweeps import batches as tasks
from kancli.sweeps import local
from kancli.sweeps.plan import Plan

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra

    from kancli.config.settings import Settings

log = logging.getLogger("kancli")

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def is_own(config: DictConfig) -> bool:
    """Whether the config of a sweep names kancli's own launcher."""
    return config.hydra.launcher._target_ == hydra_shell.LOCAL


def start(
    hydra: Hydra, config: DictConfig, plan: Plan, runs: Mapping[int, Settings], task: Callable[[Any], Any]
) -> None:
    """Run jobs by the launcher that the config names."""
    if not runs:
        return
    with multirun(hydra, config) as context:
        if is_own(config):
            _say_what_is_not_called(context.callbacks)
            local.run(plan, runs)
        else:
            _by_launcher(context, config, plan, runs, task)


def _say_what_is_not_called(callbacks: Callbacks) -> None:
    """Of Hydra's callbacks, which take the composed config of each job."""
    in_vain = {name for each in callbacks.callbacks for name in ("on_job_start", "on_job_end")
               if getattr(type(each), name, None) is not getattr(Callback, name)}  # fmt: skip
    if in_vain:
        log.warning(
            "hydra.callbacks: %s: not called where jobs are computed together; hydra/launcher=basic calls it",
            ", ".join(sorted(in_vain, reverse=True)),
        )


@contextlib.contextmanager
def multirun(hydra: Hydra, config: DictConfig) -> Iterator[HydraContext]:
    """Within, jobs are run; Hydra's callbacks hear of begin and end."""
    callbacks = Callbacks(config)
    callbacks.on_multirun_start(config=config, config_name=CONFIG_NAME)
    yield HydraContext(config_loader=hydra.config_loader, callbacks=callbacks)
    callbacks.on_multirun_end(config=config, config_name=CONFIG_NAME)


def for_others(config: DictConfig, task: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a config ready for a launcher that is not kancli's; return what it is to call for one job, where it takes
    them job by job."""
    with open_dict(config.hydra):
        config.hydra.mode = RunMode.MULTIRUN
        if "hydra.mode=MULTIRUN" not in config.hydra.overrides.hydra:  # each job is composed from these
            config.hydra.overrides.hydra.append("hydra.mode=MULTIRUN")
        if config.hydra.launcher._target_ == BASIC:  # it calls within this process
            return task
        config.hydra.sweep.dir = str(Path(config.hydra.sweep.dir).absolute())
        ray = OmegaConf.select(config.hydra.launcher, "ray.init")
        if ray is not None and ray.get("address"):  # the launcher's own default is for a cluster that it starts
            ray.setdefault("object_store_memory", None)
    return tasks.RemoteJob(Path.cwd(), code_policy(), task)


def _by_launcher(
    context: HydraContext, config: DictConfig, plan: Plan, runs: Mapping[int, Settings], task: Callable[[Any], Any]
) -> None:
    """By a launcher of Hydra's or others'. What goes wrong in a task shows in what its jobs left, or did not."""
    job_by_job = config.hydra.launcher._target_ == BASIC
    calls = for_others(config, task if job_by_job else tasks.Task(plan.folder.absolute()))
    if job_by_job:
        words = [plan.jobs[number].words for number in runs]
    else:
        words = [tasks.words_of(numbers) for numbers in tasks.batches(runs)]
        print(f"kan-run: {len(words)} task{'s' if len(words) > 1 else ''}", file=sys.stderr)
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=calls, config=config)
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
    shutil.rmtree(plan.folder / tasks.FOLDER, ignore_errors=True)


@contextlib.contextmanager
def submitted_jobs() -> Iterator[list[Any]]:
    """Within, submitit's jobs are added to the list as they are submitted; none where it is not installed."""
    jobs: list[Any] = []
    try:
        from submitit import AutoExecutor  # pyright: ignore[reportMissingImports]
    except ImportError:
        yield jobs
        return
    submit = AutoExecutor.map_array

    def submit_and_note(*args: Any) -> list[Any]:
        made = submit(*args)
        jobs.extend(made)
        return made

    with mock.patch.object(AutoExecutor, "map_array", submit_and_note):
        yield jobs


def wait(jobs: list[Any]) -> None:
    """Wait until all jobs have ended, however they do."""
    for job in jobs:
        job.wait()
