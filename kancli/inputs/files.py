"""Read samples from a CSV or .npy file; errors name file, row and column. Nothing is unpickled."""

from __future__ import annotations

import csv
import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np


def read_table(path: Path) -> np.ndarray:
    """Read the numbers in a file.

    Args:
        path: a .npy file holding a 2-dimensional array of numbers, or text with comma-separated numbers; the first
            line of text may be a header.

    Returns:
        `[rows, columns]`, float64, all finite. Treat it as read-only.

    Raises:
        ConfigError: the file is missing, empty, ragged, not numeric or not finite.
    """
    try:
        status = path.stat()
        return _read_table(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError([f"inputs.path={path}: {reason[0].lower()}{reason[1:]}; give a .csv or .npy file"]) from None


@functools.lru_cache(maxsize=1)  # validation and the run read the same file
def _read_table(path: Path, modified: int, size: int) -> np.ndarray:
    table = _read_npy(path) if path.suffix == ".npy" else _read_csv(path)
    table.flags.writeable = False
    return table


def _error(path: Path, fault: str) -> ConfigError:
    return ConfigError([f"inputs.path={path}: {fault}"])


def _read_npy(path: Path) -> np.ndarray:
    import numpy as np

    try:
        table = np.load(path, allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # a damaged header fails in many ways
        text = " ".join(str(error).split())[:80]
        raise _error(path, f"not a .npy file of plain numbers ({text})") from None
    if not isinstance(table, np.ndarray) or table.ndim != 2 or table.size == 0:
        shape = list(table.shape) if isinstance(table, np.ndarray) else "an archive"
        raise _error(path, f"holds {shape}; allowed: a table [rows, columns]")
    if table.dtype.kind not in "fiu":
        raise _error(path, f"holds values of type {table.dtype}; allowed: real numbers")
    table = table.astype(np.float64)
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        row, column = bad[0]
        raise _error(path, f"row {row + 1}, column {column + 1} is {table[row, column]}; allowed: finite numbers")
    return table


def _read_csv(path: Path) -> np.ndarray:
    import numpy as np

    rows: list[list[float]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, cells in enumerate(csv.reader(file), start=1):
                if not any(cell.strip() for cell in cells) or (number == 1 and _is_header(cells)):
                    continue
                if rows and len(cells) != len(rows[0]):
                    raise _error(path, f"row {number} has {len(cells)} columns, the rows above {len(rows[0])}")
                rows.append([_number(path, number, column, cell) for column, cell in enumerate(cells, start=1)])
    except (UnicodeDecodeError, csv.Error) as error:
        raise _error(path, f"not a text file of comma-separated numbers ({error})") from None
    if not rows:
        raise _error(path, "holds no rows of numbers")
    return np.array(rows, dtype=np.float64)


def _is_header(cells: list[str]) -> bool:
    """Whether no cell of the line is a number or begins like one."""
    return not any(_parse(cell) is not None or cell.strip().lstrip("+-.")[:1].isdigit() for cell in cells)


def _number(path: Path, row: int, column: int, cell: str) -> float:
    value = _parse(cell)
    if value is None:
        raise _error(path, f"row {row}, column {column} is {cell.strip()!r}; allowed: numbers")
    if not math.isfinite(value):
        raise _error(path, f"row {row}, column {column} is {cell.strip()}; allowed: finite numbers")
    return value


def _parse(cell: str) -> float | None:
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None
