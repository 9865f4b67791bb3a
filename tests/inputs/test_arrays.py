"""Tables in .npy, .npz and .parquet files, and the bounds on every file."""

import os
import warnings
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kancli.errors import ConfigError
from kancli.inputs import files
from kancli.inputs.files import read_table
from kancli.inputs.samplers import File, Normal, Sobol, Uniform
from kancli.inputs.table import MAX_BYTES, ReadOptions

X = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])


def fault(path, **options):
    with pytest.raises(ConfigError, match=path.name) as error:
        read_table(path, ReadOptions(**options))
    (line,) = error.value.faults
    assert "\n" not in line
    return line


def test_capitals_are_no_other_format(tmp_path):
    with (tmp_path / "x.NPY").open("wb") as file:
        np.save(file, X)
    (tmp_path / "x.CSV").write_text("0.1,0.2\n")
    assert read_table(tmp_path / "x.NPY").values.tolist() == X.tolist()
    assert read_table(tmp_path / "x.CSV").values.tolist() == [[0.1, 0.2]]


def test_columns_of_npy_are_chosen_by_number(tmp_path):
    np.save(tmp_path / "x.npy", X)
    assert read_table(tmp_path / "x.npy", ReadOptions(columns=("3", "1"))).values.tolist() == X[:, [2, 0]].tolist()
    assert "numbers from 1 to 3" in fault(tmp_path / "x.npy", columns=("x",))
    assert "inputs.header" in fault(tmp_path / "x.npy", header=True)
    assert "inputs.sep" in fault(tmp_path / "x.npy", sep="comma")


def test_the_only_array_of_npz_is_read(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", X)
    assert read_table(tmp_path / "x.npz").values.tolist() == X.tolist()
    assert read_table(tmp_path / "x.npz", ReadOptions(columns=("arr_0",))).values.tolist() == X.tolist()
    assert read_table(tmp_path / "x.npz", ReadOptions(columns=("2",))).values.tolist() == X[:, [1]].tolist()


def test_arrays_of_npz_are_chosen_by_name(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, x=X, y=[1, 2], z=[[[1.0]]], short=[1])
    assert "the arrays x, y, z, short; name those to read: inputs.columns=[x]" in fault(path)
    assert read_table(path, ReadOptions(columns=("x",))).values.tolist() == X.tolist()
    table = read_table(path, ReadOptions(columns=("y", "x")))
    assert table.values.tolist() == np.column_stack([[1, 2], X]).tolist()
    assert table.header == ("y", "x.1", "x.2", "x.3")
    assert "no w" in fault(path, columns=("w",))
    assert "array z is [1, 1, 1]" in fault(path, columns=("z",))
    assert "short has 1 rows, x 2" in fault(path, columns=("x", "short"))


def test_damaged_npz_is_named(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, X)
    content = path.read_bytes()
    for damaged in (content[:-30], content[:60] + bytes(20) + content[80:], b"PK", b""):
        path.write_bytes(damaged)
        assert "x.npz: " in fault(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no array")
    assert "no arrays" in fault(path)


def test_parquet_is_read(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"x": [0.1, 0.2], "n": [1, 2], "name": ["a", "b"]}), path)
    table = read_table(path, ReadOptions(columns=("n", "x")))
    assert table.values.tolist() == [[1, 0.1], [2, 0.2]]
    assert table.as_json()["columns"] == ["n", "x"]
    assert "column 3 (name) holds values of type string" in fault(path)
    pq.write_table(pa.table({"x": [0.1, None]}), path)
    assert "row 2, column 1 (x) is empty" in fault(path)
    pq.write_table(pa.table({"x": [0.1, 0.2], "__index_level_0__": [5, 3]}), path)
    assert 'type "inputs.columns=[x]"' in fault(path)
    path.write_bytes(b"PAR1 damaged")
    assert "not a readable .parquet file" in fault(path)


def test_values_that_overflow_are_found(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.save(tmp_path / "half.npy", np.array([[1.0, 2.0], [3.0, 7e4]], np.float16))
        np.save(tmp_path / "long.npy", np.array([[1.0, 10 ** np.longdouble(400)]]))
    assert "row 2, column 2 is inf" in fault(tmp_path / "half.npy")
    assert "row 1, column 2 is inf" in fault(tmp_path / "long.npy")
    np.save(tmp_path / "wide.npy", [[0.0, 1e39]])
    (line,) = File(path=str(tmp_path / "wide.npy")).faults(2, "float32")
    assert "row 1, column 2 is 1e+39, beyond float32" in line
    assert File(path=str(tmp_path / "wide.npy")).faults(2, "float64") == []


@pytest.mark.parametrize("sampler", [Normal(mean=1e39), Normal(std=1e38), Uniform(high=1e39), Sobol(low=-1e39)])
def test_samples_beyond_the_number_type_are_refused(sampler):
    (line,) = sampler.faults(2, "float32")
    assert "beyond the numbers of float32" in line
    assert sampler.faults(2, "float64") == []


def test_a_box_of_infinite_width_is_refused():
    assert "beyond the numbers of float64" in Uniform(low=-1e308, high=1e308).faults(2, "float64")[0]


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    assert "named pipe" in fault(tmp_path / "pipe.csv")
    assert "not a regular file" in fault(tmp_path / "zero.csv")
    assert "symbolic links" in fault(tmp_path / "loop.csv")
    with pytest.raises(ConfigError, match="null"):
        read_table(tmp_path / "a\0.csv")


@pytest.mark.parametrize("name", ["sparse.csv", "sparse.npy", "sparse.npz"])
def test_files_above_the_limit_are_not_read(tmp_path, name):
    with (tmp_path / name).open("wb") as file:
        file.truncate(5 * 2**30)
    assert "has 5 GiB; allowed: at most 1 GiB" in fault(tmp_path / name)


def test_declared_shapes_are_bounded_by_the_file(tmp_path, monkeypatch):
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 2)}
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    assert "needs 16000000000000 bytes" in fault(tmp_path / "x.npy")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(2**20))
    monkeypatch.setattr("kancli.inputs.arrays.MAX_BYTES", 2**19)
    assert "unpacked" in fault(tmp_path / "bomb.npz")


def test_a_file_that_grows_past_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    (tmp_path / "x.csv").write_text("0.25,0.75\n0.5,0.5\n")
    assert "allowed: at most 10 bytes" in fault(tmp_path / "x.csv")
    assert MAX_BYTES == 2**30


@pytest.mark.parametrize("name", ["x.csv", "x.npy", "x.npz", "x.parquet"])
def test_only_the_head_of_another_format_is_read(tmp_path, monkeypatch, name):
    with (tmp_path / name).open("wb") as file:
        file.truncate(2**20)
    sizes = []
    read = files._reader

    def spy(source):
        sizes.append(len(source.content))
        return read(source)

    monkeypatch.setattr(files, "_reader", spy)
    assert ": not a" in fault(tmp_path / name)
    assert sizes == [files.HEAD_BYTES]
