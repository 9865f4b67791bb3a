"""A typed value is parsed, resolved and validated once."""

import sys
from collections import Counter

import pytest

from kancli.config.grammar import parse
from kancli.config.overrides import resolve
from kancli.config.validation import validate


@pytest.fixture
def calls():
    """Counts of the calls of `parse`, `resolve` and `validate`, from any module."""
    names = {function.__code__: function.__name__ for function in (parse, resolve, validate)}
    counts = Counter()

    def count(frame, event, _):
        if event == "call" and frame.f_code in names:
            counts[names[frame.f_code]] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    yield counts
    sys.setprofile(before)


ONCE = {"parse": 1, "resolve": 1, "validate": 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["init=linear", "grid=7", "noise_scale=0.5"],
        ["experiment=off_grid", "figures=[network]"],
        pytest.param(["seed=${k}", "figures=none"], id="composed by Hydra alone"),
    ],
)
def test_a_run_handles_each_value_once(kan_run, calls, words):
    outcome = kan_run(*words)
    assert outcome.code == 0, outcome.err
    assert calls == ONCE


@pytest.mark.slow
def test_explain_validates_once(kan_run, calls):
    assert kan_run("explain", "init=linear").code == 0
    assert calls["validate"] == 1


def test_a_plan_validates_once_per_job(kan_run, calls):
    outcome = kan_run("-m", "noise_scale=0.1,1,10", "seed=1,2,3", "--dry-run")
    assert outcome.code == 0, outcome.err
    assert calls["validate"] == 3, "jobs that differ by their seed alone share one validation"
    assert calls["resolve"] == 1 + 3, "one for the sweep, one for each job"
