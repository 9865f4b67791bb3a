"""Figures of several finished runs, or of the runs of a sweep, from their folders alone."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kancli.errors import ConfigError
from kancli.figures import render as figures
from kancli.figures.data import FigureData, NothingToDrawError
from kancli.runs.figure_data import read_figure_data, settings_of_run
from kancli.runs.folder import RunFolder
from kancli.runs.reader import RecordedRun, read_drawable_run
from kancli.stats.glossary import meanings
from kancli.sweeps.names import run_names
from kancli.sweeps.plan import has_plan, read_plan
from kancli.sweeps.reader import is_sweep
from kancli.sweeps.table import run_folders
from kancli.sweeps.verdict_tables import shared_bounds, verdict_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.config.presets import Presets
    from kancli.figures.options import FigureOptions

log = logging.getLogger("kancli")

T = TypeVar("T")
U = TypeVar("U")
MAX_RUNS = 12  # in one figure


def draw_runs(folders: Sequence[Path], typed: Sequence[str], presets: Presets) -> list[Path]:
    """Draw several runs side by side, and their statistics against the keys that differ; return the files written.

    Args:
        folders: a sweep, which takes the files in its folder `figures`; or several runs, whose files go to the current
            folder.
        typed: overrides of the keys of `figures`.

    Raises:
        ConfigError: a folder holds no finished run, a file is damaged, or there is nothing to draw.
    """
    of_sweep = len(folders) == 1
    runs = _apply(_read, _job_folders(folders[0]) if of_sweep else folders, skip_errors=of_sweep)
    if not runs:
        raise ConfigError([f"{folders[0]}: a sweep without a finished run"])
    options = figure_options(runs[0], typed, presets)
    drawable = _read_figure_data(runs, typed, presets, skip_errors=of_sweep)
    names = run_names([(run.folder.name, run.overrides) for run, _ in drawable])
    target = RunFolder(folders[0] if of_sweep else Path(), {})
    with figures.matplotlib_cache(target.path):
        files = {
            **_encode("compare", lambda: _plot_compare(names, drawable, options), options),
            **_encode("sweep", lambda: _plot_sweep(runs, options), options),
        }
    if not files:
        raise ConfigError([f"{folders[0]}: nothing to draw"])
    for file, content in files.items():
        target.write(f"figures/{file}" if of_sweep else file, content)
    return [target.path / name for name in target.files]


def encode_comparison(
    folders: Sequence[Path], names: Sequence[str], typed: Sequence[str], presets: Presets, target: Path
) -> dict[str, bytes]:
    """Draw runs side by side. Returns the files by name; none if too few of the runs kept the data of a figure.

    Args:
        names: the title of each run.
        typed: overrides of the keys of `figures`.
        target: the folder whose matplotlib cache is used.

    Raises:
        ConfigError: an override is of another key.
    """
    runs = [_read(folder) for folder in folders]
    options = figure_options(runs[0], typed, presets)
    titles = dict(zip(folders, names, strict=True))
    drawable = _read_figure_data(runs, typed, presets, skip_errors=True)
    with figures.matplotlib_cache(target):
        return _encode(
            "compare", lambda: _plot_compare([titles[run.folder] for run, _ in drawable], drawable, options), options
        )


def figure_options(run: RecordedRun, typed: Sequence[str], presets: Presets) -> FigureOptions:
    """The figure options of the first run, with the typed overrides.

    Raises:
        ConfigError: an override chooses the figures, or is of another key.
    """
    if any(word.startswith("figures=") for word in typed):
        raise ConfigError(["figures=: of several runs the figures are compare and sweep; choose only how they look"])
    settings = settings_of_run(run, typed, presets)
    return dataclasses.replace(settings.figures, title=None)


def _read_figure_data(
    runs: Sequence[RecordedRun], typed: Sequence[str], presets: Presets, *, skip_errors: bool
) -> list[tuple[RecordedRun, FigureData]]:
    """Read the figure data of the first `MAX_RUNS` runs."""
    if len(runs) > MAX_RUNS:
        log.warning("compare: shows the first %d of %d runs", MAX_RUNS, len(runs))

    def with_data(run: RecordedRun) -> tuple[RecordedRun, FigureData]:
        return run, read_figure_data(run, settings_of_run(run, typed, presets))

    return _apply(with_data, runs[:MAX_RUNS], skip_errors=skip_errors)


def _apply(function: Callable[[T], U], items: Iterable[T], *, skip_errors: bool) -> list[U]:
    """Apply a function to each item; with `skip_errors`, leave out an item with a fault, with a warning."""
    results = []
    for item in items:
        try:
            results.append(function(item))
        except ConfigError as error:
            if not skip_errors:
                raise
            log.warning("%s; left out", error)
    return results


def _job_folders(sweep: Path) -> list[Path]:
    """The folders of a sweep's jobs that hold a run, in order."""
    if has_plan(sweep):
        plan = read_plan(sweep)
        return [path for job in plan.jobs if ((path := plan.path(job)) / "run.json").exists()]
    return run_folders(sweep)


def _encode(name: str, plot: Callable[[], Figure], options: FigureOptions) -> dict[str, bytes]:
    """Plot and encode a figure; with a warning, return no file if there is nothing to draw."""
    try:
        return figures.encode_all(name, plot(), options)
    except NothingToDrawError as error:
        log.warning("%s", error)
        return {}


def _plot_compare(
    names: Sequence[str], runs: Sequence[tuple[RecordedRun, FigureData]], options: FigureOptions
) -> Figure:
    from kancli.figures import compare

    return compare.plot([(name, data) for name, (_, data) in zip(names, runs, strict=True)], options)


def _plot_sweep(runs: Sequence[RecordedRun], options: FigureOptions) -> Figure:
    from kancli.figures import sweep

    tables = verdict_tables([(run.overrides, run.verdicts) for run in runs])
    return sweep.plot(tables, options, meanings(), shared_bounds([run.record.config for run in runs]))


def _read(folder: Path) -> RecordedRun:
    if is_sweep(folder):
        raise ConfigError([f"{folder}: a sweep is drawn alone: kan-run draw {folder}"])
    run = read_drawable_run(folder)
    _ = run.verdicts  # read now, so that damage is reported while runs can be left out
    return run
