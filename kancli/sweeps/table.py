"""The table of a sweep: one row for each job, read from the folders of the jobs. Torch is not loaded."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.errors import ConfigError, check_utf8, one_line
from kancli.runs.reader import RecordedRun, RunRecord, parse_override_words, read_run
from kancli.stats.columns import flat
from kancli.sweeps.names import keys_of_differing_overrides
from kancli.sweeps.plan import Job, Plan, has_plan, read_head
from kancli.sweeps.row import Row

if TYPE_CHECKING:
    from kancli.figures.data import DepthProfile
    from kancli.stats.verdicts import Verdict

SEED = "seed"
# Statistics of a layer that are columns of the table; the others are only in the job's stats.json.
LAYER_COLUMNS = (
    "coef_mean", "coef_std", "scale_base_std", "preacts_std", "postacts_std", "output_mean", "output_std",
    "gain_variance", "off_grid", "spline_share", "nonlinearity_mean", "roughness_mean", "edge_distance", "flat_edges",
    "gradient_gain", "refit_residual",
)  # fmt: skip
TRAINING_COLUMNS = (
    "train_loss", "test_loss", "rel_l2", "first_train_loss",
    "steps_to_tenth", "steps_to_hundredth", "steps_to_thousandth", "diverged",
)  # fmt: skip
NO_RECORD, DAMAGED = "missing", "damaged"  # statuses of jobs without a readable record
MISSING = "–"  # in place of a swept key's value, where a job has none


def read_rows(
    plan: Plan, table_folder: Path | None = None, more_keys: Iterable[str] = (), start: int = 0
) -> Iterator[Row]:
    """Read the jobs of a sweep, in the order of its plan.

    Args:
        table_folder: the folder of the table; None for the folder of the sweep.
        more_keys: of the table, besides those swept here.
        start: the number of rows of the table before these.
    """
    return (row for row, _ in read_jobs(plan, table_folder, more_keys, start))


def read_jobs(
    plan: Plan, table_folder: Path | None = None, more_keys: Iterable[str] = (), start: int = 0
) -> Iterator[tuple[Row, RunRecord | None]]:
    """Read the jobs of a sweep as `read_rows` does, each with its record; None if that is missing or damaged."""
    swept = list(dict.fromkeys([*plan.head["swept"], *more_keys]))
    for job in plan.jobs:
        folder = job.folder if table_folder is None else os.path.relpath(plan.path(job), table_folder)
        replay = shlex.join(["kan-run", *plan.head["options"], *job.words])
        run, damage = _read_planned(plan, job)
        yield _row(start + job.number, folder, run, damage, job.words, swept, replay), _record_of(run)


def with_causes(rows: Iterable[Row], causes: Mapping[int, str]) -> list[Row]:
    """Rows with the causes of failures that the folders of their jobs do not record."""
    return [
        Row(row.number, row.folder, NO_RECORD, causes[row.number], row.replay, row.keys, [], {}, None)
        if row.status == NO_RECORD and row.number in causes
        else row
        for row in rows
    ]


def read_rows_without_plan(
    sweep: Path, table_folder: Path | None = None, more_keys: Iterable[str] = (), start: int = 0
) -> list[Row]:
    """Read the runs in a folder that has no plan. The keys whose overrides differ count as swept.

    Args:
        table_folder: the folder of the table; None for `sweep`.
        more_keys: of the table, besides those.
        start: the number of rows of the table before these.

    Raises:
        ConfigError: the folder holds no runs.
    """
    return [row for row, _ in read_runs_without_plan(sweep, table_folder, more_keys, start)]


def read_runs_without_plan(
    sweep: Path, table_folder: Path | None = None, more_keys: Iterable[str] = (), start: int = 0
) -> list[tuple[Row, RunRecord | None]]:
    """Read runs as `read_rows_without_plan` does, each with its record; None if that is damaged."""
    folders = run_folders(sweep)
    if not folders:
        raise ConfigError([f"{sweep}: holds no runs"])
    runs = [_read_and_verify(folder) for folder in folders]
    all_words = [[] if run is None else run.record.overrides for run, _ in runs]
    overrides = [parse_override_words(words) for words in all_words]
    configs = [run.record.config for run, _ in runs if run is not None]
    swept = list(dict.fromkeys([*keys_of_differing_overrides(overrides, configs), *more_keys]))
    rows = []
    for number, (path, (run, damage), words) in enumerate(zip(folders, runs, all_words, strict=True), start):
        folder = os.path.relpath(path, table_folder or sweep)
        row = _row(number, folder, run, damage, words, swept, shlex.join(["kan-run", *words]))
        rows.append((row, _record_of(run)))
    return rows


def fixed_keys(folders: Sequence[Path]) -> list[str]:
    """The keys that set sweeps, or other folders of runs, apart though each of them has one value throughout.

    Raises:
        ConfigError: a plan is damaged.
    """
    fixed, configs = [], []
    for folder in folders:
        if has_plan(folder):
            head = read_head(folder)
            typed = parse_override_words(head["typed"])
            fixed.append({key: value for key, value in typed.items() if key not in head["swept"]})
            configs.append(head["base"])
            continue
        records = []
        for path in run_folders(folder):
            with contextlib.suppress(ConfigError):  # damaged: its row says so
                records.append(read_run(path).record)
        words = [parse_override_words(record.overrides) for record in records]
        fixed.append(dict(set.intersection(*(set(overrides.items()) for overrides in words))) if words else {})
        configs += [record.config for record in records[:1]]
    return keys_of_differing_overrides(fixed, configs)


def run_folders(sweep: Path) -> list[Path]:
    """List the folders that hold a run.json, at any depth; numbered folders in order of their numbers.

    Hidden folders are left out: they hold runs that were set aside, or whose process was killed.

    Raises:
        ConfigError: the name of one is not UTF-8, so that no table can hold it.
    """
    paths = (path.parent for path in sweep.glob("**/run.json"))
    visible = (path for path in paths if not any(part.startswith(".") for part in path.relative_to(sweep).parts))
    folders = sorted(visible, key=lambda path: (len(path.name), str(path)))
    for folder in folders:
        check_utf8(str(folder))
    return folders


def read_row(run: RecordedRun) -> Row:
    """Read a single run; its folder is that of the table."""
    words = run.record.overrides
    return _row(0, ".", run, None, words, [], shlex.join(["kan-run", *words]))


def _read_planned(plan: Plan, job: Job) -> tuple[RecordedRun | None, str | None]:
    """A planned job and its damage, as from `_read_and_verify`. None if nothing or another run is in its place."""
    path = plan.path(job)
    if not os.path.lexists(path / "run.json"):
        return None, None
    run, damage = _read_and_verify(path)
    return (None, None) if run is not None and run.record.identity != job.identity else (run, damage)


def _read_and_verify(folder: Path) -> tuple[RecordedRun | None, str | None]:
    """A run, None if its record is damaged; and what is damaged, None if all files are those that the run wrote."""
    run = None
    try:
        run = read_run(folder)
        run.verify()
    except ConfigError as error:
        return run, str(error)
    return run, None


def _record_of(run: RecordedRun | None) -> RunRecord | None:
    return None if run is None else run.record


def _row(
    number: int,
    folder: str,
    run: RecordedRun | None,
    damage: str | None,
    words: Sequence[str],
    swept: Sequence[str],
    replay: str,
) -> Row:
    overrides = parse_override_words(words)
    keys = {key: overrides[key] for key in swept if key in overrides}
    verdicts: Sequence[Verdict] = []
    statistics: dict[str, float | None] = {}
    profile = None
    if run is not None and damage is None and (run.record.status == "complete" or run.has("stats.json")):
        try:
            verdicts, statistics, profile = _read_statistics(run)
        except ConfigError as error:
            damage = str(error)
    if damage is not None:
        return Row(number, folder, DAMAGED, damage, replay, keys, [], {}, None)
    if run is None:
        return Row(number, folder, NO_RECORD, None, replay, keys, [], {}, None)
    record = run.record
    state = record.status, record.error, replay
    return Row(number, folder, *state, keys, verdicts, statistics, record.seconds.get("total"), profile)


def _read_statistics(
    run: RecordedRun,
) -> tuple[Sequence[Verdict], dict[str, float | None], DepthProfile | None]:
    """Read the verdicts, the statistics and the profile of a run.

    Raises:
        ConfigError: its stats.json is missing or damaged.
    """
    from kancli.figures.data import depth_profile  # with numpy: a mistake in a sweep is answered without it

    verdicts = run.verdicts
    try:
        statistics = select_statistics(run.stats)
        for name, value in statistics.items():
            if not isinstance(value, int | float | None):
                raise TypeError(f"{name} is not a number")
        profile = depth_profile(run.stats)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError([f"{run.folder}/stats.json: damaged: {one_line(error)}"]) from None
    return verdicts, statistics, profile


def select_statistics(stats: Mapping[str, Any]) -> dict[str, float | None]:
    """Select the statistics of a row from the contents of stats.json; of an ensemble, the mean over members."""
    statistics: dict[str, float | None] = {entry["name"]: entry["value"] for entry in stats["verdicts"]}
    for name in ("propagation", "jacobian", "ntk"):
        statistics |= {f"{name}_{inner}": value for inner, value in _means(stats.get(name) or {})}
    if (training := stats.get("training")) is not None:
        statistics |= {name: value for name, value in _means(training) if name in TRAINING_COLUMNS}
    for layer in stats["layers"]:
        values = flat({name: value for name, value in layer.items() if name not in ("nodes", "edges")})
        for name in LAYER_COLUMNS:
            value = values.get(name, values.get(f"{name}_mean"))
            if value is not None:
                statistics[f"layer{layer['layer']}_{name}"] = value
    return statistics


def _means(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Nested numbers by column, and the means of those that are summarised over members; lists have no column."""
    for name, value in entry.items():
        if isinstance(value, Mapping) and "mean" not in value:
            yield from ((f"{name}_{inner}", number) for inner, number in _means(value))
        else:
            number = value["mean"] if isinstance(value, Mapping) else value
            if not isinstance(number, list):
                yield name, number


