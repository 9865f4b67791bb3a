"""Where bits would depend on how many threads there are, there is one; and several at work on pieces of their own."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Within, torch computes on one thread, so that bits do not depend on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within, numpy's matrix products and decompositions compute on one thread, for the same reason.

    numpy's, and not torch's: the bits of MKL's depend on where in memory the numbers lie, and so on what else is
    computed with them.
    """
    with _blas().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _blas() -> ThreadpoolController:
    import numpy.linalg  # noqa: F401 - to be found it must be loaded
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextlib.contextmanager
def thread_pool() -> Iterator[Executor]:
    """As many workers as torch has threads, each of which computes on one."""
    threads = torch.get_num_threads()
    with one_thread(), ThreadPoolExecutor(threads) as workers:
        yield workers
