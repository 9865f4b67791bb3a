"""What a sweep leaves beside its jobs, and says at the end: sweep.csv, sweep.parquet, summary.json, a figure, and a
table on the terminal."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.table import Table

from kancli.errors import ConfigError, KanError
from kancli.figures import render as figures
from kancli.figures.data import NothingToDrawError
from kancli.figures.options import FigureOptions
from kancli.runs.console import number
from kancli.runs.files import pretty, write_whole
from kancli.runs.pool import run_in_worker
from kancli.stats.glossary import meanings
from kancli.stats.summary import summary_statistics
from kancli.sweeps import table
from kancli.sweeps.plan import Plan, has_plan, read_plan
from kancli.sweeps.table import Row
from kancli.sweeps.verdict_tables import verdict_tables

if TYPE_CHECKING:
    from kancli.stats.verdicts import Verdict

MAX_ROWS = 40  # on the terminal


def gather(plan: Plan) -> list[Row]:
    """Read what the jobs of a sweep found, and write its table and its figure to the sweep's folder.

    Raises:
        KanError: a file cannot be written.
    """
    rows = list(table.rows_of(plan))
    options = FigureOptions()
    with contextlib.suppress(ConfigError):
        options = plan.settings(plan.jobs[0]).figures
    write(rows, {".": _told_of(plan)}, plan.folder, options)
    return rows


def collect(folders: Sequence[Path], target: Path) -> list[Row]:
    """The same over several sweeps, or folders that hold runs, into another folder.

    Raises:
        ConfigError: a folder holds no runs.
        KanError: a file cannot be written.
    """
    rows, heads = [], {}
    for folder in folders:
        name = os.path.relpath(folder, target)
        if has_plan(folder):
            plan = read_plan(folder)
            rows += table.rows_of(plan, target)
            heads[name] = _told_of(plan)
        else:
            rows += table.rows_without_plan(folder, target)
            heads[name] = {}
    numbered = [dataclasses.replace(row, number=number) for number, row in enumerate(rows)]
    write(numbered, heads, target, FigureOptions())
    return numbered


def _told_of(plan: Plan) -> dict[str, Any]:
    return {name: plan.head[name] for name in ("typed", "swept", "notices", "dropped")}


def write(rows: Sequence[Row], sweeps: Mapping[str, Mapping[str, Any]], folder: Path, options: FigureOptions) -> None:
    """Write sweep.csv, sweep.parquet, summary.json and, where a key or two are swept, the figure.

    Args:
        sweeps: what is told of each in the summary, by folder.

    Raises:
        KanError: a file cannot be written.
    """
    figure = _figure(rows, folder, options)
    columns = table.columns(rows)
    files = {
        "sweep.csv": as_csv(columns),
        "sweep.parquet": as_parquet(columns),
        "summary.json": (pretty(table.summary(rows, sweeps)) + "\n").encode(),
        **figure(),
    }
    for name, content in files.items():
        try:
            (folder / name).parent.mkdir(exist_ok=True)
            write_whole(folder / name, content)
        except OSError as error:
            raise KanError(f"{folder / name}: cannot be written: {error.strerror}") from error


def _figure(rows: Sequence[Row], folder: Path, options: FigureOptions) -> Callable[[], dict[str, bytes]]:
    """What waits for the figure of the statistics over the swept keys, where there are one or two besides the seed."""
    if not 1 <= len({key for row in rows for key in row.keys} - {table.SEED}) <= 2:
        return dict
    return run_in_worker(_drawn, [(row.keys, row.verdicts) for row in rows], folder, options)


def _drawn(
    runs: Sequence[tuple[Mapping[str, str], Sequence[Verdict]]], folder: Path, options: FigureOptions
) -> dict[str, bytes]:
    from kancli.figures import sweep  # with matplotlib

    with figures.matplotlib_cache(folder):
        try:
            drawn = sweep.plot(verdict_tables(runs), options, meanings())
        except NothingToDrawError:
            return {}
        return {f"figures/{name}": content for name, content in figures.encode_all("sweep", drawn, options).items()}


def as_csv(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """A row a job; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def as_parquet(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """The same as Parquet; a swept key whose values are all numbers is a column of numbers."""
    import pyarrow as arrow
    from pyarrow import parquet

    typed = arrow.table({name: arrow.array(_as_numbers(values)) for name, values in columns.items()})
    sink = arrow.BufferOutputStream()
    parquet.write_table(typed, sink)
    return sink.getvalue().to_pybytes()


def _as_numbers(values: Sequence[Any]) -> Sequence[Any]:
    """Values as numbers, where all of them are."""
    for kind in (int, float):
        try:
            return [None if value is None else kind(value) for value in values] if _texts(values) else values
        except ValueError:
            continue
    return values


def _texts(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str) for value in values)


def show(rows: Sequence[Row], objective: Sequence[str] = ()) -> list[Table | str]:
    """The sweep for the terminal: a line for each combination of the swept keys, seeds taken together.

    Args:
        objective: statistics that have columns besides those which always do.
    """
    picks = {**SHOWN, **{name: lambda _, name=name: name for name in objective}}
    groups = list(table.by_keys(rows).values())
    swept = list(dict.fromkeys(key for row in rows for key in row.keys if key != table.SEED))
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 0))
    for key in swept:
        shown.add_column(key, no_wrap=True)
    shown.add_column("jobs", justify="right", no_wrap=True)
    for title in picks:
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("FAIL, warn")
    for same in groups[:MAX_ROWS]:
        keys = [same[0].keys.get(key, "") for key in swept]
        numbers = [_spread(table.numbers(same, pick(same))) for pick in picks.values()]
        ended = sum(row.status == "complete" for row in same)
        count = str(len(same)) if ended == len(same) else f"{ended} of {len(same)}"
        shown.add_row(*keys, count, *numbers, ", ".join(_judged(same)))
    lines: list[Table | str] = [shown]
    if len(groups) > MAX_ROWS:
        lines.append(f"... and {len(groups) - MAX_ROWS} more: sweep.csv has them all")
    return lines


def _last_output(rows: Sequence[Row]) -> str:
    """The name of the std of the outputs, in the last layer."""
    names = [name for row in rows for name in row.statistics if name.endswith("_output_std")]
    return names[-1] if names else ""


# Columns of the terminal's table, and the statistic that each shows.
SHOWN: dict[str, Callable[[Sequence[Row]], str]] = {
    "output std": _last_output,
    "signal slope": lambda _: "propagation_signal",
}


def _spread(values: np.ndarray) -> str:
    """Mean and standard deviation over jobs."""
    mean, sd = (float(summary_statistics(values)[name]) for name in ("mean", "sd"))
    return (number(mean) if np.isfinite(mean) else "") + (f" ±{number(sd)}" if np.isfinite(sd) else "")


def _judged(rows: Sequence[Row]) -> list[str]:
    """Verdicts that fail or warn in some of the jobs, those that fail first."""
    found: dict[str, dict[str, None]] = {"fail": {}, "warn": {}}
    for row in rows:
        for verdict in row.verdicts:
            if verdict.verdict in found:
                found[verdict.verdict][verdict.name] = None
    failing = list(found["fail"])
    return [name.upper() for name in failing] + [name for name in found["warn"] if name not in failing]