@dataclass(frozen=True)
class ColumnNames:
    """The columns of a table that depend on its rows."""

    swept: Sequence[str]
    statistics: Sequence[str]
    judged: Sequence[str]  # the verdicts


def column_names(rows: Sequence[Row]) -> ColumnNames:
    """The names in the order in which the rows have them."""
    return ColumnNames(
        list(dict.fromkeys(key for row in rows for key in row.keys)),
        list(dict.fromkeys(name for row in rows for name in row.statistics)),
        list(dict.fromkeys(name for row in rows for name in row.verdict_words)),
    )


def as_columns(rows: Sequence[Row], names: ColumnNames) -> dict[str, list[Any]]:
    """Arrange rows as the columns of sweep.csv: job, swept keys, status, statistics, verdicts, seconds, cause, folder
    and replay.

    Args:
        rows: of the table, or some of them.
        names: of the whole table.
    """
    keys = [row.keys for row in rows]
    statistics = [row.statistics for row in rows]
    verdict_words = [row.verdict_words for row in rows]
    return {
        "job": [row.number for row in rows],
        **{key: [by_key.get(key) for by_key in keys] for key in names.swept},
        "status": [row.status for row in rows],
        **{name: [by_name.get(name) for by_name in statistics] for name in names.statistics},
        **{f"{name}_verdict": [by_name.get(name) for by_name in verdict_words] for name in names.judged},
        "seconds": [row.seconds for row in rows],
        "cause": [row.cause for row in rows],
        "folder": [row.folder for row in rows],
        "replay": [row.replay for row in rows],
    }
