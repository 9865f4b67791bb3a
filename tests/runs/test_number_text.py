"""Text of many numbers: what `repr`, `json` and `csv` write."""

import csv
import hashlib
import io
import json
import math
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kancli.runs.files import csv_of_edges
from kancli.runs.hashes import hash_of_json, hash_of_statistics
from kancli.runs.json_files import canonical, pretty
from kancli.runs.number_text import are_numbers, cells, number_text

# On both sides of where a notation ends, by Python or by msgspec.
ENDS = [
    0.0,
    -0.0,
    1.0,
    100.0,
    1e15,
    9999999999999998.0,
    1e16,
    1e17,
    1e20,
    1e21,
    1e22,
    1e23,
    5e-324,
    1.7976931348623157e308,
]
SMALL = [
    1e-3,
    1e-4,
    9.999e-5,
    5.5e-5,
    1e-5,
    1.25e-05,
    9.99e-6,
    1e-6,
    1e-7,
    1e-10,
    10.00001,
    100.00002,
    0.00010001,
    0.1 + 0.2,
]
OTHERS = [0, -3, 2**53, 2**63 - 1, 2**64 - 1, None]


def by_python(numbers):
    return ",".join("null" if number is None else repr(number) for number in numbers)


def test_numbers_are_written_as_python_writes_them():
    rng = random.Random(0)
    bits = [struct.unpack("d", struct.pack("Q", rng.getrandbits(64)))[0] for _ in range(20_000)]
    usual = [rng.gauss(0, 1) * 10.0 ** rng.randint(-8, 18) for _ in range(20_000)]
    powers = [sign * digit * 10.0**power for power in range(-320, 308) for digit in (1, 3, 9) for sign in (1, -1)]
    numbers = [number for number in [*bits, *usual, *powers] if math.isfinite(number)]
    numbers += [*ENDS, *SMALL, *(-number for number in SMALL), *OTHERS]
    for number, text in zip(numbers, number_text(numbers).split(","), strict=True):
        assert text == by_python([number]), number


@given(st.lists(st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)))
def test_any_numbers_are_written_as_python_writes_them(numbers):
    assert are_numbers(numbers)
    assert number_text(numbers) == by_python(numbers)
    assert pretty({"a": numbers}) == '{\n  "a": ' + json.dumps(numbers) + "\n}"
    assert canonical([numbers]) == json.dumps([numbers], separators=(",", ":"))


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_no_json_holds_a_number_that_is_not_finite(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        pretty([1.0, None, number])
    assert cells([1e-5, None, number]) == ["1e-05", "", repr(number)]


@pytest.mark.parametrize("values", [[True, 1.0], ["1"], [[1.0]], [{}]])
def test_other_values_are_not_numbers(values):
    assert not are_numbers(values)
    assert json.loads(pretty(values)) == values
    assert canonical(values) == json.dumps(values, separators=(",", ":"))


def test_canonical_json_sorts_keys_at_any_depth():
    content = {"ü": [1, "é", None], "b": {"d": {"z": [0.5], "y": []}, "c": {}}, "a": [[1e-5], {"l": True, "k": 1e300}]}
    assert canonical(content) == json.dumps(content, sort_keys=True, separators=(",", ":"))


def test_the_hash_of_statistics_does_not_depend_on_the_number_of_edges():
    def stats(n):
        edges = {"in": list(range(n)), "slope": [1e-5 * number or None for number in range(n)]}
        return {"layers": [{"layer": 0, "n_in": n, "n_out": 1, "edges": edges}], "verdicts": []}

    for n in (3, 300):
        assert hash_of_statistics(stats(n)) == hash_of_json(stats(n))
        text = json.dumps(stats(n), sort_keys=True, separators=(",", ":"))
        assert hash_of_statistics(stats(n)) == hashlib.sha256(text.encode()).hexdigest()


def test_a_table_of_edges_is_what_csv_writes():
    edges = {"in": [0, 1], "out": [0, 0], "slope": {"mean": [1e-5, None], "n": [3, 0]}}
    other = {"in": [0], "out": [0], "slope": {"mean": [-2.0], "n": [1]}}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = ["layer", "in", "out", "slope_mean", "slope_n"]
    writer.writerows([header, [0, 0, 0, 1e-5, 3], [0, 1, 0, None, 0], [1, 0, 0, -2.0, 1]])
    assert csv_of_edges([{"layer": 0, "edges": edges}, {"layer": 1, "edges": other}]) == text.getvalue().encode()
    assert csv_of_edges([]) == b"layer\n"
