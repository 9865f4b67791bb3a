"""Tiers, tolerances, and what counts as a difference."""

import pytest

from kancli.compare.baseline import Record
from kancli.compare.tolerance import TOLERANCES, choose_tier, compare
from kancli.stats.verdicts import Verdict

ENVIRONMENT = {
    "versions": {"torch": "2.13.0", "numpy": "2.4.6", "scipy": "1.17.1"},
    "platform": {"machine": "x86_64", "system": "Linux"},
    "cpu": {"model": "a", "capability": "AVX2"},
    "threads": 2,
}


def record(stats=None, config=None, verdicts=(), **environment):
    whole = {name: {**value, **environment.pop(name, {})} if isinstance(value, dict) else environment.pop(name, value)
             for name, value in ENVIRONMENT.items()}  # fmt: skip
    return Record("r", 2, config or {"device": "cpu", "inputs": {"n": 100}}, whole, {"statistics": str(stats)},
                  {"layers": [], "verdicts": [], **(stats or {})}, verdicts)  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "tier", "reason"),
    [
        ({}, "exact", "same environment"),
        ({"threads": 4}, "close", "threads 4 instead of 2"),
        ({"cpu": {"capability": "AVX512"}}, "close", "processor's capability AVX512 instead of AVX2"),
        ({"versions": {"torch": "2.13.1"}}, "close", "torch patch 2.13.1 instead of 2.13.0"),
        ({"versions": {"torch": "2.14.0"}}, "loose", "torch 2.14 instead of 2.13"),
        ({"platform": {"machine": "aarch64"}}, "loose", "machine aarch64 instead of x86_64"),
        ({"config": {"device": "cuda"}}, "loose", "device cuda instead of cpu"),
    ],
)
def test_environments_choose_the_tier(environment, tier, reason):
    chosen = choose_tier(record(), record(**environment))
    assert chosen.name == tier
    assert reason in chosen.reasons


def test_tolerances_grow_with_the_tier_and_the_sampling_error():
    """A mean over 4 members with sd 2 has the sampling error 1."""
    was = {"layers": [{"x": {"mean": 10.0, "sd": 2.0, "low": 1.0, "high": 19.0, "n": 4}}]}

    def answer(change, **environment):
        now = {"layers": [{"x": {**was["layers"][0]["x"], "mean": 10.0 + change}}]}
        return compare(record(was), record(now, **environment)).answer

    close, loose = (TOLERANCES[name] for name in ("close", "loose"))
    for tolerance, elsewhere in ((close, {"threads": 4}), (loose, {"versions": {"torch": "3.0.0"}})):
        allowed = tolerance.absolute + tolerance.relative * 10 + tolerance.errors * 1.0
        assert answer(0.99 * allowed, **elsewhere) == "match within tolerance"
        assert answer(1.01 * allowed, **elsewhere) == "drift"
    assert answer(1e-12) == "drift", "the same environment allows no difference"
    assert close.errors < loose.errors


def test_a_missing_number_is_drift_and_comes_first():
    was, now = {"layers": [{"a": 1.0, "b": 2.0}]}, {"layers": [{"a": 1.5, "b": None}]}
    comparison = compare(record(was), record(now, threads=4))
    assert comparison.answer == "drift"
    assert [row.name for row in comparison.deviations] == ["layers.0.b", "layers.0.a"]
    assert comparison.deviations[1].difference == pytest.approx(0.5 / (1.0 / 10)), "1 over the root of 100 samples"


def test_added_statistics_are_no_difference():
    was = {"layers": [{"a": 1.0}]}
    now = {"layers": [{"a": 1.0, "b": 2.0}], "c": {"mean": 3.0}}
    for environment in ({}, {"threads": 4}, {"versions": {"torch": "3.0.0"}}):
        assert compare(record(was), record(now, **environment)).answer == "match"
        assert compare(record(now), record(was, **environment)).answer == "drift", "but a removed one is"


def test_a_changed_verdict_is_drift_in_the_exact_tier():
    def judged(word):
        return [Verdict("rough", 1.0, 2.0, word, "layer 0")]

    was = record({"layers": [{"a": 1.0}]}, verdicts=judged("pass"))
    now = record({"layers": [{"a": 1.0}], "b": 1}, verdicts=judged("warn"))
    comparison = compare(was, now)
    assert comparison.answer == "drift"
    assert [(row.name, row.baseline, row.now) for row in comparison.deviations] == [
        ("verdicts.rough.verdict", "pass", "warn")
    ]
