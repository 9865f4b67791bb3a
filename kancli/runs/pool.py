"""Pools of worker processes, each worker with its share of the threads and with the user's code policy."""

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

from kancli.errors import ConfigError
from kancli.inits.plugins import CodePolicy, code_policy, use_policy
from kancli.runs.process_limit import fit_workers, no_worker_message, process_limit

T = TypeVar("T")
EXITED_SILENTLY = 255  # exit status of a worker that exited with 0 during a job
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@contextlib.contextmanager
def process_pool(count: int) -> Iterator[ProcessPool]:
    """Context manager: a pool of at least `count` workers, which load torch once.

    An exception, a signal's included, terminates the workers at once.
    """
    if _reusable is None:
        with _start_pool(count) as pool:
            yield pool
        return
    pool = _reusable.get(count)
    try:
        yield pool
    except BaseException:
        _reusable.stop(pool)
        raise


@contextlib.contextmanager
def reuse_pools(prestart: int = 0) -> Iterator[None]:
    """Context manager: pools stay alive for their next use until the block ends.

    Args:
        prestart: number of workers that start now, in the background.
    """
    global _reusable
    with contextlib.ExitStack() as stack:
        _reusable = _ReusablePools(stack)
        try:
            if prestart:
                _reusable.get(prestart)
            yield
        finally:
            _reusable = None


def run_in_worker(function: Callable[..., T], *args: Any) -> Callable[[], T]:
    """Run a function in a reusable worker, or here if there is none.

    Returns:
        A callable that blocks for the result. If the worker is lost, it runs the function here.
    """
    if _reusable is None or not _reusable.pools:
        return lambda: function(*args)
    try:
        future = next(iter(_reusable.pools.values())).schedule(function, args)
    except RuntimeError:  # the pool broke down
        return lambda: function(*args)

    def result() -> T:
        try:
            return future.result()
        except (ProcessExpired, RuntimeError):
            return function(*args)

    return result


class _ReusablePools:
    """Running pools, by their number of workers."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.stack = stack
        self.pools: dict[int, ProcessPool] = {}

    def get(self, count: int) -> ProcessPool:
        """A pool of at least `count` workers."""
        self.pools = {size: pool for size, pool in self.pools.items() if pool.active}
        sizes = [size for size in self.pools if size >= count]
        if not sizes:
            self.pools[count] = self.stack.enter_context(_start_pool(count))
        return self.pools[min(sizes, default=count)]

    def stop(self, stopped: ProcessPool) -> None:
        """Terminate the workers of a pool and wait for their end."""
        self.pools = {size: pool for size, pool in self.pools.items() if pool is not stopped}
        stopped.stop()
        stopped.join()


_reusable: _ReusablePools | None = None


@contextlib.contextmanager
def _start_pool(count: int) -> Iterator[ProcessPool]:
    pool = _started(count)
    try:
        yield pool
        if pool.active:
            pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        pool.join()


def _started(count: int) -> ProcessPool:
    """A running pool of `count` workers; of fewer, if the limit on processes leaves no room for them.

    Raises:
        ConfigError: not even one can be started.
    """
    limit = process_limit()
    if (fitting := fit_workers(count, limit)) < count:
        logging.getLogger("kancli").warning(
            "%d worker%s in place of %d: %s", fitting, "s" if fitting > 1 else "", count, limit
        )
        count = fitting
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(count, initializer=_prepare_worker, initargs=(count, code_policy()), context=context)
    try:
        # Workers inherit the signal mask: this process alone answers Ctrl-C and SIGHUP, from the start.
        resource_tracker.ensure_running()  # would unblock SIGINT if it started within the block
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        try:
            pool.schedule(_do_nothing)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    except BaseException as error:
        pool.stop()
        pool.join()
        if not isinstance(error, (OSError, RuntimeError)):  # BrokenProcessPool is a RuntimeError
            raise
        if count > 1:
            return _started(count // 2)
        raise ConfigError([no_worker_message(limit)]) from error
    return pool


def _do_nothing() -> None:
    """Starts the workers: a pool has none before its first task."""


def _prepare_worker(count: int, policy: CodePolicy) -> None:
    _end_with_parent()
    logger = logging.getLogger("kancli")
    logger.setLevel(logging.INFO)  # for run.log; nothing goes to the terminal
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    os._exit = _exit_visibly
    import torch

    import kancli.runs.experiment  # noqa: F401 - before the first task, whose timeout would include it

    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    _worker_lifetime.enter_context(use_policy(policy))


def _end_with_parent() -> None:
    """End this worker when its parent ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it was killed while this worker started
        os._exit(1)


_worker_lifetime = contextlib.ExitStack()


def _exit_visibly(status: int) -> None:
    """Replaces os._exit in workers: exit status 0 would make pebble wait forever, so it becomes EXITED_SILENTLY."""
    _exit(status or EXITED_SILENTLY)


_exit = os._exit
