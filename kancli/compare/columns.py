"""`kan-run compare`: runs, those that differ by their seed alone taken together, in columns beside one another."""

from __future__ import annotations

import csv
import dataclasses
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from kancli.compare.figures import encode_comparison
from kancli.config.identity import affects_identity
from kancli.config.nested import flatten
from kancli.errors import ConfigError
from kancli.runs.console import STYLES, number
from kancli.runs.files import unwritable_message, write_whole
from kancli.runs.reader import RunRecord, parse_override_words
from kancli.schema import show as show_value
from kancli.stats.summary import summary_statistics
from kancli.sweeps.names import run_names
from kancli.sweeps.reader import is_sweep, read_folder
from kancli.sweeps.table import SEED, Row, by_keys, numbers

if TYPE_CHECKING:
    from kancli.config.presets import Presets

log = logging.getLogger("kancli")

COLUMNS_PER_TABLE, COLUMNS_WITH_SPREADS = 5, 3  # columns of one table on a terminal of 80
MAX_COLUMNS = 40
LAYER_COLUMNS = ("_output_std", "_off_grid", "_spline_share")  # of what is told layer by layer, what the terminal shows
MISSING = "-"


@dataclass(frozen=True)
class Column:
    """A run, or several that differ by their seed alone."""

    name: str
    folder: Path  # of the first that is complete
    config: Mapping[str, Any]  # its config
    rows: Sequence[Row]
    n_failed: int = 0  # runs beside these that are not complete

    def verdict(self, name: str) -> str | None:
        """The worst verdict of this name among the runs."""
        among = {verdict.verdict for row in self.rows for verdict in row.verdicts if verdict.name == name}
        return next((word for word in ("fail", "warn", "pass") if word in among), None)


def columns_of(folders: Sequence[Path]) -> list[Column]:
    """The complete runs of folders, which are each a run's or hold several.

    Raises:
        ConfigError: a folder holds no runs or is damaged, or there are fewer than two columns, or too many.
    """
    columns, overrides = [], []
    for folder in dict.fromkeys(path.resolve() for path in folders):
        runs = read_folder(folder)
        records = {row.folder: record for row, record in zip(runs.rows, runs.records, strict=True)}
        for rows in by_keys(runs.rows).values():
            complete = [row for row in rows if row.status == "complete"]
            record = records[complete[0].folder] if complete else None
            if record is None:
                log.warning("%s: no complete run; left out", _path(folder, rows[0]))
                continue
            overrides.append((runs.name, _naming_overrides(record, has_seeds=len(rows) > 1)))
            columns.append(Column("", _path(folder, complete[0]), record.config, complete, len(rows) - len(complete)))
    check_count(len(columns))
    names = run_names(overrides)
    return [dataclasses.replace(column, name=name) for column, name in zip(columns, names, strict=True)]


def check_count(count: int) -> None:
    """Check that so many columns can be told side by side.

    Raises:
        ConfigError: they are too few or too many.
    """
    if count < 2:
        raise ConfigError(["compare: fewer than two complete runs, seeds of one sweep taken together; name several"])
    if count > MAX_COLUMNS:
        raise ConfigError([f"compare: {count} columns, seeds of one sweep taken together; at most {MAX_COLUMNS}"])


def _path(folder: Path, row: Row) -> Path:
    return folder if row.folder == "." else folder / row.folder


def _naming_overrides(record: RunRecord, *, has_seeds: bool) -> dict[str, str]:
    """The overrides that can name a column: those that change results, without the seed where it has several."""
    return {
        key: value
        for key, value in parse_override_words(record.overrides).items()
        if affects_identity(key) and not (has_seeds and key == SEED)
    }


def statistics_of(columns: Sequence[Column]) -> dict[str, list[dict[str, float]]]:
    """Of each statistic that a column has a number of, and for each column, mean, sd, n and more over its runs."""
    names = dict.fromkeys(name for column in columns for row in column.rows for name in row.statistics)
    told = {name: [summary_statistics(numbers(column.rows, name)) for column in columns] for name in names}
    return {
        name: [{key: value.item() for key, value in each.items()} for each in cells]
        for name, cells in told.items()
        if any(each["n"] for each in cells)
    }


