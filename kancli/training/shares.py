"""Work in consecutive shares, one a thread."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from kancli.kan.threads import one_thread


def in_threads(work: Callable[[int, int], None], count: int) -> None:
    """Call `work(first, last)` for consecutive shares of 0 to `count`, one for each of torch's threads.

    Within, torch computes on one thread.
    """
    n_threads = torch.get_num_threads()
    n_shares = min(n_threads, count)
    ends = [count * share // n_shares for share in range(n_shares + 1)]
    with one_thread():
        pool = _pool(os.getpid(), n_threads) if n_shares > 1 else None
        futures = [pool.submit(work, *share) for share in itertools.pairwise(ends[1:])] if pool else []
        work(0, ends[1])
        for future in futures:
            future.result()


@functools.lru_cache(maxsize=1)
def _pool(process: int, n_threads: int) -> ThreadPoolExecutor:
    """Threads of this process; a forked one has none of its parent's."""
    return ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,))
