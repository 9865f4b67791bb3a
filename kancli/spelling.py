"""Values as text, in the spelling of the command line, for messages and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_ECHO = 200  # characters of a value in a message


def show(value: Any) -> str:
    """A value in the spelling of the command line, for messages and tables: cut if it is long."""
    return shorten(spell(value))


def shorten(text: str) -> str:
    """Text of at most `MAX_ECHO` characters; what is cut is replaced by an ellipsis."""
    return text if len(text) <= MAX_ECHO else f"{text[: MAX_ECHO - 3]}..."


def show_bytes(count: float) -> str:
    """A number of bytes to three digits, in the unit that leaves the fewest zeros."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB" if count < 1000 else f"{count:,.0f} GiB"


def spell(value: Any) -> str:
    """A value in the spelling of the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{spell(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(spell(entry) for entry in value) + "]"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value) if str(value) else "'' (empty)"
