"""The limit on processes and threads: how many workers fit below it, and whether libraries take one thread each."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kancli.config.control_groups import MOUNTED, OWN, control_groups
from kancli.config.processors import usable_processors
from kancli.errors import ConfigError

LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # read when a library is loaded
MAX_TIGHT_LIMIT = 2000  # of a user; above, what is in use need not be counted, which looks at each process
# Measured, with one thread for each library: threads count as processes.
POOL_PROCESSES, WORKER_PROCESSES = 5, 2
MIN_FREE_PER_CPU = 8  # below, each library computes on one thread


@dataclass(frozen=True)
class ProcessLimit:
    """A limit on the number of processes and threads."""

    name: str
    most: int
    used: int

    @property
    def free(self) -> int:
        return max(0, self.most - self.used)

    def __str__(self) -> str:
        return f"{self.name} is {self.most}, with {self.used} in use"


def process_limit(mounted: Path = MOUNTED, own: Path = OWN) -> ProcessLimit | None:
    """The limit with the least room; None if none is known."""
    return min([*_of_user(), *_of_groups(mounted, own)], key=lambda limit: limit.free, default=None)


def _of_user() -> Iterator[ProcessLimit]:
    """The limit on the processes of a user, which does not hold for the superuser. Only Linux lists those in use."""
    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if sys.platform == "linux" and os.geteuid() != 0 and 0 <= most <= MAX_TIGHT_LIMIT:
        yield ProcessLimit("ulimit -u", most, _threads_of_user())


def _threads_of_user() -> int:
    count = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid == os.geteuid():
                count += len(os.listdir(path / "task"))
        except OSError:  # it has ended
            continue
    return count


def _of_groups(mounted: Path, own: Path) -> Iterator[ProcessLimit]:
    for _, folder in control_groups("pids", mounted, own):
        try:
            most, used = (int((folder / name).read_text()) for name in ("pids.max", "pids.current"))
        except (OSError, ValueError):  # no such group, or its limit is "max"
            continue
        yield ProcessLimit("pids.max of the control group", most, used)


def fit_threads() -> None:
    """Let the numerical libraries that are loaded from now on compute on one thread where a limit is near.

    OpenBLAS and OpenMP end the process where a thread cannot be started. No number depends on the threads. What the
    user has set in the environment stays.
    """
    if is_near(process_limit()):
        for name in LIBRARIES:
            os.environ.setdefault(name, "1")


def is_near(limit: ProcessLimit | None) -> bool:
    """Whether each process and thread counts."""
    return limit is not None and limit.free < MIN_FREE_PER_CPU * usable_processors()


def fit_workers(count: int, limit: ProcessLimit | None) -> int:
    """The number of workers, at most `count`, for which a limit leaves room.

    Raises:
        ConfigError: not even one.
    """
    if limit is None:
        return count
    fitting = min(count, (limit.free - POOL_PROCESSES) // WORKER_PROCESSES)
    if fitting < 1:
        raise ConfigError([no_worker_message(limit)])
    return fitting


def no_worker_message(limit: ProcessLimit | None) -> str:
    """The message for a pool that cannot start."""
    reason = "the limit on processes is reached" if limit is None else str(limit)
    return f"no worker process can be started: {reason}; raise it, or take none: sweep.workers=0, --jobs 1"
