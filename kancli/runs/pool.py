"""Pools of worker processes, each worker with its share of the threads and with the user's code policy."""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
from collections.abc import Iterator

from pebble import CONSTS, ProcessPool

from kancli.errors import ConfigError
from kancli.inits.plugins import CodePolicy, code_policy, use_policy
from kancli.runs.fork_server import end_with_parent, fork_server
from kancli.runs.process_limit import ProcessLimit, fit_workers, no_worker_message, process_limit

EXITED_SILENTLY = 255  # exit status of a worker that exited with 0 during a job
SLEEP_UNIT = 0.02  # seconds between a pool's looks at its state; pebble's 0.1 delays every shutdown
EXPERIMENT = "kancli.runs.experiment"


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


def check_room(count: int) -> None:
    """Check that a pool of `count` workers, or of fewer, can start.

    Raises:
        ConfigError: the limit on processes leaves no room for one.
    """
    fit_workers(count, process_limit())


@contextlib.contextmanager
def reuse_pools() -> Iterator[None]:
    """Context manager: pools stay alive for their next use until the block ends."""
    global _reusable
    with contextlib.ExitStack() as stack:
        _reusable = _ReusablePools(stack)
        try:
            yield
        finally:
            _reusable = None


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
    limit = process_limit()
    if (fitting := fit_workers(count, limit)) < count:
        logging.getLogger("kancli").warning(
            "%d worker%s in place of %d: %s", fitting, "s" if fitting > 1 else "", count, limit
        )
    with fork_server([EXPERIMENT]):
        pool = _started(fitting, limit)
        try:
            yield pool
            if pool.active:
                pool.close()
        except BaseException:
            pool.stop()
            raise
        finally:
            pool.join()


def _started(count: int, limit: ProcessLimit | None) -> ProcessPool:
    """A running pool of `count` workers; of fewer, if the system refuses to start them.

    Raises:
        ConfigError: not even one can be started.
    """
    CONSTS.sleep_unit = SLEEP_UNIT
    context = multiprocessing.get_context("forkserver")
    pool = ProcessPool(count, initializer=_prepare_worker, initargs=(count, code_policy()), context=context)
    try:
        pool.schedule(_do_nothing)
    except BaseException as error:
        pool.stop()
        pool.join()
        if not isinstance(error, (OSError, RuntimeError)):  # BrokenProcessPool is a RuntimeError
            raise
        if count > 1:
            return _started(count // 2, limit)
        raise ConfigError([no_worker_message(limit)]) from error
    return pool


def _do_nothing() -> None:
    """Starts the workers: a pool has none before its first task."""


def _prepare_worker(count: int, policy: CodePolicy) -> None:
    end_with_parent()
    gc.freeze()  # what the server has loaded is no garbage
    gc.enable()
    logger = logging.getLogger("kancli")
    logger.setLevel(logging.INFO)  # for run.log; nothing goes to the terminal
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    os._exit = _exit_visibly
    import torch

    import kancli.runs.experiment  # noqa: F401 - before the first task, whose timeout would include it

    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    _worker_lifetime.enter_context(use_policy(policy))


_worker_lifetime = contextlib.ExitStack()


def _exit_visibly(status: int) -> None:
    """Replaces os._exit in workers: exit status 0 would make pebble wait forever, so it becomes EXITED_SILENTLY."""
    _exit(status or EXITED_SILENTLY)


_exit = os._exit
