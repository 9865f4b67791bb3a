"""Recognise the header and the index column of a text file: what is in doubt is refused, with the key to type."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kancli.inputs.cells import is_finite
from kancli.inputs.table import Source

MISSING = {"", "na", "n/a", "nan", "null", "none", "nil", "inf", "infinity", "-", "--", "?", ".", "missing", "<na>"}
INDEX_NAMES = {"index", "idx", "id", "row", "#", "level_0", "rownames", "row.names"}
DECIMAL = re.compile(r"[.,eE]")
UNNAMED = re.compile(r"|unnamed: 0.*|__index_level_\d+__", re.IGNORECASE)


def has_header(source: Source, line: int, rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is a header: it is one unless all its cells are data beyond doubt.

    Raises:
        ConfigError: it can be either.
    """
    if source.options.header is not None:
        return source.options.header
    first = [cell.strip() for cell in rows[0]]
    while len(first) > 1 and not first[-1]:
        first.pop()  # a trailing separator
    if _counts_columns(first, rows[1:]):
        return True
    doubt = _doubt(first, rows[1:])
    if doubt is None:
        return not all(is_finite(cell) for cell in first)
    odd = next((place for place, cell in enumerate(first) if is_finite(cell) != is_finite(first[0])), 0)
    source.fail(
        f"row {line}, column {odd + 1} is {first[odd]!r}: the row {doubt}; type"
        f" {source.key('header')}=true if it names the columns, {source.key('header')}=false if it holds numbers"
    )


def _doubt(first: Sequence[str], rest: Sequence[Sequence[str]]) -> str | None:
    """Why the first row may be a header or numbers; None if it is clear."""
    missing = [cell.lower() in MISSING for cell in first]
    if all(missing):
        return "has no names and no numbers"
    if all(is_finite(cell) for cell in first):
        return _doubt_of_numbers(first, rest)
    if any(cell and miss for cell, miss in zip(first, missing)):
        return "has a name or number beside a missing value"
    if any(cell[:1] and re.match(r"[+-]?\.?\d", cell) for cell in first):
        return "is not all names and not all numbers"
    return None


def _counts_columns(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is 0, 1, 2, ..., as pandas names the columns of an array, above numbers with decimals."""
    below = _cells(rest)
    names = list(map(str, range(len(first))))
    return len(first) > 1 and list(first) == names and bool(below) and all(DECIMAL.search(cell) for cell in below)


def _cells(rows: Sequence[Sequence[str]]) -> list[str]:
    """The cells that are not empty."""
    return [cell.strip() for row in rows for cell in row if cell.strip()]


def _doubt_of_numbers(first: Sequence[str], rest: Sequence[Sequence[str]]) -> str | None:
    if not all(re.fullmatch(r"\d+", cell) for cell in first):
        return None
    whole = [int(cell) for cell in first]
    decimals = [bool(DECIMAL.search(cell)) for cell in _cells(rest)]
    consecutive = whole == list(range(whole[0], whole[0] + len(whole)))
    if consecutive and (whole[0] == 0 or (len(whole) > 1 and any(decimals))):
        return "counts its columns, as pandas writes it for an array without names"
    if decimals and all(decimals) and len(set(whole)) == len(whole):
        return "holds whole numbers, all others have decimals"
    return None


def fit_header(source: Source, header: tuple[str, ...], n_columns: int, line: int) -> tuple[str, ...]:
    """The header with as many names as the rows have columns.

    Raises:
        ConfigError: it has more or fewer.
    """
    while len(header) > n_columns and not header[-1]:
        header = header[:-1]
    if len(header) != n_columns:
        hint = ""
        if len(header) == n_columns - 1:
            hint = "; the first column of the rows may be an index, which a header of its own width would name"
        source.fail(
            f"row {line}, the header, has {len(header)} columns, the rows below {n_columns}; give each column"
            f" one name{hint}"
        )
    return header


def refuse_index(source: Source, header: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> None:
    """Refuse a first column that numbers the rows.

    Raises:
        ConfigError: there is one.
    """
    if len(rows[0]) < 2:
        return
    cells = [row[0].strip() for row in rows if row]
    counts = any(cells == [str(number + start) for number in range(len(cells))] for start in (0, 1))
    names = list(map(str, range(2, len(rows[0]) + 1)))
    if header is None or not any(header):
        if not counts or len(cells) < 3:
            return
        reason = f"counts the rows: {', '.join(cells[:3])}, ..."
    else:
        name = header[0]
        if not UNNAMED.fullmatch(name) and not (counts and name.lower() in INDEX_NAMES):
            return
        if all(header[1:]) and len(set(header)) == len(header):
            names = list(header[1:])
        title = f"({name})" if name else "has no name and"
        reason = f"{title} {'counts the rows' if counts else 'holds ' + ', '.join(cells[:3])}"
    leave, keep = f"[{','.join(map(_quoted, names))}]", f"[1,{','.join(map(_quoted, names))}]"
    columns = source.key("columns")
    source.fail(
        f"column 1 {reason}: an index, as pandas and R write it; type {_word(f'{columns}={leave}')} to leave"
        f" it out, {_word(f'{columns}={keep}')} to take it as an input"
    )


def _quoted(name: str) -> str:
    """A name in Hydra's grammar."""
    if re.fullmatch(r"[A-Za-z0-9_.]+", name):
        return name
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _word(word: str) -> str:
    """A word for the shell."""
    return word if re.fullmatch(r"[\w.=\[\],]+", word) else f'"{word}"'
