"""A table of samples as read from a file, and what its readers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kancli.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

MAX_BYTES = 2**30
# The least magnitude that rounds to infinity.
OVERFLOW = {"float32": 2.0**128 * (1 - 2.0**-25), "float64": float("inf")}


@dataclass(frozen=True)
class ReadOptions:
    """The keys `header`, `sep` and `columns`, None where the file decides, and the section that has them."""

    header: bool | None = None
    sep: str | None = None
    columns: tuple[str, ...] | None = None
    section: str = "inputs"


@dataclass(frozen=True)
class Source:
    """A file that was read whole."""

    path: Path
    content: bytes
    options: ReadOptions

    def key(self, name: str) -> str:
        """A key of the section, as it is typed."""
        return f"{self.options.section}.{name}"

    def fail(self, fault: str) -> NoReturn:
        raise ConfigError([f"{self.key('path')}={self.path}: {fault}"])


@dataclass(frozen=True)
class Table:
    """The numbers of a file.

    Args:
        values: `[rows, columns]`, float64, all finite, read-only.
        header: names of all columns in the file, if it has any.
        columns: numbers of the columns that were read, from 1.
        separator: name of the separator of a text file.
        notes: remarks on how the file was read, for the log.
    """

    values: np.ndarray
    header: tuple[str, ...] | None
    columns: tuple[int, ...]
    separator: str | None = None
    notes: tuple[str, ...] = ()
    sha256: str = ""  # of the file

    def as_json(self) -> dict[str, Any]:
        """How the file was read, for the record of a run."""
        names = [column if self.header is None else self.header[column - 1] for column in self.columns]
        return {
            "sha256": self.sha256,
            "header": None if self.header is None else list(self.header),
            "sep": self.separator,
            "columns": names,
            "rows": len(self.values),
        }

    def describe(self) -> str:
        """How the file was read, in one line for the log."""
        record = self.as_json()
        parts = [] if self.separator is None else [f"separator {self.separator}"]
        parts.append("no header" if self.header is None else f"header {', '.join(self.header)}")
        parts.append(f"columns {', '.join(map(str, record['columns']))}")
        return "; ".join([*parts, f"{len(self.values)} rows", *self.notes])


def fail_beyond(source: Source, row: int, column: int, value: Any, dtype: str) -> NoReturn:
    """Raise ConfigError for a value that `dtype` cannot hold."""
    source.fail(
        f"row {row}, column {column} is {value}, beyond {dtype} (3.4e38 at most); take dtype=float64 or smaller numbers"
    )


def select_columns(source: Source, names: Sequence[str] | None, n_columns: int) -> list[int]:
    """The positions, from 0, of the columns that the key `columns` asks for, or of all.

    An entry is the name of a column or, where no column is named so, the number of one, from 1.
    """
    if source.options.columns is None:
        return list(range(n_columns))
    positions = []
    for entry in source.options.columns:
        matches = [position for position, name in enumerate(names or ()) if name == entry]
        if len(matches) > 1:
            numbers = " and ".join(str(position + 1) for position in matches)
            source.fail(f"{source.key('columns')}: {entry} names columns {numbers}; give the number of one")
        if not matches and entry.isdecimal() and 1 <= int(entry) <= n_columns:
            matches = [int(entry) - 1]
        if not matches:
            has = f"the names {', '.join(filter(None, names))}, or " if names else ""
            source.fail(
                f"{source.key('columns')}: it has no column {entry}; allowed: {has}numbers from 1 to {n_columns}"
            )
        positions += matches
    return positions
