"""Hydra's own keys that kan-run treats in another way than Hydra: refused, or without effect and answered so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kancli.config.nested import SWEEP_PARAMS, flatten
from kancli.spelling import shorten, show

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

# Keys without effect: the values that ask for nothing, and the reason.
WITHOUT_EFFECT: dict[str, tuple[tuple[Any, ...], str]] = {
    "hydra.output_subdir": ((".hydra",), "kan-run writes .hydra itself"),
    "hydra.job.chdir": ((False, None), "paths are relative to the folder of the call"),
    "hydra.verbose": ((False, None), "run.log holds the log of a run"),
}
FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")
SEARCH_PATH = "hydra.searchpath"


def typed_values(parsed: Sequence[Override]) -> list[tuple[str, Any]]:
    """The typed values of Hydra's keys, by dotted path."""
    values: list[tuple[str, Any]] = []
    for override in parsed:
        if override.is_hydra_override() and not (override.is_sweep_override() or override.is_delete()):
            value = override.value()
            key = override.key_or_group
            values += flatten(value, key) if isinstance(value, Mapping) and key != SWEEP_PARAMS else [(key, value)]
    return values


def find_faults(values: Sequence[tuple[str, Any]], typed: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """The faults of Hydra's keys.

    Args:
        values: those of an experiment.
        typed: those of the command line.
    """
    for key, value in [*values, *typed]:
        if key in FOLDERS and (value is None or os.path.normpath(str(value)) == "."):
            yield f"{key}={show(value)}: is the current folder; name another, such as {key}=here, or leave it out"
        elif key in FOLDERS and "\0" in str(value):
            yield f"{key}={show(str(value).replace(chr(0), ' '))}: holds a NUL character; leave it out"
    for key, params in values:
        if key == SWEEP_PARAMS and isinstance(params, Mapping):
            for name, value in params.items():
                if not isinstance(value, (str, int, float)):
                    yield f"{key}.{name}={show(value)}: allowed: text, such as {name}: 1,2"
        elif key.startswith(SWEEP_PARAMS) and params is not None:
            yield f"{key}={show(params)}: allowed: lines KEY: VALUES below it, such as seed: 1,2"
    for key, value in typed:
        if key.startswith(SWEEP_PARAMS):
            name = key.removeprefix(f"{SWEEP_PARAMS}.") if key != SWEEP_PARAMS else "KEY"
            words = show(value) if key != SWEEP_PARAMS and isinstance(value, (str, int, float)) else "1,2"
            yield f"{key}={show(value)}: is for the files of experiments; type {name}={words} with -m"


def find_unsearched(typed: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """For the message about a missing preset: the folders that the user named, which hold none."""
    for key, value in typed:
        if key == SEARCH_PATH and value:
            folder = str(value[0] if isinstance(value, list) else value).removeprefix("file://")
            yield f"{key}={show(value)}: presets are not looked for there; type --config-dir {shorten(folder)}"


def find_ineffective(values: Sequence[tuple[str, Any]], *, sweeping: bool) -> Iterator[str]:
    """A warning for each key that has no effect.

    Args:
        values: those of an experiment and of the command line.
        sweeping: whether -m is given.
    """
    for key, value in dict(values).items():
        if key in WITHOUT_EFFECT and value not in WITHOUT_EFFECT[key][0]:
            yield f"{key}={show(value)}: has no effect: {WITHOUT_EFFECT[key][1]}"
        elif key == "hydra.mode" and value is not None and (value == "MULTIRUN") is not sweeping:
            yield f"{key}={show(value)}: has no effect: {'-m is given' if sweeping else 'for a sweep add -m'}"
