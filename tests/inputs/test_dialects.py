"""Text files as people have them: separators, comments, encodings, headers and index columns."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kancli.errors import ConfigError
from kancli.inputs import text
from kancli.inputs.files import read_table
from kancli.inputs.formats import SEPARATORS, Separator
from kancli.inputs.samplers import File
from kancli.inputs.table import ReadOptions, Source

ROWS = [[0.1, 0.2], [0.3, -4e-3]]


def read(tmp_path, content, **options):
    path = tmp_path / "d.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, ReadOptions(**options))


def fault(tmp_path, content, **options):
    with pytest.raises(ConfigError, match=r"d\.csv") as error:
        read(tmp_path, content, **options)
    (line,) = error.value.faults
    assert "\n" not in line
    return line


DIALECTS = {
    "comma": "0.1,0.2\n0.3,-4e-3\n",
    "semicolon": "x;y\n0.1;0.2\n0.3;-4e-3\n",
    "tab": "x\ty\n0.1\t0.2\n0.3\t-4e-3\n",
    "bar": "0.1|0.2\n0.3|-4e-3\n",
    "blank": "  0.1   0.2\n 0.3  -4e-3 \n",
}


@pytest.mark.parametrize("name", DIALECTS)
def test_each_separator_is_recognised(tmp_path, name):
    table = read(tmp_path, DIALECTS[name])
    assert table.values.tolist() == ROWS
    assert table.separator == name
    assert read(tmp_path, DIALECTS[name], sep=name).values.tolist() == ROWS


@pytest.mark.parametrize(
    "content",
    [
        "# by hand\n0.1,0.2\n# a remark, too\n0.3,-4e-3\n",
        "% by hand\n\n0.1,0.2\n0.3,-4e-3",
        "0.1,0.2,\n0.3,-4e-3,\n",
        "x,y,\n0.1,0.2,\n0.3,-4e-3,\n",
        "x,y\r\n0.1,0.2\r\n0.3,-4e-3\r\n",
        "x,y\r0.1,0.2\r0.3,-4e-3\r",
        "sep=;\nx;y\n0.1;0.2\n0.3;-4e-3\n",
        '"x","y"\n"0.1","0.2"\n0.3,-4e-3\n',
        '"x\nin m",y\n0.1,0.2\n0.3,-4e-3\n',
        "+0.1, 0.2\n 0.3 ,-4e-3\n,\n",
        "x,y\n0.1,0.2\n0.3,-4e-3\n".encode("utf-16"),
        "x,y\n0.1,0.2\n0.3,-4e-3\n".encode("utf-32"),
        "größe,y\n0.1,0.2\n0.3,-4e-3\n".encode("utf-8-sig"),
    ],
)
def test_other_habits_are_read(tmp_path, content):
    assert read(tmp_path, content).values.tolist() == ROWS


@pytest.mark.parametrize("header", ["", "x y"])
def test_savetxt_is_read(tmp_path, header):
    file = io.BytesIO()
    np.savetxt(file, ROWS, header=header)
    table = read(tmp_path, file.getvalue())
    assert table.values.tolist() == ROWS
    assert table.separator == "blank"


@pytest.mark.parametrize("header", ["1,2", "400,410", "NA,NA", ",", "nan,inf", "x,0.5", "2x,3x", "x,NA"])
def test_a_doubtful_header_is_refused_with_the_key(tmp_path, header):
    line = fault(tmp_path, f"{header}\n0.1,0.2\n0.3,-4e-3\n")
    assert "row 1" in line
    assert "inputs.header=true" in line
    assert "inputs.header=false" in line
    table = read(tmp_path, f"{header}\n0.1,0.2\n0.3,-4e-3\n", header=True)
    assert table.values.tolist() == ROWS
    assert table.header == tuple(header.split(","))


def test_header_false_reads_the_first_row(tmp_path):
    assert read(tmp_path, "0,1\n0.1,0.2\n", header=False).values.tolist() == [[0, 1], [0.1, 0.2]]
    assert "row 1, column 1 is 'x'" in fault(tmp_path, "x,y\n0.1,0.2\n", header=False)


@pytest.mark.parametrize("content", ["0.0,1.0\n0.1,0.2\n", "3,1\n4,2\n", "1,2\n3,4\n", "-1,0\n0.5,0.5\n"])
def test_a_first_row_of_plain_numbers_is_data(tmp_path, content):
    assert len(read(tmp_path, content).values) == 2


def test_pandas_header_of_numbers_is_never_a_sample(tmp_path):
    for n_columns in (2, 5):
        values = np.random.default_rng(0).random((4, n_columns))
        table = read(tmp_path, pd.DataFrame(values).to_csv(index=False))
        assert table.values.tolist() == values.tolist()
        assert table.header == tuple(map(str, range(n_columns)))


@pytest.mark.parametrize("content", ["0\n0.5\n0.25\n", "0,1\n2,3\n", "0,1\n0.5,3\n"])
def test_a_count_of_columns_above_whole_numbers_is_in_doubt(tmp_path, content):
    assert "pandas" in fault(tmp_path, content)
    assert len(read(tmp_path, content, header=True).values) == content.count("\n") - 1


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (",x,y\n0,0.1,0.2\n1,0.3,-4e-3\n", "[x,y]"),
        (",x,y\n17,0.1,0.2\n3,0.3,-4e-3\n", "[x,y]"),
        (",x,y\n2024-01-01,0.1,0.2\n2024-01-02,0.3,-4e-3\n", "[x,y]"),
        ('"","x","y"\n"1",0.1,0.2\n"2",0.3,-4e-3\n', "[x,y]"),
        ("Unnamed: 0,x,y\n0,0.1,0.2\n1,0.3,-4e-3\n", "[x,y]"),
        ("index;x;y\n0;0.1;0.2\n1;0.3;-4e-3\n", "[x,y]"),
        ("#,x,y\n1,0.1,0.2\n2,0.3,-4e-3\n", "[x,y]"),
        (",'a b',y\n0,0.1,0.2\n1,0.3,-4e-3\n", r"['\'a b\'',y]"),
        (",x,x\n0,0.1,0.2\n1,0.3,-4e-3\n", "[2,3]"),
    ],
)
def test_an_index_column_is_refused_with_the_key(tmp_path, content, names):
    line = fault(tmp_path, content)
    assert "column 1" in line
    assert f"inputs.columns={names}" in line
    assert read(tmp_path, content, columns=("2", "3")).values.tolist() == ROWS


def test_an_index_without_a_header_is_refused(tmp_path):
    content = "0,0.1,0.2\n1,0.3,0.4\n2,0.5,0.6\n"
    assert "inputs.columns=[2,3]" in fault(tmp_path, content)
    assert read(tmp_path, content, columns=("1", "2", "3")).values.shape == (3, 3)


def test_columns_are_chosen_by_name_or_number(tmp_path):
    content = "day,x,y\nMon,0.1,0.2\nTue,0.3,0.4\n"
    table = read(tmp_path, content, columns=("y", "2"))
    assert table.values.tolist() == [[0.2, 0.1], [0.4, 0.3]]
    assert table.as_json()["columns"] == ["y", "x"]
    assert read(tmp_path, content, columns=("x", "x")).values.tolist() == [[0.1, 0.1], [0.3, 0.3]]
    assert "no column z" in fault(tmp_path, content, columns=("z",))
    assert "numbers from 1 to 3" in fault(tmp_path, content, columns=("0",))
    assert "column 1 is 'Mon'" in fault(tmp_path, content)
    assert "columns 1 and 2" in fault(tmp_path, "x,x\n0.1,0.2\n", columns=("x",))


@pytest.mark.parametrize("header", ["x", "x,y,z"])
def test_a_header_of_another_width_is_refused(tmp_path, header):
    line = fault(tmp_path, f"{header}\n0.1,0.2\n0.3,0.4\n")
    assert f"row 1, the header, has {len(header.split(','))} columns, the rows below 2" in line


def test_rows_are_counted_as_lines_of_the_file(tmp_path):
    assert "row 6, column 2 is 'a'" in fault(tmp_path, "# c\n\nx,y\n1,2\n\n3,a\n")
    assert "row 4 has 1 columns" in fault(tmp_path, "x,y\n# c\n0.1,0.2\n0.3\n")


@pytest.mark.parametrize("separator", [";", "\t", " "])
def test_decimal_commas_are_named(tmp_path, separator):
    line = fault(tmp_path, f"0,1{separator}0,2\n0,3{separator}0,4\n")
    assert "'0,1'" in line
    assert "point" in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("größe,y\n0.1,0.2\n".encode("latin-1"), ["row 1", "0xf6", "UTF-8"]),
        ("x,y\n0.1,0.2\n".encode("utf-16-le"), ["UTF-16", "save it as UTF-8"]),
        (b"x,y\n0.1,0.2\n" + 5000 * b" " + b"\0", ["NUL"]),
        (b"PK\x03\x04", ["zip"]),
        (b"\x1f\x8b\x08", ["gzip"]),
        (b"\x93NUMPY", ["name it .npy"]),
        (b"PAR1", ["name it .parquet"]),
        (b"\n\n", ["no rows"]),
        (b"# only\n", ["no rows"]),
        (b'"x,y\n' + 200_000 * b"1,", ["not a text file"]),
    ],
)
def test_what_is_no_text_of_numbers_is_named(tmp_path, content, words):
    line = fault(tmp_path, content)
    for word in words:
        assert word in line


def test_a_wrong_separator_is_answered_with_the_key(tmp_path):
    assert "inputs.sep=comma or semicolon" in fault(tmp_path, "0.1;0.2\n", sep="comma", header=False)


@pytest.mark.parametrize(
    ("given", "name"),
    [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("\\t", "tab"), (" ", "blank"), ("TAB", "tab")],
)
def test_a_separator_is_given_by_name_or_character(given, name):
    assert Separator().check(given) == name


def test_how_it_was_read_is_described(tmp_path):
    table = read(tmp_path, "# c\nx;y;\n0.1;0.2;\n", columns=("y",))
    assert table.describe() == (
        "separator semicolon; header x, y; columns y; 1 rows; 1 line of comments left out; empty last column left out"
    )
    assert table.as_json() == {
        "sha256": table.sha256, "header": ["x", "y"], "sep": "semicolon", "columns": ["y"], "rows": 1
    }  # fmt: skip


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from(sorted(SEPARATORS)))
def test_both_readers_agree_to_the_bit(tmp_path_factory, rows, name):
    path = tmp_path_factory.getbasetemp() / "both.csv"
    content = "\n".join(SEPARATORS[name].join(map(repr, row)) for row in [[0.5, 0.5, 0.5], *rows]).encode()
    source = Source(path, content, ReadOptions())
    fast = text.read_text(source)
    slow = text.read_text(source, limit=1.8e308)
    assert fast.values[1:].tobytes() == np.array(rows).tobytes() == slow.values[1:].tobytes()


def test_values_beyond_the_number_type_are_found_in_the_file(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("# c\nx,y\n0,1\n0.5,1e39\n")
    (line,) = File(path=str(path)).faults(2, "float32")
    assert "row 4, column 2 is 1e39, beyond float32" in line
    assert "dtype=float64" in line
    assert File(path=str(path)).faults(2, "float64") == []
    path.write_text("3.4028235677973366e38,0\n0,3.4028235e38\n")
    assert "row 1, column 1" in File(path=str(path)).faults(2, "float32")[0]
    path.write_text("3.4028235677973362e38,0\n")
    assert File(path=str(path)).faults(2, "float32") == []


@pytest.mark.parametrize("content", ["# c\n,\n", "x,y\n,\n,\n", ",\n,\n"])
def test_rows_of_empty_cells_are_no_rows(tmp_path, content):
    for header in (None, False):
        assert "d.csv: " in fault(tmp_path, content, header=header)


def test_damaged_utf16_is_named(tmp_path):
    assert "damaged" in fault(tmp_path, "x,y\n0.1,0.2\n".encode("utf-16")[:-1])
