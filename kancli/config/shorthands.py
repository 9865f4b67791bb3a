"""Values that a group accepts instead of a preset's name: grid=7, width=2-5-1, inputs=data.csv."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kancli.bridges.names import CHECKPOINTS
from kancli.figures.options import NAMES
from kancli.inputs.formats import SUFFIXES

NODES = r"(\d+|in|out)"  # in and out: the inputs and outputs of the task


@dataclass(frozen=True)
class ValueShorthand:
    """A group's key that a value sets when it is assigned to the group."""

    key: str  # dotted
    read: Callable[[Any], Any]  # the key's value, or None for a value of another type
    example: str
    preset: str = ""  # chosen along with the value


def _number(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
        return int(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _width(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(rf"{NODES}(-{NODES})+", value):
        return [int(nodes) if nodes.isdecimal() else nodes for nodes in value.split("-")]
    return value if isinstance(value, list) else _number(value)


def _path(value: Any) -> Any:
    return value if isinstance(value, str) and value.lower().endswith(SUFFIXES) else None


def _checkpoint(value: Any) -> Any:
    return value if isinstance(value, str) and value.lower().endswith(CHECKPOINTS) else None


def _formula(value: Any) -> Any:
    """Text with an operator, a bracket or a variable: a mistyped name of a preset has none."""
    is_formula = isinstance(value, str) and (set(value) & set("()*/^+- ") or re.fullmatch(r"x\d*|y|z", value))
    return value if is_formula else None


def _names(value: Any) -> Any:
    if value in tuple(NAMES):
        return [value]
    return value if isinstance(value, list) else None


SHORTHANDS: dict[str, tuple[ValueShorthand, ...]] = {
    "width": (ValueShorthand("width", _width, "nodes per layer such as 2-5-1"),),
    "grid": (ValueShorthand("grid.size", _number, "a number of intervals such as 7"),),
    "k": (ValueShorthand("k", _number, "an order such as 2"),),
    "model": (
        ValueShorthand(
            "model.path",
            _checkpoint,
            "a file such as checkpoint.pt, or NAME_state of pykan's saveckpt(NAME)",
            preset="checkpoint",
        ),
    ),
    "inputs": (ValueShorthand("inputs.path", _path, "a .csv, .npy, .npz or .parquet file", preset="file"),),
    "task": (
        ValueShorthand("task.path", _path, "a file such as data.csv", preset="data"),
        ValueShorthand("task.formula", _formula, "a formula such as 'sin(pi*x0)+x1^2'", preset="expression"),
    ),
    "figures": (ValueShorthand("figures.names", _names, "a figure or a list of them, such as [network]"),),
}


def read_text(key: str, text: str) -> Any:
    """The value that text from an environment variable spells: a number, or nodes such as 2-5-1; else the text."""
    for shorthand in itertools.chain.from_iterable(SHORTHANDS.values()):
        if shorthand.key == key and (value := shorthand.read(text)) is not None:
            return value
    if re.fullmatch(r"[+-]?\d{1,100}", text):
        return int(text)
    is_real = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE)
    return float(text) if is_real else text
