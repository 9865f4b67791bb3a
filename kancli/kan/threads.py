"""Thread counts: one thread where the bits depend on it, a pool for independent pieces of work."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch

from kancli.kan.tracing import is_transformed

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_outside: dict[int, int] = {}  # by the id of each thread in `one_thread`, its thread count outside


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Context manager: torch computes on one thread, so that bits do not depend on the thread count."""
    caller = threading.get_ident()
    if caller in _outside:
        yield
        return
    threads = torch.get_num_threads()
    if threads == 1:  # a new thread takes the count that another one has set for the time being
        threads = max(list(_outside.values()), default=1)
    _outside[caller] = threads
    torch.set_num_threads(1)
    try:
        yield
    finally:
        del _outside[caller]
        torch.set_num_threads(threads)


def copying() -> contextlib.AbstractContextManager[None]:
    """Context manager: this thread copies alone; torch's others would wait in a loop, on the cores of those that
    compute next.

    Under torch's transforms, which cannot look into the thread count, it does nothing.
    """
    return contextlib.nullcontext() if is_transformed() else one_thread()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context manager: numpy's matrix products and decompositions compute on one thread.

    Where several threads use it at a time, the thread that starts them does too: some libraries have one limit for all
    threads, others one for each. Use numpy for products whose bits matter: in torch, those of MKL depend on the
    alignment of the operands.
    """
    with _blas().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _blas() -> ThreadpoolController:
    import numpy.linalg  # noqa: F401 - the controller sees loaded libraries only
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextlib.contextmanager
def thread_pool() -> Iterator[Executor]:
    """Context manager: an executor with as many workers as torch has threads, each computing on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # workers begin with this count
    try:
        with ThreadPoolExecutor(threads) as workers:
            yield workers
    finally:
        torch.set_num_threads(threads)
