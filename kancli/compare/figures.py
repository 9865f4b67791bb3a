"""Figures of several finished runs, or of the runs of a sweep, from their folders alone."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from kancli.errors import ConfigError
from kancli.figures import render as figures
from kancli.figures.data import DepthProfile, FigureData, NothingToDrawError
from kancli.runs.derived import write_derived
from kancli.runs.figure_data import read_figure_data, settings_of_run
from kancli.runs.reader import RecordedRun, read_drawable_run
from kancli.stats.glossary import meanings
from kancli.sweeps.depth_profiles import depth_profiles
from kancli.sweeps.names import NamedBy, run_names
from kancli.sweeps.reader import is_sweep, read_folder
from kancli.sweeps.representatives import MAX_SHOWN, job_title, select_groups, select_representatives
from kancli.sweeps.results import encode_profiles
from kancli.sweeps.summary import group_by_keys
from kancli.sweeps.training_curves import joined_curves
from kancli.sweeps.verdict_tables import Judged, Run, shared_bounds, verdict_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.config.presets import Presets
    from kancli.figures.options import FigureOptions

log = logging.getLogger("kancli")

T = TypeVar("T")
U = TypeVar("U")
NamedRun: TypeAlias = tuple[str, RecordedRun]
Profiles: TypeAlias = tuple[Sequence[DepthProfile], Sequence[str]]  # and which of many they are


def draw_runs(
    folders: Sequence[Path], typed: Sequence[str], presets: Presets, *, target: Path | None, overwrite: bool
) -> list[Path]:
    """Draw several runs side by side, and their statistics against the keys that differ; return the files.

    Args:
        folders: a sweep, of which one job for each combination of swept keys is drawn; or several runs.
        typed: overrides of the keys of `figures`.
        target: the folder to write to; None for the folder `figures` of the sweep or of the first run.
        overwrite: replace figures that differ.

    Raises:
        ConfigError: a folder holds no finished run, a file is damaged, there is nothing to draw, or a figure would be
            replaced.
    """
    is_one = len(folders) == 1
    compared, table_runs, remarks, profiles = _runs_of_sweep(folders[0]) if is_one else _named_runs(folders)
    options = figure_options(compared[0][1], typed, presets)
    bounds = shared_bounds([run.record.config for _, run in compared])
    drawable = _read_figure_data(compared, typed, presets, skip_errors=is_one)
    with figures.matplotlib_cache(folders[0]):
        files = {
            **_encode("compare", lambda: _plot_compare(drawable, options, remarks), options),
            **_encode("sweep", lambda: _plot_sweep(table_runs, bounds, options), options),
            **encode_profiles(*profiles, bounds, options),
            **encode_curves(_curve_runs(folders), options),
        }
    if not files:
        raise ConfigError([f"{folders[0]}: nothing to draw"])
    return write_derived(*place(files, folders[0], target), overwrite=overwrite)


def _curve_runs(folders: Sequence[Path]) -> dict[str, list[RecordedRun]]:
    """The runs of each line of the curves: of a sweep those of a combination of swept keys, else each run alone."""
    if len(folders) > 1:
        runs = [_read(folder) for folder in folders]
        names = run_names([NamedBy(run.folder.name, run.overrides, run.record.config) for run in runs])
        return {name: [run] for name, run in zip(names, runs, strict=True)}
    folder = read_folder(folders[0])
    found = {row.number: run for row, run in folder.runs}
    groups = group_by_keys([row for row in folder.rows if row.status == "complete"]).values()
    shown, _ = select_groups(list(groups))
    return {job_title(group): [found[row.number] for row in group] for group in shown}


def place(
    figures: Mapping[str, bytes], folder: Path, target: Path | None, others: Mapping[str, bytes] | None = None
) -> tuple[Path, dict[str, bytes]]:
    """The folder that files go to, and their names below it: figures of a run or sweep to its folder `figures`.

    Args:
        folder: of the first run or of the sweep.
        target: the folder that the user named, if any.
        others: files that go to the folder itself.
    """
    chosen = target or folder
    prefix = "figures/" if is_sweep(chosen) or (chosen / "run.json").exists() else ""
    return chosen, {**(others or {}), **{f"{prefix}{name}": content for name, content in figures.items()}}


def _runs_of_sweep(sweep: Path) -> tuple[list[NamedRun], Sequence[Judged], Sequence[str], Profiles]:
    """The representative jobs of a sweep; the rows of all of its jobs; which jobs these are; and its profiles.

    Raises:
        ConfigError: no job is complete.
    """
    folder = read_folder(sweep)
    for row in folder.rows:
        if row.cause:
            log.warning("%s; left out", row.cause if str(sweep) in row.cause else f"{sweep / row.folder}: {row.cause}")
    runs = {row.number: run for row, run in folder.runs}
    judged = [row for row in folder.rows if row.verdict_words and row.status == "complete"]
    if not judged:
        raise ConfigError([f"{sweep}: a sweep without a finished run"])
    selection = select_representatives(judged)
    if selection.subset:
        log.warning("compare: shows %s", selection.subset)
    compared = [(title, runs[row.number]) for title, row in selection.jobs]
    return compared, judged, selection.remarks, depth_profiles(judged)


def _named_runs(folders: Sequence[Path]) -> tuple[list[NamedRun], Sequence[Judged], Sequence[str], Profiles]:
    """The same for the runs in these folders, named by what differs."""
    runs = [_read(folder) for folder in folders]
    names = run_names([NamedBy(run.folder.name, run.overrides, run.record.config) for run in runs])
    return list(zip(names, runs, strict=True)), [Run(run.overrides, run.verdicts) for run in runs], [], ([], [])


def encode_comparison(
    folders: Sequence[Path], names: Sequence[str], typed: Sequence[str], presets: Presets
) -> dict[str, bytes]:
    """Draw runs side by side. Returns the files by name; none if too few of the runs kept the data of a figure.

    Args:
        names: the title of each run.
        typed: overrides of the keys of `figures`.

    Raises:
        ConfigError: an override is of another key.
    """
    runs = [(name, _read(folder)) for name, folder in zip(names, folders, strict=True)]
    options = figure_options(runs[0][1], typed, presets)
    drawable = _read_figure_data(runs, typed, presets, skip_errors=True)
    with figures.matplotlib_cache(folders[0]):
        return _encode("compare", lambda: _plot_compare(drawable, options), options)


def figure_options_of(folder: Path, typed: Sequence[str], presets: Presets) -> FigureOptions:
    """As `figure_options`, of the run in a folder."""
    return figure_options(_read(folder), typed, presets)


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
    runs: Sequence[NamedRun], typed: Sequence[str], presets: Presets, *, skip_errors: bool
) -> list[tuple[str, FigureData]]:
    """Read the figure data of the first `MAX_SHOWN` runs of KANs, by name."""
    if len(runs) > MAX_SHOWN:
        log.warning("compare: shows the first %d of %d runs", MAX_SHOWN, len(runs))

    def with_data(named: NamedRun) -> tuple[str, FigureData]:
        name, run = named
        return name, read_figure_data(run, settings_of_run(run, typed, presets))

    read = _apply(with_data, runs[:MAX_SHOWN], skip_errors=skip_errors)
    return [(name, data) for name, data in read if data.is_kan]  # an MLP has no functions on its edges


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


def _encode(name: str, plot: Callable[[], Figure], options: FigureOptions) -> dict[str, bytes]:
    """Plot and encode a figure; with a warning, return no file if there is nothing to draw."""
    try:
        return figures.encode_all(name, plot(), options)
    except NothingToDrawError as error:
        log.warning("%s", error)
        return {}


def _plot_compare(
    runs: Sequence[tuple[str, FigureData]], options: FigureOptions, remarks: Sequence[str] = ()
) -> Figure:
    from kancli.figures import compare

    return compare.plot(runs, options, remarks)


def _plot_sweep(runs: Sequence[Judged], bounds: Mapping[str, Any], options: FigureOptions) -> Figure:
    from kancli.figures import sweep

    return sweep.plot(verdict_tables(runs), options, meanings(), bounds)


def encode_curves(runs: Mapping[str, Sequence[RecordedRun]], options: FigureOptions) -> dict[str, bytes]:
    """Draw the curves of training, a line for each name; no file where no run trained.

    Args:
        runs: by name, those whose members share a line.

    Raises:
        ConfigError: a file is missing or damaged.
    """
    joined = {name: curves for name, group in runs.items() if (curves := joined_curves(group)) is not None}
    if not joined:
        return {}
    from kancli.figures.training import plot_curves

    return _encode("training", lambda: plot_curves(joined, options), options)


def _read(folder: Path) -> RecordedRun:
    if is_sweep(folder):
        raise ConfigError([f"{folder}: a sweep is drawn alone: kan-run draw {folder}"])
    run = read_drawable_run(folder)
    _ = run.verdicts  # read now, so that damage is reported while runs can be left out
    return run
