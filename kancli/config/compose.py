"""Composition of the job's config from presets and overrides, as Hydra does it, but in plain dicts and milliseconds.

It serves to answer a mistake, or the shell's completion, at once. What a run is made from is Hydra's own composition
(`hydra`), and where a file uses more of Hydra than presets need (interpolations, nested defaults lists),
`Draft.plain` is False and only Hydra's word counts.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from kancli.config.nested import merge, put, without_missing
from kancli.config.overrides import ResolvedOverrides, parse_and_resolve
from kancli.config.presets import Presets
from kancli.config.settings import Settings
from kancli.config.validation import validate
from kancli.errors import ConfigError
from kancli.figures.options import NAMES
from kancli.schema import ALL

CONFIG_NAME = "config"


@dataclass(frozen=True)
class ComposedConfig:
    """A config as far as plain files and overrides make it."""

    config: dict[str, Any]
    resolved: ResolvedOverrides
    plain: bool  # whether Hydra's composition gives the same config

    @functools.cached_property
    def settings(self) -> Settings:
        """The settings of this config, validated at the first access.

        Raises:
            ConfigError: with all faults of the overrides and of the values.
        """
        return validate_composed(self.config, self.resolved)


def compose(typed: Sequence[str], presets: Presets) -> ComposedConfig:
    """Compose the job's config for the overrides of one run.

    Raises:
        ConfigError: an override or a preset file cannot be read.
    """
    return compose_resolved(parse_and_resolve(typed, presets), presets)


def compose_resolved(resolved: ResolvedOverrides, presets: Presets) -> ComposedConfig:
    """Compose the job's config from resolved overrides.

    Raises:
        ConfigError: a preset file cannot be read.
    """
    primary = presets.load("", CONFIG_NAME)
    config: dict[str, Any] = {}
    plain = not resolved.hydra or all(text.startswith("hydra") for text in resolved.hydra)
    for entry in primary.defaults:
        if entry == "_self_":
            merge(config, {name: value for name, value in primary.body.items() if name != "hydra"})
            continue
        ((group, option),) = entry.items()
        option = resolved.choices.get(group, option)
        if group.startswith("override ") or option is None:
            continue
        preset = presets.load(group, option)
        plain &= not preset.defaults and preset.package in (None, "_global_", "_group_", group)
        merge(config, preset.body if preset.package == "_global_" else {group: preset.body})
    for key, value in resolved.values:
        if key.split(".")[0] != "hydra":
            put(config, key, value)
    expand_figures(config)
    return ComposedConfig(config, resolved, plain and "${" not in repr(config))


def expand_figures(config: MutableMapping[str, Any]) -> None:
    """Replace `figures.names: all` by the names, so that the record of a run holds them."""
    figures = config.get("figures")
    if isinstance(figures, MutableMapping) and figures.get("names") == ALL:
        figures["names"] = list(NAMES)


def validate_composed(config: Mapping[str, Any], resolved: ResolvedOverrides) -> Settings:
    """Validate the config that was composed from some overrides.

    Raises:
        ConfigError: with all faults of the overrides and of the values.
    """
    try:
        settings = settings_of(config)
    except ConfigError as error:
        raise ConfigError(resolved.faults + error.faults) from None
    if resolved.faults:
        raise ConfigError(resolved.faults)
    return settings


def settings_of(config: Mapping[str, Any]) -> Settings:
    """Validate a composed config of plain values.

    Raises:
        ConfigError: with all faults.
    """
    return validate(without_missing(config))
