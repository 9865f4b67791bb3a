"""Processes that work beside this one, each with its share of the threads and with the user's trust."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing
import signal
import sys
from collections.abc import Iterator

from pebble import ProcessPool

from kancli.inits.outside import Trust, trust, trusting

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@contextlib.contextmanager
def workers(count: int) -> Iterator[ProcessPool]:
    """So many processes that import torch once. Left by an exception, a signal's too, they are ended at once."""
    if _kept is None:
        with _started(count) as pool:
            yield pool
        return
    stack, pools = _kept
    if not any(size >= count for size in pools):
        pools[count] = stack.enter_context(_started(count))
    yield pools[min(size for size in pools if size >= count)]


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Within, processes wait for their next use instead of ending after each."""
    global _kept
    with contextlib.ExitStack() as stack:
        _kept = stack, {}
        try:
            yield
        finally:
            _kept = None


_kept: tuple[contextlib.ExitStack, dict[int, ProcessPool]] | None = None


@contextlib.contextmanager
def _started(count: int) -> Iterator[ProcessPool]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(count, initializer=_prepare, initargs=(count, trust()), context=context)
    try:
        yield pool
        pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        pool.join()


def _prepare(count: int, given: Trust) -> None:
    if sys.platform == "linux":  # whatever becomes of the parent, no worker goes on alone
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    logging.getLogger("kancli").setLevel(logging.INFO)  # for the run's own log; on the terminal this process is silent
    logging.getLogger("kancli").propagate = False
    logging.getLogger("kancli").addHandler(logging.NullHandler())
    import torch

    import kancli.experiment  # noqa: F401 - now, and not in the time of the first task

    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    _for_good.enter_context(trusting(given))


_for_good = contextlib.ExitStack()
