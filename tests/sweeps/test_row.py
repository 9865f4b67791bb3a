"""A row has what it was made of."""

import math
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kancli.figures.data import DepthProfile
from kancli.stats.verdicts import Verdict
from kancli.sweeps.row import Row

VERDICTS = [
    Verdict("non_finite", 0, 0, "pass", "all values are finite"),
    Verdict("rough", 1.5, 2.0, "warn", "layer 1", 1.25, 1.75, 10),
    Verdict("off_law", None, None, None, "no law", None, None, 0),
    Verdict("linear", 0.25, None, "fail", "layer 0"),
]
SIGNAL = {"low": np.array([1.0, np.nan, 3.0]), "middle": np.array([1.0, 2.0, 3.0])}
PROFILE = DepthProfile("", {"signal": SIGNAL, "gradient": {"middle": np.zeros(3)}}, {"signal": None, "gradient": -0.1})


def make(statistics=None, verdicts=(), keys=None, profile=None, number=7):
    return Row(number, "../a/7", "complete", None, "kan-run a=1", keys or {}, verdicts, statistics or {}, 0.5, profile)


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.booleans() | st.floats(allow_nan=False)))
def test_statistics_are_what_they_were(statistics):
    row = make(statistics, VERDICTS, profile=PROFILE)
    assert row.statistics == statistics
    assert list(map(repr, row.statistics.items())) == list(map(repr, statistics.items())), "integers, signs of zeros"
    assert list(map(repr, row.statistics.values())) == [repr(row.statistics.get(name)) for name in statistics]
    assert row.statistics.get("absent name") is None
    assert row.verdicts == VERDICTS
    assert row.number == 7


def test_verdicts_are_what_they_were():
    for statistics in ({}, {verdict.name: verdict.value for verdict in VERDICTS}, {"rough": 3.0, "linear": None}):
        row = make(statistics, VERDICTS)
        assert list(map(repr, row.verdicts)) == list(map(repr, VERDICTS))
        assert row.verdict_words == {"non_finite": "pass", "rough": "warn", "off_law": None, "linear": "fail"}
        assert dict(row.statistics) == statistics
    assert not make().verdicts


@pytest.mark.parametrize("value", [2**53 + 1, True])
def test_a_number_that_is_no_float64_stays(value):
    verdicts = [Verdict("rough", value, 1.0, "pass", "layer 0")]
    row = make({"a": 1.5, "b": value, "none": None, "n": 2}, verdicts, profile=PROFILE)
    assert row.verdicts == verdicts
    assert list(map(repr, row.statistics.values())) == ["1.5", repr(value), "None", "2"]
    np.testing.assert_array_equal(row.profile.values["signal"]["low"], SIGNAL["low"])


def test_a_profile_is_what_it_was():
    row = make({"a": 1.0}, VERDICTS, profile=PROFILE)
    assert row.depth == 3
    assert row.profile.slopes == PROFILE.slopes
    assert list(row.profile.values) == ["signal", "gradient"]
    for name, rows in PROFILE.values.items():
        assert list(row.profile.values[name]) == list(rows)
        for end, curve in rows.items():
            np.testing.assert_array_equal(row.profile.values[name][end], curve)
    assert (make().profile, make().depth) == (None, 0)


def test_texts_are_what_they_were():
    keys = {"init": "glorot", "noise_scale": "0.1"}
    row = make(keys=keys)
    assert (row.folder, row.status, row.cause, row.replay) == ("../a/7", "complete", None, "kan-run a=1")
    assert list(row.keys.items()) == list(keys.items())
    assert (row.seconds, make().keys) == (0.5, {})
    failed = Row(3, "3", "failed", "out of memory", "kan-run", keys, [], {}, None)
    assert (failed.cause, failed.seconds, failed.keys) == ("out of memory", None, keys)
    assert pickle.loads(pickle.dumps(failed)).keys == keys


def test_a_row_takes_little_memory():
    def rows(count):
        for number in range(count):
            statistics = {
                f"layer{layer}_{name}": math.sin(number + layer)
                for layer in range(2)
                for name in "abcdefghijklmnopqrst"
            }
            verdicts = [Verdict(f"verdict {name}", math.cos(number), 1.0, "pass", "") for name in "abcdefghijklm"]
            statistics |= {verdict.name: verdict.value for verdict in verdicts}
            yield make(statistics, verdicts, {"init": "a", "seed": str(number)}, PROFILE, number)

    list(rows(500))  # texts that rows share
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = list(rows(500))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(kept) < 1000
