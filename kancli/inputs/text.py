"""Read the numbers of a text file: by pyarrow, and cell by cell where it stops, to name the row and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from kancli.inputs.cells import decimal_comma, parse_number
from kancli.inputs.dialect import Dialect, recognise
from kancli.inputs.formats import SEPARATORS
from kancli.inputs.table import Source, Table, fail_beyond, select_columns


def read_text(source: Source, *, limit: float = float("inf"), dtype: str = "float64") -> Table:
    """Read a text file of numbers with one row a line.

    Args:
        limit: the least magnitude that `dtype` cannot hold.

    Raises:
        ConfigError: a row or a cell cannot be used, or the file can be read in two ways.
    """
    dialect = recognise(source)
    positions = select_columns(source, dialect.header, dialect.n_columns)
    values = _read_fast(dialect, positions) if limit == float("inf") else None
    if values is None or not np.isfinite(values).all():
        values = _read_cells(source, dialect, positions, limit, dtype)
    if not values.size:
        source.fail("holds no rows of numbers")
    columns = tuple(position + 1 for position in positions)
    return Table(values, dialect.header, columns, dialect.separator, dialect.notes)


def _read_fast(dialect: Dialect, positions: Sequence[int]) -> np.ndarray | None:
    """The numbers as pyarrow reads them; None where it finds a fault."""
    import pyarrow
    import pyarrow.csv

    n_cells = dialect.n_columns + dialect.trailing
    names = [f"f{position}" for position in range(n_cells)]
    types = {names[position]: pyarrow.float64() for position in positions}
    if dialect.trailing:
        types[names[-1]] = pyarrow.string()
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(dialect.body.encode()),
            pyarrow.csv.ReadOptions(use_threads=False, column_names=names),
            pyarrow.csv.ParseOptions(delimiter=SEPARATORS[dialect.separator]),
            pyarrow.csv.ConvertOptions(column_types=types, null_values=[], include_columns=list(types)),
        )
    except pyarrow.ArrowInvalid:
        return None
    if dialect.trailing and any(map(str.strip, table.column(names[-1]).to_pylist())):
        return None
    return np.stack([table.column(names[position]).to_numpy() for position in positions], axis=1)


def _read_cells(source: Source, dialect: Dialect, positions: Sequence[int], limit: float, dtype: str) -> np.ndarray:
    rows, n_cells = [], dialect.n_columns + dialect.trailing
    try:
        for number, cells in dialect.rows():
            if len(cells) != n_cells:
                source.fail(f"row {number} has {len(cells)} columns, the others {n_cells}; give all rows one width")
            if dialect.trailing and cells[-1].strip():
                source.fail(f"row {number}, column {n_cells} is {cells[-1].strip()!r}, empty in the rows above")
            row = [_number(source, dialect, number, position, cells[position]) for position in positions]
            for position, value in zip(positions, row):
                if abs(value) >= limit:
                    fail_beyond(source, number, position + 1, cells[position].strip(), dtype)
            rows.append(row)
    except csv.Error as error:
        source.fail(f"not a text file of numbers ({error})")
    return np.array(rows, dtype=np.float64)


def _number(source: Source, dialect: Dialect, row: int, position: int, cell: str) -> float:
    value = parse_number(cell)
    if value is not None and np.isfinite(value):
        return value
    shown = repr(cell.strip()) if value is None else cell.strip()
    allowed = "numbers" if value is None else "finite numbers"
    hint = ""
    if value is None and decimal_comma(cell):
        hint = "; write decimals with a point"
    elif value is None and any(character in cell.strip() for character in SEPARATORS.values()):
        hint = f" separated by {dialect.separator}; else type {source.key('sep')}={' or '.join(SEPARATORS)}"
    source.fail(f"row {row}, column {position + 1} is {shown}; allowed: {allowed}{hint}")
