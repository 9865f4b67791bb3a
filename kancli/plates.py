"""Several finished runs, or all of a sweep, drawn side by side: read from their folders alone."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kancli import figures
from kancli.drawing import read_run, read_stats, scene_of_run, settings_of_run
from kancli.errors import ConfigError
from kancli.figures.scene import NothingToDrawError, Scene
from kancli.glossary import meanings
from kancli.run_folder import RunFolder
from kancli.schema import show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures import Figures
    from kancli.presets import Presets

log = logging.getLogger("kancli")

T = TypeVar("T")
U = TypeVar("U")
MOST_RUNS = 12  # side by side
PLAN = "multirun.yaml"  # what Hydra leaves in a sweep's folder


@dataclass(frozen=True)
class Run:
    """A finished run as far as its place among others goes."""

    folder: Path
    record: Mapping[str, Any]  # run.json
    overrides: Mapping[str, str]  # what was typed for it, by key
    verdicts: Sequence[Mapping[str, Any]] = ()


def is_sweep(folder: Path) -> bool:
    """Whether a folder is a sweep's."""
    return (folder / PLAN).exists()


def draw_plates(folders: Sequence[Path], typed: Sequence[str], presets: Presets) -> list[Path]:
    """Draw several runs side by side, and their statistics over what differs; return the files written.

    Args:
        folders: one sweep's, whose `figures` folder takes the files; or several runs', and the current folder does.
        typed: overrides of the keys of `figures`.

    Raises:
        ConfigError: a folder holds no finished run, a file is damaged, or there is nothing to draw.
    """
    if any(each.startswith("figures=") for each in typed):
        raise ConfigError(["figures=: of several runs the figures are compare and sweep; choose only how they look"])
    swept = len(folders) == 1
    runs = _each(_jobs(folders[0]) if swept else folders, _read, forgiving=swept)
    if not runs:
        raise ConfigError([f"{folders[0]}: a sweep without a finished run"])
    first = settings_of_run(runs[0].folder, runs[0].record["config"], typed, presets)
    look = dataclasses.replace(first.figures, title=None)
    if len(runs) > MOST_RUNS:
        log.warning("compare: shows the first %d of %d runs", MOST_RUNS, len(runs))

    def with_scene(run: Run) -> tuple[Run, Scene]:
        return run, scene_of_run(run.folder, run.record["config"], typed, presets)[1]

    shown = _each(runs[:MOST_RUNS], with_scene, forgiving=swept)
    target = RunFolder(folders[0] if swept else Path(), {})
    made: dict[str, bytes] = {}
    with figures.drawing_in(target.path):
        for name, draw in (("compare", lambda: _compare(shown, look)), ("sweep", lambda: _sweep(runs, look))):
            try:
                made |= figures.encode_all(name, draw(), look)
            except NothingToDrawError as error:
                log.warning("%s", error)
    if not made:
        raise ConfigError([f"{folders[0]}: nothing to draw"])
    for file, content in made.items():
        target.write(f"figures/{file}" if swept else file, content)
    return [target.path / name for name in target.files]


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
    return sorted((each.parent for each in sweep.glob("*/run.json")), key=lambda path: (len(path.name), path.name))


def _compare(shown: Sequence[tuple[Run, Scene]], look: Figures) -> Figure:
    from kancli.figures import compare

    names = names_of([run for run, _ in shown]) if shown else []
    return compare.draw([(name, scene) for name, (_, scene) in zip(names, shown, strict=True)], look)


def _sweep(runs: Sequence[Run], look: Figures) -> Figure:
    from kancli.figures import sweep

    return sweep.draw([sweep.Row(run.overrides, run.verdicts) for run in runs], look, meanings())


def names_of(runs: Sequence[Run]) -> list[str]:
    """What tells each run from the others: the overrides that not all share; where that is not enough, the folder."""
    everywhere = set.intersection(*(set(run.overrides.items()) for run in runs))
    names = []
    for run in runs:
        own = [f"{key}={value}" for key, value in run.overrides.items() if (key, value) not in everywhere]
        names.append(" ".join(own))
    unique = len(set(names)) == len(names) and "" not in names
    return names if unique else [f"{run.folder.name} {name}".strip() for run, name in zip(runs, names, strict=True)]


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
    split = (each.partition("=") for each in overrides)
    return Run(folder, record, {key.lstrip("+~"): value for key, _, value in split}, verdicts)


def _sound(verdict: Mapping[str, Any]) -> bool:
    numbers = [verdict.get(name) for name in ("value", "low", "high")]
    return (
        isinstance(verdict.get("name"), str)
        and "value" in verdict
        and all(isinstance(each, (int, float, type(None))) for each in numbers)
    )
