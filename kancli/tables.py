"""Nested numbers as the rows and columns of a table, and tables as CSV."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Mapping
from typing import Any


def flat(entry: Mapping[str, Any]) -> dict[str, Any]:
    """{"coef": {"mean": 0}} as {"coef_mean": 0}."""
    found: dict[str, Any] = {}
    for name, value in entry.items():
        if isinstance(value, Mapping):
            found |= {f"{name}_{inner}": each for inner, each in flat(value).items()}
        else:
            found[name] = value
    return found


def csv_of_rows(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A table with a header; None is an empty cell. All rows have the columns of the first."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["layer"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def csv_of_edges(layers: Iterable[Mapping[str, Any]]) -> bytes:
    """One row an edge, from layers whose edges are columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, layer in enumerate(layers):
        columns = flat(layer["edges"])
        if number == 0:
            writer.writerow(["layer", *columns])
        writer.writerows(zip(itertools.repeat(layer["layer"]), *columns.values()))
    return text.getvalue().encode() or b"layer\n"
