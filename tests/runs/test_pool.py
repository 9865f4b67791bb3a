"""Processes that work beside this one, and wait for their next use."""

import os
import signal

import pytest

from kancli.runs.pool import beside, kept, workers

pytestmark = pytest.mark.slow


def test_processes_are_kept_and_serve_smaller_uses_too():
    with kept(ahead=2):
        with workers(2) as pool:
            first = {pool.schedule(os.getpid).result() for _ in range(10)}
        with workers(1) as pool:
            assert pool.schedule(os.getpid).result() in first
    with workers(1) as pool:
        assert pool.schedule(os.getpid).result() not in first


def test_what_is_worked_out_beside_this_process():
    assert beside(os.getpid)() == os.getpid()  # where no other is kept
    with kept():
        assert beside(os.getpid)() == os.getpid()
        with workers(1) as pool:
            assert pool.schedule(os.getpid).result() == beside(os.getpid)() != os.getpid()
            assert beside(_dies_elsewhere, os.getpid())() == "here"
        with pytest.raises(ZeroDivisionError):
            beside(divmod, 1, 0)()


def _dies_elsewhere(here):
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    return "here"


def test_those_that_an_exception_left_are_ended_and_others_take_their_place():
    with kept():
        gone = None
        try:
            with workers(1) as pool:
                gone = pool.schedule(os.getpid).result()
                raise KeyError
        except KeyError:
            assert not os.path.exists(f"/proc/{gone}")
        with workers(1) as pool:
            assert pool.schedule(os.getpid).result() != gone


def test_processes_that_were_killed_while_they_waited():
    with kept():
        with workers(1) as pool:
            waiting = pool.schedule(os.getpid).result()
        os.kill(waiting, signal.SIGKILL)
        assert beside(os.getpid)() != waiting
        with workers(1) as pool:
            assert pool.schedule(os.getpid).result() != waiting
