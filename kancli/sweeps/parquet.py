"""Encode the table of a sweep as Parquet."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow


def encode_parquet(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Encode columns as Parquet. A swept key whose values are all numbers becomes a column of numbers."""
    import pyarrow as arrow
    from pyarrow import parquet

    arrays = [_as_array(_as_numbers(values)) for values in columns.values()]
    sink = arrow.BufferOutputStream()
    parquet.write_table(arrow.Table.from_arrays(arrays, names=list(columns)), sink)
    return sink.getvalue().to_pybytes()


def _as_numbers(values: Sequence[Any]) -> Sequence[Any]:
    """Convert strings to integers, or else to floats, if all of them can be converted."""
    if not any(isinstance(value, str) for value in values):
        return values
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return [None if value is None else kind(value) for value in values]
    return values


def _as_array(values: Sequence[Any]) -> pyarrow.Array:
    """The array that `pyarrow.array` makes of values of one kind and None. That imports pandas where it is installed,
    which takes longer than all else here."""
    import pyarrow as arrow

    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return arrow.nulls(len(values))
    present = np.array([value is not None for value in values])
    if kinds == {str}:
        texts = [b"" if value is None else value.encode() for value in values]
        offsets = np.cumsum([0, *map(len, texts)])
        is_long = offsets[-1] > np.iinfo(np.int32).max
        kind, integer = (arrow.large_string(), np.int64) if is_long else (arrow.string(), np.int32)
        return _from_buffers(kind, present, offsets.astype(integer), b"".join(texts))
    if kinds == {bool}:
        return _from_buffers(arrow.bool_(), present, np.packbits([bool(value) for value in values], bitorder="little"))
    kind, number = (arrow.int64(), np.int64) if kinds == {int} else (arrow.float64(), np.float64)
    return _from_buffers(kind, present, np.array([0 if value is None else value for value in values], number))


def _from_buffers(kind: pyarrow.DataType, present: np.ndarray, *content: Any) -> pyarrow.Array:
    import pyarrow as arrow

    buffers = [arrow.py_buffer(np.packbits(present, bitorder="little")), *map(arrow.py_buffer, content)]
    return arrow.Array.from_buffers(kind, len(present), buffers)
