"""Column names for nested statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flat(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten {"coef": {"mean": 0}} to {"coef_mean": 0}."""
    columns: dict[str, Any] = {}
    for name, value in entry.items():
        if isinstance(value, dict):  # not Mapping, whose check takes longer than all the rest
            columns |= {f"{name}_{inner}": entry for inner, entry in flat(value).items()}
        else:
            columns[name] = value
    return columns
