"""The numbers of verdicts over the swept keys of a sweep, averaged over seeds: the input of the sweep figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kancli.figures.data import NothingToDrawError, VerdictTable
from kancli.stats.options import recorded_bounds
from kancli.stats.summary import scale_of, summary_statistics
from kancli.sweeps.table import MISSING, SEED

if TYPE_CHECKING:
    from kancli.stats.verdicts import Verdict

Array = np.ndarray
Run = tuple[Mapping[str, str], Sequence["Verdict"]]  # the swept keys as typed, and the verdicts


def verdict_tables(runs: Sequence[Run]) -> dict[str, VerdictTable]:
    """Return the table of each verdict that has numbers.

    Raises:
        NothingToDrawError: no key is swept besides the seed, or more than two are.
    """
    names = dict.fromkeys(name for keys, _ in runs for name in keys)
    values = {name: list(dict.fromkeys(keys.get(name, MISSING) for keys, _ in runs)) for name in names}
    axes = {name: ticks for name, ticks in values.items() if len(ticks) > 1 and name != SEED}
    if not 1 <= len(axes) <= 2:
        swept = ", ".join(axes) or "nothing besides the seed"
        raise NothingToDrawError(f"sweep: {swept} differs; a figure is drawn over one key or two")
    cells: dict[str, dict[tuple[int, ...], list[Verdict]]] = {}
    for keys, verdicts in runs:
        cell = tuple(ticks.index(keys.get(name, MISSING)) for name, ticks in axes.items())
        for verdict in verdicts:
            if verdict.value is not None:
                cells.setdefault(verdict.name, {}).setdefault(cell, []).append(verdict)
    shape = tuple(map(len, axes.values()))
    return {name: VerdictTable(axes, _average(verdicts, shape)) for name, verdicts in cells.items()}


def shared_bounds(configs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float | None, float | None]]:
    """The bounds by verdict that all of these recorded configs have."""
    first, *others = map(recorded_bounds, configs) if configs else [{}]
    return {name: bounds for name, bounds in first.items() if all(other.get(name) == bounds for other in others)}


def _average(cells: Mapping[tuple[int, ...], list[Verdict]], shape: tuple[int, ...]) -> dict[str, Array]:
    """Arrays of mean, low and high over the runs of each cell; without intervals, of mean alone."""
    numbers = {name: np.full(shape, np.nan) for name in ("mean", "low", "high")}
    for cell, verdicts in cells.items():
        if len(verdicts) > 1:
            found = np.array([verdict.value for verdict in verdicts if verdict.value is not None], dtype=float)
            summary = summary_statistics(found, scale_of(verdicts[0].name))
        else:  # an ensemble has an interval over its members
            (verdict,) = verdicts
            summary = {"mean": verdict.value, "low": verdict.low, "high": verdict.high}
        for name, values in numbers.items():
            values[cell] = np.nan if summary[name] is None else summary[name]
    if np.isnan(numbers["low"]).all():
        return {"mean": numbers["mean"]}
    return numbers
