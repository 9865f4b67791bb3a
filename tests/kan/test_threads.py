"""Thread counts of several threads at a time."""

import threading

import numpy.linalg  # noqa: F401 - the library whose threads are counted
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from kancli.kan.threads import one_blas_thread, run_all


def blas_threads():
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


def test_one_blas_thread_holds_in_threads_within_it():
    limits = []

    def work():
        with one_blas_thread():
            limits.append(blas_threads())

    with threadpool_limits(2, "blas"):
        before = blas_threads()
        with one_blas_thread():
            others = [threading.Thread(target=work) for _ in range(8)]
            for other in others:
                other.start()
            for other in others:
                other.join()
            limits.append(blas_threads())
        assert limits == [1] * 9
        assert blas_threads() == before


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("in_threads", [False, True])
def test_run_all_gives_results_in_order(threads, in_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = run_all(
            [lambda number=number: (number, threading.get_ident()) for number in range(5)], in_threads=in_threads
        )
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert [number for number, _ in found] == list(range(5))
    assert ({ident for _, ident in found} == {threading.get_ident()}) == (threads == 1 or not in_threads)
