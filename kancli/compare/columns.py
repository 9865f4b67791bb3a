"""`kan-run compare`: runs as columns of a table. Runs that differ only in their seed share a column."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from kancli.compare.figures import encode_comparison, encode_curves, figure_options_of, place
from kancli.compare.limits import check_count
from kancli.config.identity import affects_identity
from kancli.config.nested import flatten
from kancli.runs.console import STYLES, number
from kancli.runs.derived import write_derived
from kancli.runs.reader import RunRecord, parse_override_words, read_run
from kancli.spelling import show
from kancli.stats.options import statement, worst
from kancli.stats.summary import scale_of, summary_statistics
from kancli.sweeps.names import NamedBy, run_names
from kancli.sweeps.reader import read_folder
from kancli.sweeps.representatives import median_job
from kancli.sweeps.results import encode_csv
from kancli.sweeps.row import Row
from kancli.sweeps.summary import group_by_keys, values_of
from kancli.sweeps.table import SEED

if TYPE_CHECKING:
    from kancli.config.presets import Presets

log = logging.getLogger("kancli")

COLUMNS_PER_TABLE, COLUMNS_WITH_SPREADS = 5, 3  # of one table on a terminal of 80 characters
LAYER_COLUMNS = ("_output_std", "_off_grid", "_spline_share")  # statistics of layers that the terminal shows
MISSING = "-"
CAPTION = "a check's number is that of its worst layer: kan-run explain verdicts defines it"
SPREAD = "mean ± standard deviation over the runs of a column, and a check's worst result among them"


@dataclass(frozen=True)
class Column:
    """A run, or several that differ only in their seed."""

    name: str
    folder: Path  # of the run that stands for them: that of the median output std
    config: Mapping[str, Any]  # of this run
    rows: Sequence[Row]  # of the complete runs
    n_failed: int = 0  # runs that are not complete
    folders: Sequence[Path] = ()  # of the complete runs

    @property
    def title(self) -> str:
        """The title of the run that stands for the column."""
        if len(self.rows) < 2:
            return self.name
        return f"{self.name}, seed {self.config.get(SEED)} of {len(self.rows)}"

    def verdict(self, name: str) -> str | None:
        """The worst verdict of this name among the runs."""
        return worst({row.verdict_words[name] for row in self.rows if name in row.verdict_words})


def read_columns(folders: Sequence[Path]) -> list[Column]:
    """Read the complete runs of folders, each of which is that of a run or holds several.

    Raises:
        ConfigError: a folder holds no runs or is damaged, or there are too few columns or too many.
    """
    columns, named = [], []
    for folder in dict.fromkeys(path.resolve() for path in folders):
        runs = read_folder(folder)
        records = {row.folder: record for row, record in zip(runs.rows, runs.records, strict=True)}
        for rows in group_by_keys(runs.rows).values():
            complete = [row for row in rows if row.status == "complete"]
            chosen = median_job(complete) if complete else rows[0]
            record = records[chosen.folder] if complete else None
            if record is None:
                log.warning("%s: no complete run; left out", _path(folder, rows[0]))
                continue
            named.append(NamedBy(runs.name, _naming_overrides(record, has_seeds=len(rows) > 1), record.config))
            paths = [_path(folder, row) for row in complete]
            n_failed = len(rows) - len(complete)
            columns.append(Column("", _path(folder, chosen), record.config, complete, n_failed, paths))
    check_count(len(columns))
    names = run_names(named)
    return [dataclasses.replace(column, name=name) for column, name in zip(columns, names, strict=True)]


def _path(folder: Path, row: Row) -> Path:
    return folder if row.folder == "." else folder / row.folder


def _naming_overrides(record: RunRecord, *, has_seeds: bool) -> dict[str, str]:
    """The overrides that can name a column: those that change results, without the seed if the column has several."""
    return {
        key: value
        for key, value in parse_override_words(record.overrides).items()
        if affects_identity(key) and not (has_seeds and key == SEED)
    }


def summarise_columns(columns: Sequence[Column]) -> dict[str, list[dict[str, float]]]:
    """Summarise each statistic over the runs of each column; a statistic that no column has is left out."""
    names = dict.fromkeys(name for column in columns for row in column.rows for name in row.statistics)
    summaries = {name: [_summarise(column, name) for column in columns] for name in names}
    return {name: cells for name, cells in summaries.items() if any(cell["n"] for cell in cells)}


def _summarise(column: Column, name: str) -> dict[str, float]:
    summary = summary_statistics(values_of(column.rows, name), scale_of(name))
    return {key: value.item() for key, value in summary.items()}


def as_document(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The document of `compare --json`: of each column its name, folder, runs, verdicts and statistics.

    A statistic is summarised over the column's runs; null is an undefined value.
    """
    names = dict.fromkeys(name for column in columns for row in column.rows for name in row.verdict_words)
    summaries = summarise_columns(columns)
    return [
        {
            "name": column.name,
            "folder": str(column.folder),
            "runs": len(column.rows),
            "failed": column.n_failed,
            "verdicts": {name: column.verdict(name) for name in names},
            "statistics": {
                name: {key: value if math.isfinite(value) else None for key, value in cells[place].items()}
                for name, cells in summaries.items()
            },
        }
        for place, column in enumerate(columns)
    ]


