"""A sweep: the product of the swept values, all jobs checked before the first one runs, failures counted at the end."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf, open_dict

from kancli import hydra_shell, signals
from kancli.compose import CONFIG_NAME, Draft, draft
from kancli.errors import SWEEP, ConfigError
from kancli.overrides import parse, settle
from kancli.run_folder import check_fresh, unwritable

if TYPE_CHECKING:
    from kancli.presets import Presets

MOST_FAULTS = 10  # told of one sweep


def sweep(presets: Presets, typed: Sequence[str], task: Callable[[Any], None]) -> int:
    """Run the product of the values given, by the launcher that the config names.

    Returns:
        0, or `errors.SWEEP` if a job failed.

    Raises:
        ConfigError: a job's config has faults; nothing was run or written.
    """
    jobs = expand(presets, typed)
    drafts = [draft(job, presets) for job in jobs]
    _answer_mistakes(drafts, jobs)
    hydra = hydra_shell.create(presets)
    master = hydra.compose_config(CONFIG_NAME, list(typed), run_mode=RunMode.MULTIRUN)
    for job, made in zip(jobs, drafts, strict=True):
        if not made.plain:  # only Hydra can tell
            hydra.config_loader.load_sweep_config(master, job)
    _check_devices(str(made.config["device"]) for made in drafts)
    with open_dict(master.hydra):
        master.hydra.mode = RunMode.MULTIRUN
    folder = Path(master.hydra.sweep.dir)
    check_fresh(folder, "hydra.sweep.dir")
    callbacks = Callbacks(master)
    callbacks.on_multirun_start(config=master, config_name=CONFIG_NAME)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=callbacks)
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=master)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "multirun.yaml").open("x") as file:  # of two sweeps on one folder only one can
            file.write(OmegaConf.to_yaml(master))
    except OSError as error:
        raise ConfigError([unwritable(folder, error, "hydra.sweep.dir")]) from None
    returns = launcher.launch([["hydra.mode=MULTIRUN", *job] for job in jobs], initial_job_idx=0)
    callbacks.on_multirun_end(config=master, config_name=CONFIG_NAME)
    failures = [(job, cause) for job, each in zip(jobs, returns, strict=True) if (cause := _failure(each)) is not None]
    for job, cause in failures:
        print(f"kan-run: failed: {' '.join(job)}: {cause}", file=sys.stderr)
    print(f"{len(jobs) - len(failures)} of {len(jobs)} runs complete: {folder}", flush=True)
    return SWEEP if failures else 0


def expand(presets: Presets, typed: Sequence[str]) -> list[list[str]]:
    """The overrides of every job, in Hydra's order: an experiment's swept keys first, then those typed.

    Raises:
        ConfigError: an override cannot be read or swept over.
    """
    parsed = parse(typed)
    settled = settle(parsed, presets, sweeping=True)
    if settled.faults:
        raise ConfigError(settled.faults)
    swept = [f"{name}={values}" for name, values in settled.swept_by_experiment.items()]
    overrides = parse([*swept, *(each.input_line or "" for each in parsed if not each.is_hydra_override())], presets)
    for each in overrides:
        if each.is_sweep_override() and not each.is_discrete_sweep():
            raise ConfigError([f"{each.input_line}: not a list of values; type {each.key_or_group}=1,2,3 or =range(3)"])
    jobs = BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]
    if not jobs:
        raise ConfigError([f"{' '.join(typed)}: a sweep over nothing; give each key at least one value"])
    return jobs


def _answer_mistakes(drafts: Sequence[Draft], jobs: Sequence[Sequence[str]]) -> None:
    faults: dict[str, None] = {}  # an ordered set: many jobs share a fault
    for made, job in zip(drafts, jobs, strict=True):
        for swept in made.settled.swept_by_experiment:
            if not any(text.startswith(f"{swept}=") for text in job):
                faults[f"{' '.join(job)}: this experiment is a sweep over {swept} itself; give it alone"] = None
        if made.plain:
            faults.update(dict.fromkeys(made.faults()))
    if faults:
        more = [f"... and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
        raise ConfigError([*list(faults)[:MOST_FAULTS], *more])


def _check_devices(devices: Iterable[str]) -> None:
    with signals.held():
        from kancli import experiment

    for device in sorted(set(devices)):
        experiment.device_of(device)


def _failure(job: JobReturn) -> str | None:
    """Why a job failed, in one line."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # Hydra prints a line of its own before it raises
            job.return_value  # noqa: B018
    except Exception as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None