def show(columns: Sequence[Column]) -> list[Table | str]:
    """For the terminal: the keys that differ, every verdict's number, and a few statistics more."""
    keys = differing_keys(columns)
    told = statistics_of(columns)
    lines: list[Table | str] = []
    several = any(len(column.rows) + column.n_failed > 1 for column in columns)
    room = COLUMNS_WITH_SPREADS if several else COLUMNS_PER_TABLE
    for begin in range(0, len(columns), room):
        abreast = range(begin, min(begin + room, len(columns)))
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        table.add_column("", no_wrap=True)
        for index in abreast:
            table.add_column(columns[index].name, justify="right", overflow="fold")
        for key, values in keys.items():
            table.add_row(key, *(values[index] for index in abreast))
        if keys:
            table.add_section()
        if several:
            table.add_row("runs", *(_count(columns[index]) for index in abreast))
        for name, cells in told.items():
            if not name.startswith("layer") or name.endswith(LAYER_COLUMNS):
                table.add_row(name, *(_cell(columns[index].verdict(name), cells[index]) for index in abreast))
        lines.append(table)
    return lines


def _count(column: Column) -> str:
    complete = len(column.rows)
    return f"{complete} of {complete + column.n_failed}" if column.n_failed else str(complete)


def differing_keys(columns: Sequence[Column]) -> dict[str, list[str]]:
    """The keys of the config that differ, but for seeds of runs taken together, and each column's value."""
    configs = [dict(_flat(column.config)) for column in columns]
    names = dict.fromkeys(name for config in configs for name in config)
    if any(len(column.rows) > 1 for column in columns):
        names.pop(SEED, None)
    values = {name: [config.get(name, MISSING) for config in configs] for name in names}
    return {name: each for name, each in values.items() if len(set(each)) > 1}


def _flat(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in flatten(config):
        if affects_identity(key):
            yield key, show_value(value)


def _cell(verdict: str | None, told: Mapping[str, float]) -> Text:
    if not told["n"]:
        return Text(MISSING)
    spread = f" ±{number(told['sd'])}" if told["sd"] > 0 else ""
    word = f" {verdict}" if verdict in STYLES else ""
    return Text(f"{number(told['mean'])}{spread}{word}", style=STYLES.get(verdict or "", ""))


def as_csv(columns: Sequence[Column]) -> bytes:
    """A row a statistic; of each column the mean, and where it holds several runs sd and n."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    wanted = [(column, ("mean", "sd", "n") if len(column.rows) > 1 else ("mean",)) for column in columns]
    writer.writerow(["statistic", *(column.name if name == "mean" else f"{column.name} {name}"
                                    for column, names in wanted for name in names)])  # fmt: skip
    for statistic, cells in statistics_of(columns).items():
        values = (cell[name] for cell, (_, names) in zip(cells, wanted, strict=True) for name in names)
        writer.writerow([statistic, *("" if np.isnan(value) else value for value in values)])
    return text.getvalue().encode()


def write(columns: Sequence[Column], typed: Sequence[str], presets: Presets, target: Path) -> list[Path]:
    """Write compare.csv, and the runs' networks side by side, into a folder; return the files written.

    Args:
        typed: overrides of the keys of `figures`.
        target: a sweep's, whose `figures` folder takes the picture, or another one.

    Raises:
        ConfigError: an override is of something else, or the folder cannot be written.
    """
    drawn = encode_comparison(
        [each.folder for each in columns], [each.name for each in columns], typed, presets, target
    )
    place = target / "figures" if is_sweep(target) else target
    files = {target / "compare.csv": as_csv(columns), **{place / name: each for name, each in drawn.items()}}
    try:
        place.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            write_whole(path, content)
    except OSError as error:
        raise ConfigError([unwritable_message(target, error, "-o")]) from None
    return list(files)
