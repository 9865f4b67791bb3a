"""Write the results of a sweep (sweep.csv, sweep.parquet, summary.json, a figure), and format its terminal table."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from rich import box
from rich.table import Table

from kancli.errors import ConfigError, WriteError
from kancli.figures import render as figures
from kancli.figures.data import DepthProfile, NothingToDrawError, VerdictTable
from kancli.figures.options import FigureOptions
from kancli.runs.console import number
from kancli.runs.files import open_below, unwritable_message
from kancli.runs.json_files import pretty_parts
from kancli.runs.reader import read_run
from kancli.stats.glossary import meanings
from kancli.stats.options import statement
from kancli.stats.summary import scale_of, summary_statistics
from kancli.sweeps.depth_profiles import depth_profiles
from kancli.sweeps.parquet import write_parquet
from kancli.sweeps.plan import Plan, has_plan, read_plan
from kancli.sweeps.representatives import output_std_name
from kancli.sweeps.row import Row
from kancli.sweeps.summary import group_by_keys, summarise, values_of
from kancli.sweeps.table import (
    SEED,
    as_columns,
    column_names,
    fixed_keys,
    read_rows,
    read_rows_without_plan,
)
from kancli.sweeps.verdict_tables import shared_bounds, verdict_tables

MAX_ROWS = 40  # on the terminal
STRETCH = 2**12  # rows of the table that are written at a time
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # the first characters of what a spreadsheet computes


def load_libraries(plan: Plan) -> None:
    """Import what the table and the figure of a sweep need."""
    import pyarrow.parquet  # noqa: F401
    import scipy.special  # noqa: F401

    if _is_table(plan.head["swept"]):
        with figures.matplotlib_cache(plan.folder):
            from kancli.figures import sweep  # noqa: F401


def write_results(plan: Plan, rows: Sequence[Row]) -> None:
    """Write the table and the figure of a sweep to its folder.

    Raises:
        WriteError: a file cannot be written.
    """
    options = FigureOptions()
    with contextlib.suppress(ConfigError):
        options = plan.settings(plan.jobs[0]).figures
    write(rows, {".": _summary_head(plan)}, plan.folder, options)


def collect(folders: Sequence[Path], target: Path) -> list[Row]:
    """Read sweeps and other folders of runs, and write one table and one figure over all of them to another folder.

    Raises:
        ConfigError: a folder holds no runs; then `target` is not created.
        WriteError: a file cannot be written.
    """
    rows: list[Row] = []
    heads = {}
    between = fixed_keys(folders) if len(folders) > 1 else []
    for folder in folders:
        found, heads[os.path.relpath(folder, target)] = _rows_and_head(folder, target, between, len(rows))
        rows += found
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([unwritable_message(target, error, "-o")]) from None
    write(rows, heads, target, FigureOptions())
    return rows


def _rows_and_head(
    folder: Path, target: Path, more_keys: Sequence[str], start: int
) -> tuple[Iterable[Row], dict[str, Any]]:
    """The rows of a folder as a one-pass iterator, which frees the plan at its end, and what summary.json repeats."""
    if not has_plan(folder):
        return read_rows_without_plan(folder, target, more_keys, start), {}
    plan = read_plan(folder)
    return read_rows(plan, target, more_keys, start), _summary_head(plan)


def _summary_head(plan: Plan) -> dict[str, Any]:
    """The part of a plan's head that summary.json repeats."""
    return {name: plan.head[name] for name in ("typed", "swept", "notices", "dropped")}


def write(rows: Sequence[Row], sweeps: Mapping[str, Mapping[str, Any]], folder: Path, options: FigureOptions) -> None:
    """Write sweep.csv, sweep.parquet and summary.json; and the figure, if one or two keys besides the seed are swept.

    Args:
        sweeps: the heads of the plans, by folder.

    Raises:
        WriteError: a file cannot be written.
    """
    stretches = _Stretches(rows)
    with _written(folder, "sweep.csv") as file:
        for part, columns in enumerate(stretches):
            file.write(encode_csv(columns if part == 0 else None, zip(*columns.values(), strict=True)))
    with _written(folder, "sweep.parquet") as file:
        write_parquet(file, stretches)
    with _written(folder, "summary.json") as file:
        for text in pretty_parts(summarise(rows, sweeps)):
            file.write(text.encode())
        file.write(b"\n")
    for name, content in _encode_figures(rows, folder, options).items():
        with _written(folder, name) as file:
            file.write(content)


