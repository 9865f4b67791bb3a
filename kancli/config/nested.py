"""Nested sections of plain values: their dotted paths, and how they are merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MISSING = "???"  # OmegaConf's mark for a mandatory value
SWEEP_PARAMS = "hydra.sweeper.params"  # maps keys to the values of a sweep


def flatten(config: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested sections by dotted path. The parameters of Hydra's sweeper count as one value."""
    for name, value in config.items():
        path = f"{prefix}.{name}" if prefix else str(name)
        if isinstance(value, Mapping) and value and path != SWEEP_PARAMS:
            yield from flatten(value, path)
        else:
            yield path, value


def merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    """Merge `source` into `target` in place: mappings key by key; any other value is replaced."""
    for name, value in source.items():
        if isinstance(value, Mapping):
            if not isinstance(target.get(name), dict):
                target[name] = {}
            merge(target[name], value)
        else:
            target[name] = value


def put(config: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path in place, creating missing sections."""
    *sections, name = path.split(".")
    for section in sections:
        if not isinstance(config.get(section), dict):
            config[section] = {}
        config = config[section]
    merge(config, {name: value})


def without_missing(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the config without its mandatory values that are still missing."""
    return {
        name: without_missing(value) if isinstance(value, Mapping) else value
        for name, value in config.items()
        if value != MISSING
    }
