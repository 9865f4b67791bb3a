"""Several finished runs, or all of a sweep, drawn side by side: read from their folders alone."""

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
from kancli.runs.reader import RecordedRun, read_finished_run
from kancli.stats.glossary import meanings
from kancli.sweeps.names import run_names
from kancli.sweeps.plan import has_plan, read_plan
from kancli.sweeps.reader import is_sweep
from kancli.sweeps.verdict_tables import verdict_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.config.presets import Presets
    from kancli.figures.options import FigureOptions

log = logging.getLogger("kancli")

T = TypeVar("T")
U = TypeVar("U")
MAX_RUNS = 12  # side by side


def draw_runs(folders: Sequence[Path], typed: Sequence[str], presets: Presets) -> list[Path]:
    """Draw several runs side by side, and their statistics over what differs; return the files written.

    Args:
        folders: one sweep's, whose `figures` folder takes the files; or several runs', and the current folder does.
        typed: overrides of the keys of `figures`.

    Raises:
        ConfigError: a folder holds no finished run, a file is damaged, or there is nothing to draw.
    """
    swept = len(folders) == 1
    runs = _each(_jobs(folders[0]) if swept else folders, _read, forgiving=swept)
    if not runs:
        raise ConfigError([f"{folders[0]}: a sweep without a finished run"])
    options = figure_options(runs[0], typed, presets)
    scenes = _scenes(runs, typed, presets, forgiving=swept)
    names = run_names([(run.folder.name, run.overrides) for run, _ in scenes])
    target = RunFolder(folders[0] if swept else Path(), {})
    made: dict[str, bytes] = {}
    with figures.matplotlib_cache(target.path):
        for name, draw in (
            ("compare", lambda: _compare(names, scenes, options)),
            ("sweep", lambda: _sweep(runs, options)),
        ):
            try:
                made |= figures.encode_all(name, draw(), options)
            except NothingToDrawError as error:
                log.warning("%s", error)
    if not made:
        raise ConfigError([f"{folders[0]}: nothing to draw"])
    for file, content in made.items():
        target.write(f"figures/{file}" if swept else file, content)
    return [target.path / name for name in target.files]


def encode_comparison(
    folders: Sequence[Path], names: Sequence[str], typed: Sequence[str], presets: Presets, target: Path
) -> dict[str, bytes]:
    """The files of runs drawn side by side under given names, by name; none where a run kept too little to be drawn.

    Args:
        typed: overrides of the keys of `figures`.
        target: where matplotlib may keep what it needs.

    Raises:
        ConfigError: an override is of something else.
    """
    runs = [_read(folder) for folder in folders]
    options = figure_options(runs[0], typed, presets)
    named = dict(zip(folders, names, strict=True))
    scenes = _scenes(runs, typed, presets, forgiving=True)
    with figures.matplotlib_cache(target):
        try:
            drawn = _compare([named[run.folder] for run, _ in scenes], scenes, options)
        except NothingToDrawError as error:
            log.warning("%s", error)
            return {}
        return figures.encode_all("compare", drawn, options)


def figure_options(run: RecordedRun, typed: Sequence[str], presets: Presets) -> FigureOptions:
    """How figures are to look: as the first run's, and as it is typed."""
    if any(each.startswith("figures=") for each in typed):
        raise ConfigError(["figures=: of several runs the figures are compare and sweep; choose only how they look"])
    settings = settings_of_run(run, typed, presets)
    return dataclasses.replace(settings.figures, title=None)


def _scenes(
    runs: Sequence[RecordedRun], typed: Sequence[str], presets: Presets, *, forgiving: bool
) -> list[tuple[RecordedRun, FigureData]]:
    """What is to be drawn of the first runs."""
    if len(runs) > MAX_RUNS:
        log.warning("compare: shows the first %d of %d runs", MAX_RUNS, len(runs))

    def with_scene(run: RecordedRun) -> tuple[RecordedRun, FigureData]:
        return run, read_figure_data(run, settings_of_run(run, typed, presets))

    return _each(runs[:MAX_RUNS], with_scene, forgiving=forgiving)


def _each(items: Iterable[T], make: Callable[[T], U], *, forgiving: bool) -> list[U]:
    """What is made of each; one that cannot be is named and left out, where that is forgiven."""
    made = []
    for item in items:
        try:
            made.append(make(item))
        except ConfigError as error:
            if not forgiving:
                raise
            log.warning("%s; left out", error)
    return made


def _jobs(sweep: Path) -> list[Path]:
    """The folders of a sweep's jobs, in their order."""
    if has_plan(sweep):
        plan = read_plan(sweep)
        return [path for job in plan.jobs if ((path := plan.path(job)) / "run.json").exists()]
    return sorted((each.parent for each in sweep.glob("**/run.json")), key=lambda path: (len(path.name), str(path)))


def _compare(names: Sequence[str], scenes: Sequence[tuple[RecordedRun, FigureData]], options: FigureOptions) -> Figure:
    from kancli.figures import compare

    return compare.plot([(name, scene) for name, (_, scene) in zip(names, scenes, strict=True)], options)


def _sweep(runs: Sequence[RecordedRun], options: FigureOptions) -> Figure:
    from kancli.figures import sweep

    return sweep.plot(verdict_tables([(run.overrides, run.verdicts) for run in runs]), options, meanings())


def _read(folder: Path) -> RecordedRun:
    if is_sweep(folder):
        raise ConfigError([f"{folder}: a sweep is drawn alone: kan-run draw {folder}"])
    run = read_finished_run(folder)
    _ = run.verdicts  # read now, so that damage is reported while runs can be left out
    return run