@contextlib.contextmanager
def _written(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Context manager: a file of the folder, which appears whole at the end.

    Raises:
        WriteError: it cannot be written.
    """
    try:
        with open_below(folder, name) as file:
            yield file
    except OSError as error:
        raise WriteError(folder / name, error) from error


class _Stretches:
    """The columns of a table, for some rows at a time; each pass makes those of many rows anew."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows, self.names = rows, column_names(rows)
        self.whole = as_columns(rows, self.names) if len(rows) <= STRETCH else None

    def __iter__(self) -> Iterator[dict[str, list[Any]]]:
        if self.whole is not None:
            yield self.whole
            return
        for start in range(0, len(self.rows), STRETCH):
            yield as_columns(self.rows[start : start + STRETCH], self.names)


def _encode_figures(rows: Sequence[Row], folder: Path, options: FigureOptions) -> dict[str, bytes]:
    """The figures, by the names of their files."""
    complete = [row for row in rows if row.status == "complete"]
    is_table = _is_table({key for row in rows for key in row.keys})
    profiles, remarks = depth_profiles(complete)
    if not is_table and not profiles:
        return {}
    configs = [read_run(folder / row.folder).record.config for row in (complete[:1] + complete[-1:])]
    bounds = shared_bounds(configs)
    tables: Mapping[str, VerdictTable] = {}
    if is_table:
        with contextlib.suppress(NothingToDrawError):
            tables = verdict_tables(rows)
    with figures.matplotlib_cache(folder):
        encoded = encode_sweep(tables, bounds, options) | encode_profiles(profiles, remarks, bounds, options)
    return {f"figures/{name}": content for name, content in encoded.items()}


def _is_table(swept: Iterable[str]) -> bool:
    """Whether a figure has an axis for each swept key besides the seed."""
    return 1 <= len(set(swept) - {SEED}) <= 2


def encode_sweep(
    tables: Mapping[str, VerdictTable], bounds: Mapping[str, Any], options: FigureOptions
) -> dict[str, bytes]:
    """Draw the numbers of verdicts over the swept keys. Returns the files by name; none if nothing differs."""
    from kancli.figures import sweep  # with matplotlib

    if not tables:
        return {}
    try:
        return figures.encode_all("sweep", sweep.plot(tables, options, meanings(), bounds), options)
    except NothingToDrawError:
        return {}


def encode_profiles(
    profiles: Sequence[DepthProfile], remarks: Sequence[str], bounds: Mapping[str, Any], options: FigureOptions
) -> dict[str, bytes]:
    """Draw signal and gradient by layer. Returns the files by name; none without profiles."""
    from kancli.figures import propagation  # with matplotlib

    if not profiles:
        return {}
    figure = propagation.plot_profiles(profiles, options, bounds, remarks)
    return figures.encode_all("propagation", figure, options)


def encode_csv(header: Iterable[str] | None, rows: Iterable[Iterable[Any]]) -> bytes:
    """Encode a table as CSV; None is an empty cell, or no header.

    Not with pyarrow, whose floats are not those of `repr` (3 for 3.0, 0.00001 for 1e-05), and which puts every string
    and the header in quotes.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header is not None:
        writer.writerow(map(_csv_cell, header))
    writer.writerows(map(_csv_cell, row) for row in rows)
    return text.getvalue().encode()


def _csv_cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula: an apostrophe goes before text that begins like one."""
    if not isinstance(value, str) or not value.startswith(FORMULA) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def format_table(rows: Sequence[Row], objective: Sequence[str] = ()) -> list[Table | str]:
    """Format a sweep for the terminal: one line for each combination of swept keys, averaged over seeds.

    Args:
        objective: statistics that have a column besides those of `STATISTICS`.
    """
    statistics = OF_TRAINING if any("train_loss" in row.statistics for row in rows) else STATISTICS
    picks = {**statistics, **{name: lambda _, name=name: name for name in objective}}
    groups = list(group_by_keys(rows).values())
    swept = list(dict.fromkeys(key for row in rows for key in row.keys if key != SEED))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 0))
    for key in swept:
        table.add_column(key, no_wrap=True)
    for title in ("jobs", *picks):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("FAIL, warn")
    for group in groups[:MAX_ROWS]:
        keys = [group[0].keys.get(key, "") for key in swept]
        numbers = [_format_mean(group, pick(group)) for pick in picks.values()]
        table.add_row(*keys, _format_count(group), *numbers, ", ".join(_bad_verdicts(group)))
    n_more = len(groups) - MAX_ROWS
    more = [f"... and {n_more} more: sweep.csv has them all"] if n_more > 0 else []
    has_seeds = any(len(group) > 1 for group in groups)
    caption = TRAINING_CAPTION if statistics is OF_TRAINING else CAPTION
    return [table, *more, f"{caption}; {SPREAD}" if has_seeds else caption]


# What a newcomer asks about the table on the terminal, and about its means over seeds.
CAPTION = (
    "output std: standard deviation of the outputs over the samples; signal slope: change per layer of the log of the"
    " nodes' std; FAIL, warn: the checks that do not pass"
)
TRAINING_CAPTION = (
    "loss: mean squared error after training, over seeds the geometric mean; relative L2: ||prediction - target|| over"
    " ||target||; FAIL, warn: the checks that do not pass"
)
SPREAD = "mean ± standard deviation over the seeds of a row, and a check that fails or warns for one of them"

# Columns of the table on the terminal, and the statistic in each.
STATISTICS: dict[str, Callable[[Sequence[Row]], str]] = {
    "output std": output_std_name,
    "signal slope": lambda _: "propagation_signal",
}


OF_TRAINING: dict[str, Callable[[Sequence[Row]], str]] = {
    "train loss": lambda _: "train_loss",
    "test loss": lambda _: "test_loss",
    "relative L2": lambda _: "rel_l2",
}


def _format_count(rows: Sequence[Row]) -> str:
    """The number of jobs, and of those that are complete where they differ."""
    n_complete = sum(row.status == "complete" for row in rows)
    return str(len(rows)) if n_complete == len(rows) else f"{n_complete} of {len(rows)}"


def _format_mean(rows: Sequence[Row], name: str) -> str:
    """Mean and standard deviation of a statistic over jobs."""
    summary = summary_statistics(values_of(rows, name), scale_of(name))
    mean, sd = float(summary["mean"]), float(summary["sd"])
    return (number(mean) if np.isfinite(mean) else "") + (f" ±{number(sd)}" if np.isfinite(sd) else "")


def _bad_verdicts(rows: Sequence[Row]) -> list[str]:
    """The verdicts that fail in a job, in capitals, and then those that warn in one."""
    names = {"fail": dict[str, None](), "warn": dict[str, None]()}
    for row in rows:
        for name, word in row.verdict_words.items():
            if word in names:
                names[word][name] = None
    warned = (name for name in names["warn"] if name not in names["fail"])
    return [*(statement(name).upper() for name in names["fail"]), *map(statement, warned)]
