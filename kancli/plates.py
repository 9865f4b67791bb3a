"""Several finished runs, or all of a sweep, drawn side by side: read from their folders alone."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli import figures
from kancli.drawing import knows_scheme, read_run, read_scene, read_stats, settings_of_run
from kancli.errors import ConfigError
from kancli.figures.scene import NothingToDrawError, Scene
from kancli.run_folder import RunFolder
from kancli.schema import keys, show
from kancli.settings import Verdicts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures import Figures
    from kancli.presets import Presets

log = logging.getLogger("kancli")

MOST_RUNS = 12  # side by side
PLAN = "multirun.yaml"  # what Hydra leaves in a sweep's folder


@dataclass(frozen=True)
class Run:
    """A finished run as far as its place among others goes."""

    folder: Path
    record: Mapping[str, Any]  # run.json
    overrides: Mapping[str, str]  # what was typed for it, by key


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
    swept = len(folders) == 1
    runs = runs_of(folders[0]) if swept else [_read(folder) for folder in folders]
    first = settings_of_run(runs[0].folder, runs[0].record["config"], typed, presets)
    if any(each.startswith("figures=") for each in typed):
        raise ConfigError(["figures=: of several runs the figures are compare and sweep; choose only how they look"])
    look = dataclasses.replace(first.figures, title=None)
    if len(runs) > MOST_RUNS:
        log.warning("compare: shows the first %d of %d runs", MOST_RUNS, len(runs))
    target = RunFolder(folders[0] / "figures" if swept else Path(), {})
    try:
        target.path.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError([f"{target.path}: {error.strerror}"]) from None
    with figures.drawing_in(target.path):
        for name, draw in (("compare", _draw_compare), ("sweep", _draw_sweep)):
            try:
                figure = draw(runs, look, lambda run: _scene(run, typed, presets))
            except NothingToDrawError as error:
                log.warning("%s", error)
                continue
            for file, content in figures.encode_all(name, figure, look).items():
                target.write(file, content)
    if not target.files:
        raise ConfigError([f"{folders[0]}: nothing to draw"])
    return [target.path / name for name in target.files]


def _draw_compare(runs: Sequence[Run], look: Figures, scene: Callable[[Run], Scene]) -> Figure:
    from kancli.figures import compare

    shown = runs[:MOST_RUNS]
    return compare.draw(list(zip(names_of(shown), map(scene, shown), strict=True)), look)


def _draw_sweep(runs: Sequence[Run], look: Figures, _: object) -> Figure:
    from kancli.figures import sweep

    return sweep.draw([sweep.Row(run.overrides, _verdicts(run)) for run in runs], look, meanings())


def runs_of(folder: Path) -> list[Run]:
    """The finished runs of a sweep, in the order of its jobs; those that are not are named and left out.

    Raises:
        ConfigError: there is none.
    """
    jobs = sorted((each.parent for each in folder.glob("*/run.json")), key=lambda path: (len(path.name), path.name))
    runs = []
    for job in jobs:
        try:
            runs.append(_read(job))
        except ConfigError as error:
            log.warning("%s", error)
    if not runs:
        raise ConfigError([f"{folder}: a sweep without a finished run"])
    return runs


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
    record = read_run(folder)
    overrides = record.get("overrides")
    if not isinstance(overrides, list) or not all(isinstance(each, str) for each in overrides):
        raise ConfigError([f"{folder}/run.json: damaged: its overrides are {show(overrides)}"])
    split = (each.partition("=") for each in overrides)
    return Run(folder, record, {key.lstrip("+~"): value for key, _, value in split})


def meanings() -> dict[str, str]:
    """What the number of each verdict is, in the words of its help."""
    words = {name: field.metadata["help"].partition(",")[0].partition(":")[0] for name, field in keys(Verdicts).items()}
    # Of a pair on one number, seen from both sides, the second says "the same".
    pairs = {name: name.replace("_explodes", "_vanishes") for name in words}
    return {"non_finite": "values that are not finite", **{name: words[first] for name, first in pairs.items()}}


def _scene(run: Run, typed: Sequence[str], presets: Presets) -> Scene:
    config = run.record["config"]
    settings = settings_of_run(run.folder, config, typed, presets)
    return read_scene(run.folder, settings, with_laws=knows_scheme(config, presets))


def _verdicts(run: Run) -> list[Mapping[str, Any]]:
    verdicts = read_stats(run.folder / "stats.json").get("verdicts")
    if not isinstance(verdicts, list) or not all(isinstance(each, Mapping) and _sound(each) for each in verdicts):
        raise ConfigError([f"{run.folder}/stats.json: damaged: its verdicts are {show(verdicts)}"])
    return verdicts


def _sound(verdict: Mapping[str, Any]) -> bool:
    numbers = [verdict.get(name) for name in ("value", "low", "high")]
    return isinstance(verdict.get("name"), str) and all(isinstance(each, (int, float, type(None))) for each in numbers)
