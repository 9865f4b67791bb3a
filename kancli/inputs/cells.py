"""The numbers that cells of a text file hold."""

from __future__ import annotations

import math
import re


def parse_number(cell: str) -> float | None:
    """The number that a cell holds, infinities and NaN too; None if it is another text."""
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None


def decimal_comma(cell: str) -> bool:
    """Whether a cell is a number with a comma for its decimal point."""
    return bool(re.fullmatch(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*", cell))


def is_finite(cell: str) -> bool:
    """Whether a cell is a finite number; a decimal comma is answered when the rows are read."""
    value = parse_number(cell)
    return decimal_comma(cell) or (value is not None and math.isfinite(value))
