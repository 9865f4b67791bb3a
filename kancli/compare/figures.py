"""Several finished runs, or all of a sweep, drawn side by side: read from their folders alone."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kancli.errors import ConfigError
from kancli.figures import render as figures
from kancli.figures.data import FigureData, NothingToDrawError
from kancli.runs.folder import RunFolder
from kancli.runs.reader import figure_data_of_run, read_run, read_stats, settings_of_run
from kancli.schema import show
from kancli.stats.glossary import meanings
from kancli.sweeps.names import parse_override_words, run_names
from kancli.sweeps.plan import is_planned, read
from kancli.sweeps.reader import is_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.config.presets import Presets
    from kancli.figures.options import FigureOptions

log = logging.getLogger("kancli")

T = TypeVar("T")
U = TypeVar("U")
MAX_RUNS = 12  # side by side


@dataclass(frozen=True)
class Run:
    """A finished run as far as its place among others goes."""

    folder: Path
    record: Mapping[str, Any]  # run.json
    overrides: Mapping[str, str]  # what was typed for it, by key
    verdicts: Sequence[Mapping[str, Any]] = ()


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
    with figures.drawing_in(target.path):
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
    with figures.drawing_in(target):
        try:
            drawn = _compare([named[run.folder] for run, _ in scenes], scenes, options)
        except NothingToDrawError as error:
            log.warning("%s", error)
            return {}
        return figures.encode_all("compare", drawn, options)


def figure_options(run: Run, typed: Sequence[str], presets: Presets) -> FigureOptions:
    """How figures are to look: as the first run's, and as it is typed."""
    if any(each.startswith("figures=") for each in typed):
        raise ConfigError(["figures=: of several runs the figures are compare and sweep; choose only how they look"])
    settings = settings_of_run(run.folder, run.record["config"], typed, presets)
    return dataclasses.replace(settings.figures, title=None)


def _scenes(
    runs: Sequence[Run], typed: Sequence[str], presets: Presets, *, forgiving: bool
) -> list[tuple[Run, FigureData]]:
    """What is to be drawn of the first runs."""
    if len(runs) > MAX_RUNS:
        log.warning("compare: shows the first %d of %d runs", MAX_RUNS, len(runs))

    def with_scene(run: Run) -> tuple[Run, FigureData]:
        return run, figure_data_of_run(run.folder, run.record["config"], typed, presets)[1]

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
    if is_planned(sweep):
        plan = read(sweep)
        return [path for job in plan.jobs if ((path := plan.path(job)) / "run.json").exists()]
    return sorted((each.parent for each in sweep.glob("**/run.json")), key=lambda path: (len(path.name), str(path)))


def _compare(names: Sequence[str], scenes: Sequence[tuple[Run, FigureData]], options: FigureOptions) -> Figure:
    from kancli.figures import compare

    return compare.plot([(name, scene) for name, (_, scene) in zip(names, scenes, strict=True)], options)


def _sweep(runs: Sequence[Run], options: FigureOptions) -> Figure:
    from kancli.figures import sweep

    return sweep.plot([sweep.Row(run.overrides, run.verdicts) for run in runs], options, meanings())


def _read(folder: Path) -> Run:
    if is_sweep(folder):
        raise ConfigError([f"{folder}: a sweep is drawn alone: kan-run draw {folder}"])
    record = read_run(folder)
    overrides = record.get("overrides")
    if not isinstance(overrides, list) or not all(isinstance(each, str) for each in overrides):
        raise ConfigError([f"{folder}/run.json: damaged: its overrides are {show(overrides)}"])
    verdicts = read_stats(folder / "stats.json").get("verdicts")
    if not isinstance(verdicts, list) or not all(isinstance(each, Mapping) and _sound(each) for each in verdicts):
        raise ConfigError([f"{folder}/stats.json: damaged: its verdicts are {show(verdicts)}"])
    return Run(folder, record, parse_override_words(overrides), verdicts)


def _sound(verdict: Mapping[str, Any]) -> bool:
    numbers = [verdict.get(name) for name in ("value", "low", "high")]
    return (
        isinstance(verdict.get("name"), str)
        and "value" in verdict
        and all(isinstance(each, (int, float, type(None))) for each in numbers)
    )