def format_tables(columns: Sequence[Column]) -> list[Table | str]:
    """Format columns for the terminal, a few to a table: the keys that differ, every verdict, some statistics.

    A caption explains the numbers. A verdict is named by its statement, a statistic as in compare.csv.
    """
    keys, summaries = differing_keys(columns), summarise_columns(columns)
    has_seeds = any(len(column.rows) + column.n_failed > 1 for column in columns)
    per_table = COLUMNS_WITH_SPREADS if has_seeds else COLUMNS_PER_TABLE
    tables: list[Table | str] = []
    for begin in range(0, len(columns), per_table):
        part = slice(begin, begin + per_table)
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        table.add_column("", no_wrap=True)
        for column in columns[part]:
            table.add_column(column.name, justify="right", overflow="fold")
        for key, values in keys.items():
            table.add_row(key, *values[part])
        if keys:
            table.add_section()
        if has_seeds:
            table.add_row("runs", *map(_format_count, columns[part]))
        for name, cells in summaries.items():
            if not name.startswith("layer") or name.endswith(LAYER_COLUMNS):
                table.add_row(statement(name), *(_format_cell(column.verdict(name), cell)
                                      for column, cell in zip(columns[part], cells[part], strict=True)))  # fmt: skip
        tables.append(table)
    return [*tables, f"{SPREAD}; {CAPTION}" if has_seeds else CAPTION]


def _format_count(column: Column) -> str:
    n_complete = len(column.rows)
    return f"{n_complete} of {n_complete + column.n_failed}" if column.n_failed else str(n_complete)


def _format_cell(verdict: str | None, summary: Mapping[str, float]) -> Text:
    if not summary["n"]:
        return Text(MISSING)
    spread = f" ±{number(summary['sd'])}" if summary["sd"] > 0 else ""
    word = f" {verdict}" if verdict in STYLES else ""
    return Text(f"{number(summary['mean'])}{spread}{word}", style=STYLES.get(verdict or "", ""))


def differing_keys(columns: Sequence[Column]) -> dict[str, list[str]]:
    """The config keys that differ, with the value of each column; without the seed if a column has several."""
    configs = [dict(_flat(column.config)) for column in columns]
    names = dict.fromkeys(name for config in configs for name in config)
    if any(len(column.rows) > 1 for column in columns):
        names.pop(SEED, None)
    rows = {name: [config.get(name, MISSING) for config in configs] for name in names}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def _flat(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in flatten(config):
        if affects_identity(key):
            yield key, show(value)


def as_csv(columns: Sequence[Column]) -> bytes:
    """Encode one row for each statistic: the mean of each column, and sd and n where the column has several runs."""
    fields = [("mean", "sd", "n") if len(column.rows) > 1 else ("mean",) for column in columns]
    header = [column.name if field == "mean" else f"{column.name} {field}"
              for column, names in zip(columns, fields, strict=True) for field in names]  # fmt: skip
    rows = [[name, *(None if math.isnan(cell[field]) else cell[field]
                     for cell, names in zip(cells, fields, strict=True) for field in names)]
            for name, cells in summarise_columns(columns).items()]  # fmt: skip
    return encode_csv(["statistic", *header], rows)


def write(
    columns: Sequence[Column],
    typed: Sequence[str],
    presets: Presets,
    first: Path,
    target: Path | None,
    *,
    overwrite: bool,
) -> list[Path]:
    """Write compare.csv and the figure of the networks side by side; return their files.

    Args:
        typed: overrides of the keys of `figures`.
        first: the folder of the first run or of the sweep, which takes the files.
        target: the folder that takes them instead.
        overwrite: replace files that differ.

    Raises:
        ConfigError: an override is of another key, the folder cannot be created, or a file would be replaced.
        WriteError: a file cannot be written.
    """
    titles = [column.title for column in columns]
    figures = encode_comparison([column.folder for column in columns], titles, typed, presets)
    curves = {column.name: [read_run(folder) for folder in column.folders] for column in columns}
    figures |= encode_curves(curves, figure_options_of(columns[0].folder, typed, presets))
    return write_derived(*place(figures, first, target, {"compare.csv": as_csv(columns)}), overwrite=overwrite)
