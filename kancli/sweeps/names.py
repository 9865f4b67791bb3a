"""Names for runs, from the overrides that differ between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kancli.config.nested import flatten


@dataclass(frozen=True)
class NamedBy:
    """What a run is named by: its folder's name, the overrides as typed, and its config."""

    folder: str
    overrides: Mapping[str, str]
    config: Mapping[str, Any]


def run_names(runs: Sequence[NamedBy]) -> list[str]:
    """Name each run by its `differing_overrides`; if that is not unique, the folder goes first."""
    overrides = differing_overrides([run.overrides for run in runs], [run.config for run in runs])
    names = [" ".join(f"{key}={value}" for key, value in typed.items()) for typed in overrides]
    unique = len(set(names)) == len(names) and "" not in names
    return names if unique else [f"{run.folder} {name}".strip() for run, name in zip(runs, names, strict=True)]


def differing_overrides(
    overrides: Sequence[Mapping[str, str]], configs: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """The overrides of each run that not all runs share, without those of keys whose values are the same in all.

    A rerun has an override for every key of its config, and another run may have typed the same value otherwise.

    Args:
        configs: of the runs that have one; without any, all overrides count.
    """
    if not overrides:
        return []
    flat = [{key: repr(value) for key, value in flatten(config)} for config in configs]
    keys = {key for config in flat for key in config}
    equal = {key for key in keys if len({config.get(key) for config in flat}) == 1}
    shared = set.intersection(*(set(typed.items()) for typed in overrides))
    return [
        {key: value for key, value in typed.items() if (key, value) not in shared and not _sets_only(key, equal, keys)}
        for typed in overrides
    ]


def keys_of_differing_overrides(
    overrides: Sequence[Mapping[str, str]], configs: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The keys of all `differing_overrides`."""
    return list(dict.fromkeys(key for typed in differing_overrides(overrides, configs) for key in typed))


def _sets_only(key: str, equal: set[str], keys: set[str]) -> bool:
    """Whether an override sets some keys, and only such as are equal: itself, those of its group, or a knob's."""
    named = {full for full in keys if full == key or full.startswith(f"{key}.") or full.endswith(f".{key}")}
    return bool(named) and named <= equal
