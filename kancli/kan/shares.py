"""Split a range into consecutive shares, and work through them on several threads."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from kancli.kan.threads import one_thread

SHARES_A_THREAD = 4  # so that a thread whose core has other work holds up the others less


def in_threads(work: Callable[[int, int], None], count: int, least: int = 1) -> None:
    """Call `work(first, last)` for consecutive shares of 0 to `count`, on as many threads as torch has.

    Within, torch computes on one thread.

    Args:
        least: a count up to this is done by the calling thread alone: to wake another takes longer.
    """
    n_threads = 1 if count <= least else torch.get_num_threads()
    n_shares = min(SHARES_A_THREAD * n_threads, count) if n_threads > 1 else 1
    ends = [count * share // n_shares for share in range(n_shares + 1)]
    shares = iter(list(itertools.pairwise(ends)))  # a list's iterator hands each share to one thread

    def take_shares() -> None:
        for first, last in shares:
            work(first, last)

    with one_thread():
        n_others = min(n_threads, n_shares) - 1
        futures = [_pool(os.getpid(), n_threads).submit(take_shares) for _ in range(n_others)]
        take_shares()
        for future in futures:
            future.result()


@functools.lru_cache(maxsize=1)
def _pool(process: int, n_threads: int) -> ThreadPoolExecutor:
    """Threads of this process; a forked one has none of its parent's."""
    return ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,))
