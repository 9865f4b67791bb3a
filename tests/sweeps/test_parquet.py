"""Tables as Parquet: the columns are those that pyarrow makes of the same values."""

import io
import subprocess
import sys

import pyarrow
import pytest
from pyarrow import parquet

from kancli.sweeps.parquet import write_parquet

COLUMNS = [
    [3, None, -(2**63)],
    [0.1, None, float("inf")],
    [1, 2.5, None],
    ["ä", None, ""],
    ["=1", "x", "1"],
    [True, None, False],
    [None, None, None],
    [],
]


def written(values):
    """The column that is read back."""
    file = io.BytesIO()
    write_parquet(file, [{"a": values}])
    return parquet.read_table(file).column("a")


@pytest.mark.parametrize("values", COLUMNS)
def test_a_column_is_that_of_pyarrow(values):
    column = written(values)
    wanted = pyarrow.array(values)
    assert (column.type, column.to_pylist()) == (wanted.type, wanted.to_pylist())


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["1", "2", None], [1, 2, None]),
        (["1", "2.5", "1e3"], [1.0, 2.5, 1000.0]),
        (["1", "2-3"], ["1", "2-3"]),
        (["1", "100000000000000000000"], [1.0, 1e20]),
    ],
)
def test_words_that_are_all_numbers_become_numbers(words, numbers):
    column = written(words).to_pylist()
    assert column == numbers
    assert list(map(type, column)) == list(map(type, numbers))


@pytest.mark.slow
def test_pandas_is_not_loaded():
    code = (
        "import io, sys, kancli.sweeps.parquet as p;"
        " p.write_parquet(io.BytesIO(), [{'a': [1, None]}]); assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)
