"""Nested numbers as the rows and columns of a table, and tables as CSV."""

from __future__ import annotations

from collections.abc import Mapping
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
