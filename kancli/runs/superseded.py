"""Move an old run aside for `overwrite=true`, and put it back if the new run does not complete."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import logging
import os
import shutil
import uuid
from pathlib import Path

from kancli.errors import ConfigError
from kancli.runs.files import unwritable_message
from kancli.runs.reader import read_run
from kancli.runs.training_state import STATE

log = logging.getLogger("kancli")

PENDING = ".pending"  # ends the name of a run that is set aside by a process that may still put it back
OWN_BEGINNINGS = (".hydra", "run.log")  # of a run before it has its run.json


class Superseded:
    """A run's folder under a hidden name beside its own, locked by the process that moved it there.

    Args:
        path: the folder's own name.
        hidden: where it is now.
        lock: descriptor of the folder; the lock tells a process that is killed from one that is at work.
    """

    def __init__(self, path: Path, hidden: Path, lock: int) -> None:
        self.path, self.hidden, self._lock = path, hidden, lock

    @classmethod
    def set_aside(cls, path: Path) -> Superseded | None:
        """Move a run's folder to a hidden name; None if there is none.

        Raises:
            ConfigError: it is no run, its run is at work, another process is replacing it, or it cannot be moved.
        """
        if not path.is_dir() or not any(path.iterdir()):
            return None
        check_replaceable(path)
        lock = lock_folder(path, required=False)
        if lock is None:
            raise ConfigError([f"overwrite=true hydra.run.dir={path}: another kan-run is replacing it; wait for it"])
        hidden = path.with_name(f".{path.name}.replaced-{uuid.uuid4().hex[:8]}{PENDING}")
        try:
            path.rename(hidden)
        except OSError as error:
            os.close(lock)
            raise ConfigError([unwritable_message(path, error)]) from None
        return cls(path, hidden, lock)

    def remove(self) -> None:
        """Remove the run: another one took its place."""
        shutil.rmtree(self.hidden, ignore_errors=True)
        os.close(self._lock)

    def keep(self) -> None:
        """Keep the run under a hidden name, and say which."""
        log.warning("overwrite=true: the run that was there is kept in %s", _keep(self.hidden))
        os.close(self._lock)

    def put_back(self) -> None:
        """Give the run its own name again; keep it under a hidden one where another run has that."""
        try:
            self.hidden.rename(self.path)
        except OSError:
            self.keep()
        else:
            os.close(self._lock)


def put_back_superseded(path: Path) -> None:
    """Put back the run that a killed process had moved aside from this folder."""
    path = path.resolve() if path.is_symlink() else path
    for hidden in sorted(path.parent.glob(f".{glob.escape(path.name)}.replaced-*{PENDING}")):
        lock = lock_folder(hidden)
        if lock is None:  # the process is at work
            continue
        try:
            with contextlib.suppress(OSError):
                _put_back(hidden, path)
        finally:
            os.close(lock)


def _put_back(hidden: Path, path: Path) -> None:
    try:
        status = read_run(path).record.status
    except ConfigError:
        status = None
    if status == "complete":  # killed while it removed the old run
        shutil.rmtree(hidden)
    elif status not in (None, "running"):
        _keep(hidden)
    elif not path.exists():
        hidden.rename(path)
    elif (path / STATE).exists():
        return  # `resume` can go on with the new run, or does so now
    elif (status == "running" or _holds_beginnings(path)) and (lock := lock_folder(path)) is not None:
        shutil.rmtree(path)
        os.close(lock)
        hidden.rename(path)


def _holds_beginnings(folder: Path) -> bool:
    return all(path.name in OWN_BEGINNINGS or path.name.startswith(".run.json.") for path in folder.iterdir())


def _keep(hidden: Path) -> Path:
    kept = hidden.with_name(hidden.name.removesuffix(PENDING))
    try:
        return hidden.rename(kept)
    except OSError:
        return hidden


def lock_folder(folder: Path, *, required: bool = True) -> int | None:
    """Lock a folder until this process ends; return its descriptor, or None if it cannot be locked.

    Args:
        required: whether a file system without locks counts as locked.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:  # this file system has no locks
        if required:
            os.close(descriptor)
            return None
    return descriptor


def check_replaceable(path: Path) -> None:
    """Check that a folder is a run's which has ended, or whose process was killed: nothing else is ever overwritten.

    Raises:
        ConfigError: it is not.
    """
    try:
        status = read_run(path).record.status
    except ConfigError:
        status = None
    if status in ("complete", "failed", "interrupted"):
        return
    is_begun = status == "running" or _holds_beginnings(path)
    if is_begun and (lock := lock_folder(path)) is not None:  # a run at work has locked its folder
        os.close(lock)
        return
    reason = "its run is not finished" if is_begun else "it is not the folder of a run"
    raise ConfigError([f"overwrite=true hydra.run.dir={path}: {reason}; name another folder, or remove it yourself"])
