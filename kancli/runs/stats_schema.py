"""The types of stats.json and of a blessed file's statistics. Names of statistics are free: schemes add parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from kancli.errors import ConfigError, one_line
from kancli.spelling import show
from kancli.stats.stats_json import SCHEMA
from kancli.stats.verdicts import Verdict

MAX_NAMES = 4  # nodes.preact.q05.mean
Values = int | float | None | list[int | float | None]
if TYPE_CHECKING:
    Entry = Any
else:
    Entry = reduce(lambda inner, _: Values | dict[str, inner], range(MAX_NAMES), Values)  # values below some names


class OverMembers(msgspec.Struct, frozen=True):
    """A number of training, over members."""

    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    min: float | None
    max: float | None
    n: int


Number = float | None | OverMembers


class Training(msgspec.Struct, frozen=True):
    """What training came to."""

    task: str
    steps: int
    train_loss: Number
    first_train_loss: Number
    test_loss: Number
    rel_l2: Number
    diverged: int
    seconds: float
    steps_to_tenth: Number = None
    steps_to_hundredth: Number = None
    steps_to_thousandth: Number = None
    singular: bool = False
    ended: str = "steps"
    kernel: str = ""
    reasons: dict[str, str] = {}


class Stats(msgspec.Struct, frozen=True):
    """The contents of stats.json. Entries that are not listed here are ignored: newer runs have more."""

    schema: int
    layers: list[dict[str, Entry]]
    verdicts: list[Verdict]
    propagation: dict[str, Entry] | None = None
    jacobian: dict[str, Entry] | None = None
    ntk: dict[str, Entry] | None = None
    reasons: dict[str, str] = {}
    training: Training | None = None
    after: dict[str, Any] | None = None  # the same statistics of the trained network


class Size(msgspec.Struct, frozen=True):
    """The place and the size of a layer."""

    layer: int
    n_in: int
    n_out: int
    nodes: dict[str, Any] = {}  # lists over the layer's inputs
    edges: dict[str, Any] = {}  # lists over its edges


class Stated(msgspec.Struct, frozen=True):
    """A verdict in words. Older runs have none; what is printed is `kancli.stats.options.statement`."""

    statement: str = ""


def parse_stats(path: Path, content: Mapping[str, Any]) -> Stats:
    """Check the schema of a run's statistics and the type of every entry.

    Args:
        path: the file that they were read from.

    Raises:
        ConfigError: they are damaged, or have another schema.
    """
    if content.get("schema") != SCHEMA:
        raise ConfigError(
            [f"{path}: its statistics have schema {show(content.get('schema'))}; this kancli reads {SCHEMA}"]
        )
    try:
        stats = msgspec.convert(content, Stats)
        msgspec.convert(content["verdicts"], list[Stated])
        for number, size in enumerate(msgspec.convert(stats.layers, list[Size])):
            _check_lengths(number, size)
    except ValueError as error:  # msgspec's too
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None
    return stats


def _check_lengths(number: int, size: Size) -> None:
    """Check that a layer has its number, and that its lists have a number for each node or edge.

    Raises:
        ValueError: they do not.
    """
    if size.layer != number or min(size.n_in, size.n_out) < 1:
        raise ValueError(f"layer {number} has the number {size.layer} and the size {size.n_in} to {size.n_out}")
    for name, content, length in (("nodes", size.nodes, size.n_in), ("edges", size.edges, size.n_in * size.n_out)):
        if any(count != length for count in _lengths(content)):
            raise ValueError(f"layer {number} does not have {length} {name}")


def _lengths(content: Any) -> set[int]:
    """The lengths of all lists below some names; a number in place of one has none."""
    if isinstance(content, dict):
        return set().union(*map(_lengths, content.values()))
    return {len(content)} if isinstance(content, list) else set()
