"""The numbers of verdicts over the swept keys of a sweep, averaged over seeds: the input of the sweep figure."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from kancli.figures.data import NothingToDrawError, VerdictTable
from kancli.stats.options import recorded_bounds
from kancli.stats.summary import scale_of, summary_statistics
from kancli.sweeps.table import MISSING, SEED

if TYPE_CHECKING:
    from kancli.stats.verdicts import Verdict

Array = np.ndarray


class Judged(Protocol):
    """Anything with the swept keys, as typed, and the verdicts: a run, or a row of a table."""

    @property
    def keys(self) -> Mapping[str, str]: ...

    @property
    def verdicts(self) -> Sequence[Verdict]: ...


class Run(NamedTuple):
    """The keys and verdicts of one run."""

    keys: Mapping[str, str]
    verdicts: Sequence[Verdict]


def verdict_tables(runs: Sequence[Judged]) -> dict[str, VerdictTable]:
    """Return the table of each verdict that has numbers.

    Raises:
        NothingToDrawError: no key is swept besides the seed, or more than two are.
    """
    names = dict.fromkeys(name for run in runs for name in run.keys)
    values = {name: list(dict.fromkeys(run.keys.get(name, MISSING) for run in runs)) for name in names}
    axes = {name: ticks for name, ticks in values.items() if len(ticks) > 1 and name != SEED}
    if not 1 <= len(axes) <= 2:
        swept = ", ".join(axes) or "nothing besides the seed"
        raise NothingToDrawError(f"sweep: {swept} differs; a figure is drawn over one key or two")
    places = {name: {tick: place for place, tick in enumerate(ticks)} for name, ticks in axes.items()}
    tables: dict[str, dict[tuple[int, ...], _Cell]] = {}
    for run in runs:
        keys = run.keys
        place = tuple(by_tick[keys.get(name, MISSING)] for name, by_tick in places.items())
        for verdict in run.verdicts:
            if verdict.value is not None:
                tables.setdefault(verdict.name, {}).setdefault(place, _Cell()).add(verdict)
    shape = tuple(map(len, axes.values()))
    return {name: VerdictTable(axes, _average(name, cells, shape)) for name, cells in tables.items()}


class _Cell:
    """The numbers of one verdict in the runs of a cell."""

    def __init__(self) -> None:
        self.values = array("d")
        self.low: float | None = None  # of the last run
        self.high: float | None = None

    def add(self, verdict: Verdict) -> None:
        assert verdict.value is not None
        self.values.append(verdict.value)
        self.low, self.high = verdict.low, verdict.high


def shared_bounds(configs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float | None, float | None]]:
    """The bounds by verdict that all of these recorded configs have."""
    first, *others = map(recorded_bounds, configs) if configs else [{}]
    return {name: bounds for name, bounds in first.items() if all(other.get(name) == bounds for other in others)}


def _average(name: str, cells: Mapping[tuple[int, ...], _Cell], shape: tuple[int, ...]) -> dict[str, Array]:
    """Arrays of mean, low and high over the runs of each cell; without intervals, of mean alone."""
    numbers = {name: np.full(shape, np.nan) for name in ("mean", "low", "high")}
    for place, cell in cells.items():
        if len(cell.values) > 1:
            summary = summary_statistics(np.array(cell.values), scale_of(name))
        else:  # an ensemble has an interval over its members
            summary = {"mean": cell.values[0], "low": cell.low, "high": cell.high}
        for number, values in numbers.items():
            values[place] = np.nan if summary[number] is None else summary[number]
    if np.isnan(numbers["low"]).all():
        return {"mean": numbers["mean"]}
    return numbers
