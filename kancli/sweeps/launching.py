"""Has the jobs of a plan run: by processes of this machine, or by a launcher that is not kancli's own."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.callbacks import Callbacks
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from kancli import hydra_shell
from kancli.compose import CONFIG_NAME
from kancli.errors import one_line
from kancli.inits.outside import trust
from kancli.sweeps import local, tasks
from kancli.sweeps.plan import Plan

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra

    from kancli.settings import Settings

log = logging.getLogger("kancli")

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def start(
    hydra: Hydra, config: DictConfig, plan: Plan, runs: Mapping[int, Settings], task: Callable[[Any], None]
) -> None:
    """Run jobs by the launcher that the config names."""
    if not runs:
        return
    if config.hydra.launcher._target_ == hydra_shell.LOCAL:
        local.run(plan, runs)
    else:
        _by_launcher(hydra, config, plan, runs, task)


def _by_launcher(
    hydra: Hydra, config: DictConfig, plan: Plan, runs: Mapping[int, Settings], task: Callable[[Any], None]
) -> None:
    """By a launcher of Hydra's or others'. What goes wrong in a task shows in what its jobs left, or did not."""
    calls: Callable[[Any], Any] = task
    words = [["hydra.mode=MULTIRUN", *plan.jobs[number].words] for number in runs]  # Hydra's own takes job by job
    with open_dict(config.hydra):
        config.hydra.mode = RunMode.MULTIRUN
        if config.hydra.launcher._target_ != BASIC:
            calls = tasks.Task(plan.folder.absolute(), Path.cwd(), trust())
            words = [tasks.words_of(numbers) for numbers in tasks.batches(runs)]
            config.hydra.sweep.dir = str(plan.folder.absolute())
            ray = OmegaConf.select(config.hydra.launcher, "ray.init")
            if ray is not None and ray.get("address"):  # the launcher's own default is for a cluster that it starts
                ray.setdefault("object_store_memory", None)
            print(f"kan-run: {len(words)} task{'s' if len(words) > 1 else ''}", file=sys.stderr)
    callbacks = Callbacks(config)
    callbacks.on_multirun_start(config=config, config_name=CONFIG_NAME)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=callbacks)
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=calls, config=config)
    try:
        returns = launcher.launch(words, initial_job_idx=0)
    except Exception as error:  # of the launcher's own: a process or a machine that it lost
        log.warning("%s", one_line(error))
        returns = []
    for number, each in enumerate(returns if calls is not task else []):
        if each.status == JobStatus.FAILED:
            log.warning("task %d: %s", number, one_line(each._return_value))
    shutil.rmtree(plan.folder / tasks.FOLDER, ignore_errors=True)
    callbacks.on_multirun_end(config=config, config_name=CONFIG_NAME)
