"""Claim the folder of a new sweep, and write its plan there before anything else."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from kancli.errors import ConfigError
from kancli.runs.files import unwritable_message, write_whole
from kancli.runs.fresh import check_fresh
from kancli.sweeps.plan import MULTIRUN, PLAN, Plan, has_plan, lock, read_plan, write_plan

KEY = "hydra.sweep.dir"


@contextlib.contextmanager
def claimed_folder(plan: Plan, config: DictConfig) -> Iterator[None]:
    """Context manager: create and lock the folder of a sweep, and write its plan and Hydra's multirun.yaml.

    The plan comes first, so that a sweep killed at any moment either can be resumed or starts again by its own command.

    Raises:
        ConfigError: the folder holds something else, cannot be written, or another process is running its sweep.
    """
    folder = plan.folder
    _check(plan)
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([unwritable_message(folder, error, KEY)]) from None
    with contextlib.ExitStack() as running:
        with lock(folder, folder):
            _check(plan)  # again: another sweep may have had the lock in the meantime
            if has_plan(folder):
                with plan.lock():
                    pass
            _remove_beginnings(folder)
            _write_beginnings(plan, config, is_new=is_new)
            running.enter_context(plan.lock())
        yield


def _write_beginnings(plan: Plan, config: DictConfig, *, is_new: bool) -> None:
    try:
        write_plan(plan)
        write_whole(plan.folder / MULTIRUN, OmegaConf.to_yaml(config).encode())
    except (ConfigError, OSError) as error:
        remove_claim(plan.folder, remove_folder=is_new)
        if isinstance(error, OSError):
            raise ConfigError([unwritable_message(plan.folder, error, KEY)]) from None
        raise


def remove_claim(folder: Path, *, remove_folder: bool = True) -> None:
    """Remove the plan of a sweep that has no runs, and its folder if nothing else is in it."""
    with contextlib.suppress(OSError):
        _remove_beginnings(folder)
        if remove_folder:
            folder.rmdir()


def _check(plan: Plan) -> None:
    """Check that a folder is new or empty, or holds only the beginnings of the same sweep.

    Raises:
        ConfigError: it is not, or cannot be written.
    """
    if _holds_beginnings(plan):
        return
    if has_plan(plan.folder):
        resume = shlex.join(["kan-run", "resume", str(plan.folder)])
        raise ConfigError(
            [f"{KEY}={plan.folder}: is not empty: holds a sweep; name another, or run its rest: {resume}"]
        )
    check_fresh(plan.folder, KEY)


def _holds_beginnings(plan: Plan) -> bool:
    """Whether a folder holds nothing but what a sweep that was killed, or only planned, leaves before its first job."""
    try:
        names = {path.name for path in plan.folder.iterdir()}
    except OSError:
        return False
    if not names or not all(map(_is_beginning, names)):
        return False
    if PLAN not in names:
        return True
    try:
        jobs = read_plan(plan.folder).jobs
    except ConfigError:
        return False
    return not jobs or list(jobs) == list(plan.jobs)


def _is_beginning(name: str) -> bool:
    is_temporary = name.endswith(".part") and name.startswith((f".{PLAN}.", f".{MULTIRUN}."))
    return is_temporary or name in (PLAN, MULTIRUN)


def _remove_beginnings(folder: Path) -> None:
    for path in folder.iterdir():
        if _is_beginning(path.name):
            path.unlink(missing_ok=True)
