"""The objective: the statistics of a run that a sweeper optimises."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from kancli.errors import ConfigError, NonFiniteError
from kancli.spelling import shorten
from kancli.stats.glossary import FULL_MARKS, LAYER, NETWORK, verdict_notes
from kancli.stats.options import LEVELS
from kancli.stats.options import OF_TRAINING as VERDICTS_OF_TRAINING
from kancli.sweeps.table import LAYER_COLUMNS, TRAINING_COLUMNS
from kancli.synonyms import nearest

if TYPE_CHECKING:
    from kancli.config.settings import Settings

LISTS = {"ntk_eigenvalues"}  # no numbers, so no columns
OF_TRAINING = (*TRAINING_COLUMNS, *VERDICTS_OF_TRAINING)  # only runs with a task have them
DEEPEST = 10_000  # layers, where the width is not known yet


def objective_names(objective: str | Sequence[str] | None) -> list[str]:
    """The names in a value of the key `objective`: one name, a list of names, or null."""
    return [objective] if isinstance(objective, str) else list(objective or [])


def check_names(names: Iterable[str]) -> None:
    """Check names before a config is known.

    Raises:
        ConfigError: no setting makes a statistic of that name.
    """
    known = _levels()
    unknown = [name for name in names if name not in OF_TRAINING and _level(name, DEEPEST) is None]
    if faults := [_unknown_message(name, known) for name in unknown]:
        raise ConfigError(faults)


def objective_faults(settings: Settings) -> list[str]:
    """A line for each name in a run's objective of which its config makes no statistic."""
    names = tuple(name for name in settings.objective or () if name not in OF_TRAINING)
    faults = list(_faults(names, settings.stats.level, len(settings.width) - 1))
    trained = [] if settings.trains else [name for name in settings.objective or () if name in OF_TRAINING]
    return [*faults, *(f"objective={name}: nothing is trained; add a task, such as task=f2" for name in trained)]


@functools.lru_cache
def _faults(names: tuple[str, ...], level: str, n_layers: int) -> tuple[str, ...]:
    faults = []
    for name in names:
        needed = _level(name, n_layers)
        if needed is None and _level(name, DEEPEST) is not None:
            faults.append(f"objective={name}: allowed: layer0 to layer{n_layers - 1}, as many as the width has")
        elif needed is None:
            faults.append(_unknown_message(name, _levels()))
        elif LEVELS.index(needed) > LEVELS.index(level):
            faults.append(f"objective={name}: stats={level} does not compute it; add stats={needed}")
    return tuple(faults)


def _level(name: str, n_layers: int) -> str | None:
    """The level of stats that a statistic needs; None if no run of this depth has it."""
    layer, _, column = name.removeprefix("layer").partition("_")
    if name.startswith("layer") and column in LAYER_COLUMNS and layer.isdecimal() and str(int(layer[:9])) == layer:
        return _layer_levels().get(column, "basic") if int(layer) < n_layers else None
    return _levels().get(name)


@functools.cache
def _levels() -> dict[str, str]:
    """The levels of the verdicts' numbers and of the network's statistics, by name."""
    verdicts = {name: _needed(notes["number"]) for name, notes in verdict_notes().items()}
    network = {name: level for name, level in _columns(NETWORK).items() if name not in LISTS}
    return {**verdicts, "non_finite": "none", **network}


@functools.cache
def _layer_levels() -> dict[str, str]:
    return _columns(LAYER)


def _columns(glossary: Mapping[str, str]) -> dict[str, str]:
    """The levels of the statistics in a part of the glossary, by their columns; a row may be "gradient.coef, bias"."""
    levels = {}
    for row, text in glossary.items():
        section, _, names = row.rpartition(".")
        for name in names.replace(",", "").split():
            levels[f"{section}.{name}".lstrip(".").replace(".", "_")] = _needed(text)
    return levels


def _needed(text: str) -> str:
    return "full" if text.endswith(FULL_MARKS) else "basic"


def _unknown_message(name: str, known: Mapping[str, str]) -> str:
    return (
        f"objective={shorten(name)}: no statistic; allowed: {', '.join(verdict_notes())}, or another number in"
        f" sweep.csv, such as propagation_signal or layer0_output_std{nearest(name, known)}"
    )


def objective_of(statistics: Mapping[str, float | None], names: Sequence[str]) -> float | tuple[float, ...]:
    """The values of statistics: a number for one name, a tuple for several.

    Args:
        statistics: of a run, as returned by `table.select_statistics`.

    Raises:
        ConfigError: the run has no such statistic.
        NonFiniteError: a statistic has no value in this run.
    """
    values = []
    for name in names:
        if name not in statistics:
            raise ConfigError(
                [f"objective={name}: no such statistic of this run; allowed: a number in sweep.csv"
                 f"{nearest(name, statistics)}"]
            )  # fmt: skip
        if (value := statistics[name]) is None:
            raise NonFiniteError(f"objective={name}: has no value in this run; all was saved")
        values.append(value)
    return values[0] if len(values) == 1 else tuple(values)
