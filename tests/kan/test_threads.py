"""Thread counts of several threads at a time."""

import threading

import numpy.linalg  # noqa: F401 - the library whose threads are counted
from threadpoolctl import threadpool_info, threadpool_limits

from kancli.kan.cached import cached_property
from kancli.kan.threads import one_blas_thread


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


def test_cached_properties_of_two_instances_are_computed_at_a_time():
    barrier = threading.Barrier(2)

    class Cached:
        @cached_property
        def value(self):
            barrier.wait(60)  # breaks unless there are two threads
            return object()

    one, other = Cached(), Cached()
    thread = threading.Thread(target=lambda: other.value)
    thread.start()
    value = one.value
    thread.join()
    assert one.value is value is not other.value
