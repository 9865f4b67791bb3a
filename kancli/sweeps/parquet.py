"""Write the table of a sweep as Parquet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    import pyarrow

Columns = Mapping[str, Sequence[Any]]
INTEGERS, REALS, WORDS = "text of integers", "text of numbers", "text"  # kinds of columns of text


def write_parquet(file: BinaryIO, stretches: Iterable[Columns]) -> None:
    """Write a table as Parquet, one stretch of rows after the other.

    A swept key whose values are all numbers becomes a column of numbers.

    Args:
        stretches: with the same columns; read twice: once for the types, once to write.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    kinds: dict[str, set[Any]] = {}
    for columns in stretches:
        for name, values in columns.items():
            kinds.setdefault(name, set()).update(_kinds(values))
    types = {name: _type_of(found) for name, found in kinds.items()}
    with parquet.ParquetWriter(file, arrow.schema(list(types.items()))) as writer:
        for columns in stretches:
            arrays = [_as_array(values, types[name]) for name, values in columns.items()]
            writer.write_table(arrow.Table.from_arrays(arrays, names=list(columns)))


def _kinds(values: Sequence[Any]) -> set[Any]:
    """The types of values that are not None; of text, what all of it can be converted to."""
    kinds: set[Any] = {type(value) for value in values if value is not None}
    if str not in kinds:
        return kinds
    for kind, convert in ((INTEGERS, np.int64), (REALS, float)):
        with contextlib.suppress(ValueError, OverflowError):  # an integer of more than 64 bits is a number
            for value in values:
                if value is not None:
                    convert(value)
            return {kind}
    return {WORDS}


def _type_of(kinds: set[Any]) -> pyarrow.DataType:
    """The type of a column with values of these kinds."""
    import pyarrow as arrow

    if not kinds:
        return arrow.null()
    if WORDS in kinds:
        return arrow.string()
    if kinds == {bool}:
        return arrow.bool_()
    return arrow.int64() if kinds <= {int, INTEGERS} else arrow.float64()


def _as_array(values: Sequence[Any], kind: pyarrow.DataType) -> pyarrow.Array:
    """The array that `pyarrow.array` makes of values of one type and None. That imports pandas where it is installed,
    which takes longer than all else here."""
    import pyarrow as arrow

    if kind == arrow.null():
        return arrow.nulls(len(values))
    present = np.array([value is not None for value in values])
    if kind == arrow.string():
        texts = [b"" if value is None else value.encode() for value in values]
        offsets = np.cumsum([0, *map(len, texts)])
        return _from_buffers(kind, present, offsets.astype(np.int32), b"".join(texts))
    if kind == arrow.bool_():
        return _from_buffers(kind, present, np.packbits([bool(value) for value in values], bitorder="little"))
    convert, number = (int, np.int64) if kind == arrow.int64() else (float, np.float64)
    return _from_buffers(kind, present, np.array([0 if value is None else convert(value) for value in values], number))


def _from_buffers(kind: pyarrow.DataType, present: np.ndarray, *content: Any) -> pyarrow.Array:
    import pyarrow as arrow

    buffers = [arrow.py_buffer(np.packbits(present, bitorder="little")), *map(arrow.py_buffer, content)]
    return arrow.Array.from_buffers(kind, len(present), buffers)
