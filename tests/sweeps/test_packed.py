"""Packed rows read as what they were made of."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kancli.figures.data import DepthProfile
from kancli.stats.verdicts import Verdict
from kancli.sweeps.packed import PackedNumbers, PackedProfile, PackedTexts, PackedVerdicts, pack_numbers, pack_verdicts

NUMBERS = {"a": 0.1, "b": None, "n": 3, "zero": -0.0, "large": 2**53}


@given(st.dictionaries(st.text(), st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False)))
def test_numbers_are_what_they_were(numbers):
    packed = pack_numbers(numbers)
    assert isinstance(packed, PackedNumbers)
    assert packed == numbers
    assert list(map(repr, packed.items())) == list(map(repr, numbers.items())), "integers too, and signs of zeros"
    assert packed.get("absent") is None
    assert "absent" not in packed or "absent" in numbers
    assert pickle.loads(pickle.dumps(packed)) == numbers


@pytest.mark.parametrize("value", [2**53 + 1, float("nan"), True, "1"])
def test_what_no_array_of_numbers_holds_stays(value):
    numbers = {"a": 1.0, "b": value}
    assert pack_numbers(numbers) is numbers
    verdicts = [Verdict("rough", value, 1.0, "pass", "layer 0")]
    assert pack_verdicts(verdicts) is verdicts


def test_rows_of_the_same_names_share_them():
    first, second = PackedNumbers({"a": 0.5, "n": 1}), PackedNumbers({"a": 0.25, "n": 2})
    assert first._layout is second._layout
    assert PackedNumbers({"a": 0.5, "n": 1.0})._layout is not first._layout, "another type"
    texts = [PackedTexts({"init": name, "seed": "0"}) for name in ("x", "y")]
    assert texts[0]._names is texts[1]._names


def test_texts_are_what_they_were():
    texts = {"init": "glorot", "noise_scale": "0.1"}
    assert PackedTexts(texts) == texts
    assert list(PackedTexts(texts)) == list(texts)
    assert PackedTexts(texts).get("seed") is None
    assert dict(PackedTexts({})) == {}


def test_verdicts_are_what_they_were():
    verdicts = [
        Verdict("non_finite", 0, 0, "pass", "all values are finite"),
        Verdict("rough", 1.5, 2.0, "warn", "layer 1", 1.25, 1.75, 10),
        Verdict("off_law", None, None, None, "no law", None, None, 0),
        Verdict("linear", 0.25, None, "fail", "layer 0"),
    ]
    packed = pack_verdicts(verdicts)
    assert isinstance(packed, PackedVerdicts)
    assert list(map(repr, packed)) == list(map(repr, verdicts))
    assert packed == verdicts
    assert (packed[1], packed[-1], packed[1:3]) == (verdicts[1], verdicts[-1], verdicts[1:3])
    assert len(packed) == 4
    assert list(pickle.loads(pickle.dumps(packed))) == verdicts
    assert not PackedVerdicts([])


def test_a_profile_is_what_it_was():
    signal = {"low": np.array([1.0, np.nan, 3.0]), "middle": np.array([1.0, 2.0, 3.0])}
    profile = DepthProfile("", {"signal": signal, "gradient": {"middle": np.array([0.5])}}, {"signal": None, "x": -0.1})
    packed = PackedProfile(profile)
    assert packed.slopes == profile.slopes
    assert list(packed.values) == ["signal", "gradient"]
    for name, rows in profile.values.items():
        assert list(packed.values[name]) == list(rows)
        for end, row in rows.items():
            np.testing.assert_array_equal(packed.values[name][end], row)
