"""Processes that work beside this one, and wait for their next use."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from multiprocessing import forkserver

import pytest

from kancli.errors import KanError
from kancli.runs import calls
from kancli.runs.calls import Answer, Call, run_calls
from kancli.runs.fork_server import fork_server
from kancli.runs.pool import process_pool, reuse_pools

pytestmark = pytest.mark.slow


def test_processes_are_kept_and_serve_smaller_uses_too():
    with reuse_pools():
        with process_pool(2) as pool:
            first = {pool.schedule(os.getpid).result() for _ in range(10)}
        with process_pool(1) as pool:
            assert pool.schedule(os.getpid).result() in first
    with process_pool(1) as pool:
        assert pool.schedule(os.getpid).result() not in first


def test_those_that_an_exception_left_are_ended_and_others_take_their_place():
    with reuse_pools():
        gone = None
        try:
            with process_pool(1) as pool:
                gone = pool.schedule(os.getpid).result()
                raise KeyError
        except KeyError:
            assert not os.path.exists(f"/proc/{gone}")
        with process_pool(1) as pool:
            assert pool.schedule(os.getpid).result() != gone


def test_processes_that_were_killed_while_they_waited():
    with reuse_pools():
        with process_pool(1) as pool:
            waiting = pool.schedule(os.getpid).result()
        os.kill(waiting, signal.SIGKILL)
        queue = deque([Call(os.getpid, ())])
        answers = []
        for answer in run_calls(queue, 1):
            answers.append(answer.value)
            if answer.lost_pool:
                queue.append(answer.call)
        assert answers[-1] not in (None, waiting)


def test_workers_are_forked_from_a_server_that_has_loaded_what_they_need():
    before = forkserver._forkserver._preload_modules
    with fork_server(["fractions"]), process_pool(1) as pool:
        assert {"fractions", "kancli.runs.server_process"} <= set(pool.schedule(_loaded).result())
        server = pool.schedule(os.getppid).result()
        assert server == forkserver._forkserver._forkserver_pid != os.getpid()
    assert forkserver._forkserver._preload_modules == before
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)


def _raise_timeout():
    raise TimeoutError("the server does not answer")


def test_a_time_limit_is_told_from_an_error_of_that_name():
    queue = deque([Call(_raise_timeout, ()), Call(time.sleep, (60,), timeout=0.5)])
    causes = {answer.call.function: answer.cause for answer in run_calls(queue, 1)}
    assert causes == {
        _raise_timeout: "TimeoutError: the server does not answer",
        time.sleep: "took longer than sweep.timeout=0.5 s",
    }


@pytest.mark.parametrize(("number", "name"), [(signal.SIGUSR1, "SIGUSR1"), (36, "signal 36")])
def test_the_signal_that_killed_a_worker_is_named(number, name):
    (answer,) = run_calls(deque([Call(_kill_itself, (number,))]), 1)
    assert answer.cause == f"its process was killed by {name}"


def _kill_itself(number):
    os.kill(os.getpid(), number)
    time.sleep(60)


def test_pools_that_break_down_now_and_then_do_not_end_the_work(monkeypatch):
    """Only five in a row, without a call that ended, show that none can start."""
    outcomes = iter([True, False] * 6)

    def in_pool(queue, count):
        if next(outcomes):
            yield Answer(queue[0], cause="killed", lost_pool=True)
            raise calls._PoolLostError("killed")
        yield Answer(queue.popleft(), 1)

    monkeypatch.setattr(calls, "_run_in_pool", in_pool)
    answers = list(run_calls(deque([Call(os.getpid, ())] * 6), 1))
    assert [answer.lost_pool for answer in answers] == [True, False] * 6

    outcomes = iter([True] * calls.MAX_LOST_POOLS)
    with pytest.raises(KanError, match="die as they start"):
        list(run_calls(deque([Call(os.getpid, ())]), 1))


ORPHANED_WORKER = """
import os
import time
from kancli.runs import fork_server

read, write = os.pipe()
if os.fork() == 0:  # the server
    import kancli.runs.server_process
    if os.fork() == 0:  # a worker that is slow to start
        while os.getppid() == fork_server.server_pid:
            time.sleep(0.01)
        fork_server.end_with_parent()
        os.write(write, b"alive")
    os._exit(0)
os.close(write)
print(os.read(read, 5).decode())
"""


def test_a_worker_whose_server_ended_while_it_started_ends_too():
    """It would wait for ever for a lock of a worker that was killed with the server."""
    done = subprocess.run([sys.executable, "-c", ORPHANED_WORKER], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("\n", "")


def _loaded():
    return list(sys.modules)
