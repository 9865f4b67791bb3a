"""Read a table of samples from a file: text, .npy, .npz or .parquet. Nothing is unpickled.

The file must be a regular one of at most `MAX_BYTES`. Errors name file, row and column, both counted from 1.
"""

from __future__ import annotations

import codecs
import dataclasses
import functools
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

from kancli.errors import ConfigError
from kancli.inputs.formats import ALLOWED, MAGIC
from kancli.inputs.table import MAX_BYTES, OVERFLOW, ReadOptions, Source, Table, fail_beyond
from kancli.spelling import show_bytes

HEAD_BYTES = 4096
FIRST_BYTES = {".npy": b"\x93NUMPY", ".npz": b"PK", ".parquet": b"PAR1"}
BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def read_table(path: Path, options: ReadOptions | None = None, *, dtype: str = "float64") -> Table:
    """Read the numbers in a file.

    Args:
        path: a text file of numbers, or a .npy, .npz or .parquet file with a table of them.
        options: how to read it.
        dtype: number type that must hold the values.

    Raises:
        ConfigError: the file is missing, not regular, too large, damaged, not numeric, not finite or ambiguous.
    """
    options = options or ReadOptions()
    try:
        status = path.stat()
        key = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
        table = _read_cached(path, options, key)
        if dtype != "float64":
            _check_range(path, options, table, dtype)
        return table
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
        raise ConfigError(
            [f"{options.section}.path={path}: {reason[0].lower()}{reason[1:]}; give a file of one of {ALLOWED}"]
        ) from None


@functools.lru_cache(maxsize=2)  # samples and task: validation, the identity and the run read the same file
def _read_cached(path: Path, options: ReadOptions, key: tuple[int, ...]) -> Table:
    source = Source(path, _read_bytes(path, options), options)
    table = _reader(source)(source)
    table.values.flags.writeable = False
    return dataclasses.replace(table, sha256=hashlib.sha256(source.content).hexdigest())


def _read_bytes(path: Path, options: ReadOptions) -> bytes:
    source = Source(path, b"", options)
    # Without O_NONBLOCK, opening a named pipe waits for its writer.
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            kind = "a named pipe" if stat.S_ISFIFO(status.st_mode) else "a device or socket"
            source.fail(f"is {kind}, not a regular file; save its content to a file first")
        if status.st_size > MAX_BYTES:
            size, limit = show_bytes(status.st_size), show_bytes(MAX_BYTES)
            source.fail(f"has {size}; allowed: at most {limit}; give a part of it")
        content = file.read(HEAD_BYTES)
        if _is_plausible(path, content):
            content += file.read(MAX_BYTES + 1 - len(content))
    if len(content) > MAX_BYTES:
        source.fail(f"has over {show_bytes(MAX_BYTES)}, which is the limit; give a part of it")
    return content


def _is_plausible(path: Path, head: bytes) -> bool:
    """Whether the first bytes are those of the file's format. If not, its reader refuses them, and needs no more."""
    suffix = path.suffix.lower()
    if suffix in FIRST_BYTES:
        return head.startswith(FIRST_BYTES[suffix])
    return b"\0" not in head or head.startswith(BYTE_ORDER_MARKS)


def _reader(source: Source) -> Any:
    from kancli.inputs import arrays, text

    readers = {".npy": arrays.read_npy, ".npz": arrays.read_npz, ".parquet": arrays.read_parquet}
    suffix = source.path.suffix.lower()
    for magic, (expected, name) in MAGIC.items():
        if suffix not in readers and source.content.startswith(magic):
            rename = f"; name it {expected}" if expected else ""
            source.fail(f"is {name}, not text; allowed: {ALLOWED}{rename}")
    return readers.get(suffix, text.read_text)


def _check_range(path: Path, options: ReadOptions, table: Table, dtype: str) -> None:
    """Raise ConfigError for the first value that `dtype` cannot hold."""
    import numpy as np

    beyond = np.abs(table.values) >= OVERFLOW[dtype]
    if not beyond.any():
        return
    source = Source(path, _read_bytes(path, options), options)
    if table.separator is not None:  # rows are lines of the file
        from kancli.inputs import text

        text.read_text(source, limit=OVERFLOW[dtype], dtype=dtype)
    row, column = np.argwhere(beyond)[0]
    fail_beyond(source, int(row) + 1, table.columns[column], table.values[row, column], dtype)
