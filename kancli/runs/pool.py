"""Processes that work beside this one, each with its share of the threads and with the user's trust."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from kancli.inits.plugins import CodePolicy, code_policy, use_policy

T = TypeVar("T")
EXITED_SILENTLY = 255  # status of a process that ended with 0 in the midst of a job
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@contextlib.contextmanager
def process_pool(count: int) -> Iterator[ProcessPool]:
    """So many processes that import torch once. Left by an exception, a signal's too, they are ended at once."""
    if _kept is None:
        with _started(count) as pool:
            yield pool
        return
    pool = _kept.of(count)
    try:
        yield pool
    except BaseException:
        _kept.stop(pool)
        raise


@contextlib.contextmanager
def reuse_pools(ahead: int = 0) -> Iterator[None]:
    """Within, processes wait for their next use instead of ending after each.

    Args:
        ahead: how many start at once, while this process goes on.
    """
    global _kept
    with contextlib.ExitStack() as stack:
        _kept = _Kept(stack)
        try:
            if ahead:
                _kept.of(ahead)
            yield
        finally:
            _kept = None


def run_in_worker(function: Callable[..., T], *args: Any) -> Callable[[], T]:
    """Have a process that is kept work out a function, which this one does if there is none; return what waits for the
    result."""
    if _kept is None or not _kept.pools:
        return lambda: function(*args)
    try:
        future = next(iter(_kept.pools.values())).schedule(function, args)
    except RuntimeError:  # it broke down
        return lambda: function(*args)

    def result() -> T:
        try:
            return future.result()
        except (ProcessExpired, RuntimeError):
            return function(*args)

    return result


class _Kept:
    """Pools of processes by their size."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.stack = stack
        self.pools: dict[int, ProcessPool] = {}

    def of(self, count: int) -> ProcessPool:
        """So many processes, or more."""
        self.pools = {size: pool for size, pool in self.pools.items() if pool.active}
        enough = [size for size in self.pools if size >= count]
        if not enough:
            self.pools[count] = self.stack.enter_context(_started(count))
        return self.pools[min(enough, default=count)]

    def stop(self, pool: ProcessPool) -> None:
        """End processes at once, and wait until they have."""
        self.pools = {size: each for size, each in self.pools.items() if each is not pool}
        pool.stop()
        pool.join()


_kept: _Kept | None = None


def _start() -> None:
    """Nothing: a pool starts its processes when it has something to do."""


@contextlib.contextmanager
def _started(count: int) -> Iterator[ProcessPool]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(count, initializer=_prepare, initargs=(count, code_policy()), context=context)
    try:
        # Its processes inherit what is blocked: Ctrl-C is this one's business, from their first moment on.
        resource_tracker.ensure_running()  # which would unblock it
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pool.schedule(_start)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        yield pool
        if pool.active:
            pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        pool.join()


def _prepare(count: int, given: CodePolicy) -> None:
    if sys.platform == "linux":  # whatever becomes of the parent, no worker goes on alone
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    logging.getLogger("kancli").setLevel(logging.INFO)  # for the run's own log; on the terminal this process is silent
    logging.getLogger("kancli").propagate = False
    logging.getLogger("kancli").addHandler(logging.NullHandler())
    os._exit = _exit_with_a_word
    import torch

    import kancli.runs.experiment  # noqa: F401 - now, and not in the time of the first task

    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    _for_good.enter_context(use_policy(given))


_for_good = contextlib.ExitStack()


def _exit_with_a_word(status: int) -> None:
    """os._exit of a process of a pool, which takes status 0 for an end that it wished for itself, and waits on."""
    _exit(status or EXITED_SILENTLY)


_exit = os._exit
