"""The number of processors, also where the system does not say which of them a process may use."""

import os

import pytest

from kancli.config.processors import usable_processors


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity of processes")
def test_processors_are_those_that_the_process_may_use():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_processors() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_a_sweep_needs_no_affinity(kan_run, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_processors() == os.cpu_count()
    done = kan_run("-m", "seed=range(2)", "figures=none", "stats=none", "hydra.sweep.dir=sweep")
    assert done.code == 0, done.err
    assert "2 of 2 runs complete" in done.out
