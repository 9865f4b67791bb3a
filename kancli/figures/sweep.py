"""Each verdict's number over the runs of a sweep: against one swept key with bands over seeds, or over two keys as a
heat map."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kancli.figures.data import NothingToDrawError
from kancli.figures.diagram.canvas import width_of
from kancli.figures.panels import (
    BAR,
    BOTTOM,
    LEFT,
    RIGHT,
    colour_bar,
    label,
    legend,
    line,
    logarithmic,
    panels,
    room_for,
    write_cells,
)
from kancli.figures.style import PALETTES, Palette, colours
from kancli.stats.summary import summary_statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions
    from kancli.stats.verdicts import Verdict

Array = np.ndarray

SEED = "seed"
MISSING = "–"  # in place of the value, where a run has no such key
RATIOS = ("_vanishes", "_explodes")
WIDE = 20.0  # numbers whose greatest is so many times the least go on a log scale


@dataclass(frozen=True)
class Row:
    """One run of a sweep: the swept keys as they were typed, and its verdicts."""

    keys: Mapping[str, str]
    verdicts: Sequence[Verdict]


@dataclass(frozen=True)
class Table:
    """One statistic over the runs, those that differ by their seed taken together.

    Axes are the swept keys, one or two, and their values in the order in which they came; `numbers` are mean, and where
    there are several seeds or members low and high, the 95 % interval of the mean, of the shape of the axes; NaN where
    nothing was measured.
    """

    axes: Mapping[str, list[str]]
    numbers: Mapping[str, Array]


def tables(rows: Sequence[Row]) -> dict[str, Table]:
    """The table of each verdict that has numbers.

    Raises:
        NothingToDrawError: no key is swept besides the seed, or more than two are.
    """
    names = dict.fromkeys(name for row in rows for name in row.keys)
    values = {name: list(dict.fromkeys(row.keys.get(name, MISSING) for row in rows)) for name in names}
    axes = {name: each for name, each in values.items() if len(each) > 1 and name != SEED}
    if not 1 <= len(axes) <= 2:
        told = ", ".join(axes) or "nothing besides the seed"
        raise NothingToDrawError(f"sweep: {told} differs; a figure is drawn over one key or two")
    shape = tuple(map(len, axes.values()))
    found: dict[str, dict[tuple[int, ...], list[Verdict]]] = {}
    for row in rows:
        place = tuple(each.index(row.keys.get(name, MISSING)) for name, each in axes.items())
        for verdict in row.verdicts:
            if verdict.value is not None:
                found.setdefault(verdict.name, {}).setdefault(place, []).append(verdict)
    return {name: Table(axes, _numbers(cells, shape)) for name, cells in found.items()}


def _numbers(cells: Mapping[tuple[int, ...], list[Verdict]], shape: tuple[int, ...]) -> dict[str, Array]:
    numbers = {name: np.full(shape, np.nan) for name in ("mean", "low", "high")}
    for place, verdicts in cells.items():
        if len(verdicts) > 1:
            told = _over_seeds(verdicts[0].name, [float(each.value) for each in verdicts if each.value is not None])
        else:  # of one run: over its members, where it has several
            (verdict,) = verdicts
            told = {"mean": verdict.value, "low": verdict.low, "high": verdict.high}
        for name, each in numbers.items():
            each[place] = np.nan if told[name] is None else told[name]
    if np.isnan(numbers["low"]).all():
        return {"mean": numbers["mean"]}
    return numbers


def _over_seeds(name: str, values: Sequence[float]) -> dict[str, Any]:
    """Mean and interval; of ratios geometric, as over the members of a run. Those are judged by the mean's worst layer,
    and this is the mean of each seed's worst: the two differ where the worst layer does."""
    ratio = name.endswith(RATIOS) and min(values) > 0
    told = summary_statistics(np.log(values) if ratio else np.array(values))
    return {end: np.exp(told[end]) if ratio else told[end] for end in ("mean", "low", "high")}


