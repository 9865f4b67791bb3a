"""Where bits would depend on how many threads there are, there is one; and several at work on pieces of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import torch


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
def working_together() -> Iterator[Executor]:
    """As many workers as torch has threads, each of which computes on one."""
    threads = torch.get_num_threads()
    with one_thread(), ThreadPoolExecutor(threads) as workers:
        yield workers
