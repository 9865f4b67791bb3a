"""Jobs of a plan by launchers other than kancli's own, without the libraries of these."""

import sys
import types

import pytest

from kancli.sweeps.launch import submitted_jobs


@pytest.fixture
def executor(monkeypatch):
    """A stand-in for submitit's executor, whose jobs are numbers."""

    class AutoExecutor:
        def map_array(self, function, *iterables):
            return list(map(function, *iterables))

    monkeypatch.setitem(sys.modules, "submitit", types.SimpleNamespace(AutoExecutor=AutoExecutor))
    return AutoExecutor


def test_submitted_jobs_are_collected_although_the_launcher_raises(executor):
    original = executor.map_array

    def launch_and_lose():
        assert executor().map_array(lambda a, b: a + b, [1, 2], [10, 20]) == [11, 22]
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"), submitted_jobs() as jobs:
        launch_and_lose()
    assert jobs == [11, 22]
    assert executor.map_array is original


def test_no_jobs_are_collected_without_submitit(monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with submitted_jobs() as jobs:
        assert jobs == []