def plot(rows: Sequence[Row], options: FigureOptions, meanings: Mapping[str, str]) -> Figure:
    """A panel for each verdict whose number is not the same in all runs.

    Args:
        meanings: what the number of each verdict is, in words.

    Raises:
        NothingToDrawError: no key is swept besides the seed, or more than two are, or all numbers are the same.
    """
    found = {name: each for name, each in tables(rows).items() if _differ(each.numbers["mean"])}
    if not found:
        raise NothingToDrawError("sweep: all statistics are the same in all runs")
    palette = PALETTES[options.style]
    titles = {name: "\n".join(textwrap.wrap(meanings.get(name, name), 42)) for name in found}
    axes_of = next(iter(found.values())).axes
    over = list(axes_of.items())
    upright = _upright(over[-1][1])
    right, top = RIGHT if len(over) == 1 else BAR, max(map(room_for, titles.values()))
    bottom = BOTTOM + (_length(over[-1][1]) if upright else 0.0)
    left = LEFT + (_length(over[0][1]) if len(over) == 2 else 0.0)
    figure, all_axes = panels(len(found), palette, options.dpi, left=left, right=right, bottom=bottom, top=top)
    for (name, table), axes in zip(found.items(), all_axes, strict=True):
        if len(over) == 1:
            _draw_line(axes, over[0][1], table.numbers, palette)
            if "low" in table.numbers and axes is all_axes[0]:
                legend(axes, palette)
            label(axes, palette, title=titles[name], x=over[0][0], y=name)
        else:
            _draw_map(figure, axes, name, table, palette)
            label(axes, palette, title=titles[name], x=over[1][0], y=over[0][0])
    return figure


def _differ(numbers: Array) -> bool:
    """Whether numbers differ by more than rounding."""
    finite = numbers[np.isfinite(numbers)]
    return len(finite) > 1 and bool(np.ptp(finite) > 1e-6 * np.abs(finite).max())


def _wide(numbers: Array) -> bool:
    """Whether numbers are for a log scale: all above 0, and far apart."""
    finite = numbers[np.isfinite(numbers)]
    return len(finite) > 0 and bool(finite.min() > 0) and bool(finite.max() > WIDE * finite.min())


def _places(values: Sequence[str]) -> tuple[Array, bool]:
    """Where values lie on an axis: at their numbers, if they all are; else in their order."""
    try:
        return np.array([float(each) for each in values]), True
    except ValueError:
        return np.arange(len(values), dtype=float), False


def _draw_line(axes: Axes, values: Sequence[str], numbers: Mapping[str, Array], palette: Palette) -> None:
    x, numeric = _places(values)
    order = np.argsort(x, kind="stable")
    told = {name: each[order] for name, each in numbers.items()}
    if _wide(told["mean"]):
        (told,) = logarithmic(axes, told)
    if numeric:
        line(axes, x[order], told, palette.lines[0], label="mean, 95 % interval")
        if _wide(x):
            axes.set_xscale("log")
        return
    spread = [told["mean"] - told["low"], told["high"] - told["mean"]] if "low" in told else None
    axes.errorbar(x, told["mean"], spread, color=palette.lines[0], fmt="o", markersize=5, capsize=3,
                  label="mean, 95 % interval")  # fmt: skip
    axes.set_xlim(-0.5, len(x) - 0.5)
    _write_values(axes.set_xticks, x, values, _upright(values))


def _draw_map(figure: Figure, axes: Axes, name: str, table: Table, palette: Palette) -> None:
    mean = table.numbers["mean"]
    shown = np.ma.masked_invalid(mean)
    norm = "log" if _wide(mean) else "linear"
    image = axes.imshow(
        shown, cmap=colours("viridis", palette), norm=norm, interpolation="nearest", aspect="auto", origin="lower"
    )
    colour_bar(figure, axes, image, palette, name)
    rows, columns = table.axes.values()
    _write_values(axes.set_xticks, np.arange(len(columns)), columns, _upright(columns))
    _write_values(axes.set_yticks, np.arange(len(rows)), rows, False)
    write_cells(axes, image)


MAX_LETTERS = 18  # of a value, written at an axis


def _upright(values: Sequence[str]) -> bool:
    """Whether values that are no numbers, or stand under a map, are written upright for want of room."""
    return max(map(len, values)) * min(len(values), 24) > 36


def _length(values: Sequence[str]) -> float:
    """How long the longest of them is, inches."""
    return width_of("x" * min(MAX_LETTERS, max(map(len, values))), 8)


def _write_values(set_ticks: Any, places: Array, values: Sequence[str], upright: bool) -> None:
    every = -(-len(values) // 24)
    short = [each if len(each) <= MAX_LETTERS else each[: MAX_LETTERS - 1] + "…" for each in values]
    set_ticks(places[::every], short[::every], rotation=90 if upright else 0)
