"""Read tables of samples from .npy, .npz and .parquet files."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from kancli.inputs.table import MAX_BYTES, Source, Table, select_columns
from kancli.spelling import show_bytes

PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def read_npy(source: Source) -> Table:
    """Read a .npy file that holds a 2-dimensional array of real numbers."""
    _refuse_text_options(source)
    array = _load(source, source.content, ".npy file")
    if array.ndim != 2 or array.size == 0:
        source.fail(f"holds {list(array.shape)}; allowed: a table [rows, columns]")
    return _table(source, array, None)


def read_npz(source: Source) -> Table:
    """Read a .npz file: its only array, or those that the key `columns` names, side by side.

    A one-dimensional array is one column.
    """
    _refuse_text_options(source)
    members = _unzip(source)
    names = source.options.columns
    if len(members) == 1 and (names is None or not set(names) & set(members)):
        ((name, content),) = members.items()
        array = _load(source, content, ".npz file", name)
        if array.ndim == 2:
            return _table(source, array, None, [f"array {name}"])
        names = (name,)
    if names is None or not set(names) <= set(members):
        missing = "" if names is None else f" and no {next(entry for entry in names if entry not in members)}"
        source.fail(
            f"has the arrays {', '.join(members)}{missing}; name those to read:"
            f" {source.key('columns')}=[{next(iter(members))}]"
        )
    parts, header = [], []
    for name in names:
        array = _load(source, members[name], ".npz file", name)
        if array.ndim not in (1, 2) or array.size == 0:
            source.fail(f"array {name} is {list(array.shape)}; allowed: a column [rows] or a table [rows, columns]")
        if parts and len(array) != len(parts[0]):
            source.fail(f"array {name} has {len(array)} rows, {names[0]} {len(parts[0])}; give arrays of one length")
        parts.append(array.reshape(len(array), -1))
        n_columns = parts[-1].shape[1]
        header += [name] if n_columns == 1 else [f"{name}.{column}" for column in range(1, n_columns + 1)]
    values = np.concatenate([_as_float64(source, part) for part in parts], axis=1)
    _check_finite(source, values, range(1, values.shape[1] + 1))
    return Table(values, tuple(header), tuple(range(1, values.shape[1] + 1)))


def read_parquet(source: Source) -> Table:
    """Read the columns of numbers of a .parquet file."""
    import pyarrow
    import pyarrow.parquet

    _refuse_text_options(source)
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(source.content))
        names = list(file.schema_arrow.names)
        _check_size(source, 8 * file.metadata.num_rows * len(names))
        if not names or not file.metadata.num_rows:
            source.fail("holds no rows of numbers")
        positions = _columns_but_index(source, names)
        if len(set(names)) < len(names):
            source.fail("has two columns of one name; give each its own")
        read = file.read([names[position] for position in positions], use_threads=False)
    except (pyarrow.ArrowException, OSError) as error:
        source.fail(f"not a readable .parquet file ({_brief(error)})")
    arrays = [_numbers(source, read, names[position], position) for position in positions]
    values = np.stack(arrays, axis=1)
    if not values.size:
        source.fail("holds no rows of numbers")
    columns = tuple(position + 1 for position in positions)
    _check_finite(source, values, columns)
    return Table(values, tuple(names), columns)


def _numbers(source: Source, read: Any, name: str, position: int) -> np.ndarray:
    import pyarrow.types as types

    column = read.column(name)
    if not (types.is_floating(column.type) or types.is_integer(column.type) or types.is_decimal(column.type)):
        source.fail(
            f"column {position + 1} ({name}) holds values of type {column.type}; allowed: real numbers;"
            f" name the columns to read: {source.key('columns')}=[...]"
        )
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        source.fail(f"row {row + 1}, column {position + 1} ({name}) is empty; allowed: finite numbers")
    return column.cast("float64", safe=False).to_numpy()


def _columns_but_index(source: Source, names: Sequence[str]) -> list[int]:
    indices = [name for name in names if PANDAS_INDEX.fullmatch(name)]
    if indices and source.options.columns is None:
        rest = ",".join(name for name in names if name not in indices)
        source.fail(
            f"column {names.index(indices[0]) + 1} ({indices[0]}) is the index of a pandas table, not an input;"
            f' type "{source.key("columns")}=[{rest}]" to leave it out'
        )
    return select_columns(source, names, len(names))


def _unzip(source: Source) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(source.content)) as archive:
            _check_size(source, sum(member.file_size for member in archive.infolist()))
            return {
                member.filename.removesuffix(".npy"): archive.read(member)
                for member in archive.infolist()
                if member.filename.endswith(".npy")
            } or source.fail("holds no arrays")
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        source.fail(f"not a readable .npz file ({_brief(error)})")
    except Exception as error:  # zlib's own
        if type(error).__module__ != "zlib":
            raise
        source.fail(f"not a readable .npz file ({_brief(error)})")


def _check_size(source: Source, size: int) -> None:
    if size > MAX_BYTES:
        source.fail(f"holds {show_bytes(size)} unpacked; allowed: at most {show_bytes(MAX_BYTES)}")


def _load(source: Source, content: bytes, kind: str, name: str = "") -> np.ndarray:
    """The array in the bytes of a .npy file."""
    try:
        return parse_npy(content)
    except ValueError as error:
        where = f"array {name}: " if name else ""
        source.fail(f"{where}not a {kind} of plain numbers ({_brief(error)})")


def parse_npy(content: bytes) -> np.ndarray:
    """The array in the bytes of a .npy file. Nothing is unpickled, nor allocated beyond what the bytes hold.

    Raises:
        ValueError: it is damaged, or holds objects.
    """
    try:
        stream = io.BytesIO(content)
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        needed = int(np.prod([int(length) for length in shape], dtype=object)) * dtype.itemsize
        if not dtype.hasobject and needed > len(content):  # before it is allocated
            raise ValueError(f"shape {list(shape)} needs {needed} bytes, the file has {len(content)}")
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # a damaged header fails in many ways
        raise ValueError(str(error)) from error


def _table(source: Source, array: np.ndarray, header: Sequence[str] | None, notes: Sequence[str] = ()) -> Table:
    positions = select_columns(source, header, array.shape[1])
    if source.options.columns is not None:
        array = array[:, positions]
    values = _as_float64(source, array)
    columns = tuple(position + 1 for position in positions)
    _check_finite(source, values, columns)
    return Table(values, None, columns, notes=tuple(notes))


def _as_float64(source: Source, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiu":
        source.fail(f"holds values of type {array.dtype}; allowed: real numbers")
    with np.errstate(over="ignore"):  # of long doubles, answered as infinite
        return array.astype(np.float64)


def _check_finite(source: Source, values: np.ndarray, columns: Sequence[int]) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        source.fail(f"row {row + 1}, column {columns[column]} is {values[row, column]}; allowed: finite numbers")


def _refuse_text_options(source: Source) -> None:
    for name in ("header", "sep"):
        value = getattr(source.options, name)
        if value is not None:
            shown = str(value).lower() if isinstance(value, bool) else value
            source.fail(f"{source.key(name)}={shown} is for text files; leave {source.key(name)} out")


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:80]
