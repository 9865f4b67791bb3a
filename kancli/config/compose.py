"""Compose the job's config from presets and overrides, as Hydra does, but in plain dicts and milliseconds.

Mistakes and shell completion are answered from this composition. Runs use Hydra's own (`hydra`). If a file uses
interpolations or nested defaults lists, `ComposedConfig.plain` is False and only Hydra's composition is valid.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, MutableMapping, Sequence
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
    """A config composed without Hydra."""

    config: dict[str, Any]
    resolved: ResolvedOverrides
    plain: bool  # whether Hydra composes the same config

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
        ConfigError: an override cannot be parsed, or a preset file cannot be read.
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
    """Replace `figures.names: all` by the list of names, for the record of the run."""
    figures = config.get("figures")
    if isinstance(figures, MutableMapping) and figures.get("names") == ALL:
        figures["names"] = list(NAMES)


def validate_composed(config: Mapping[str, Any], resolved: ResolvedOverrides) -> Settings:
    """Validate a config composed from `resolved`.

    Raises:
        ConfigError: with all faults of the overrides and of the values.
    """
    try:
        settings = settings_of(config, resolved.typed_keys)
    except ConfigError as error:
        raise ConfigError(resolved.faults + error.faults) from None
    if resolved.faults:
        raise ConfigError(resolved.faults)
    return settings


def settings_of(config: Mapping[str, Any], typed: Collection[str] = ()) -> Settings:
    """Validate a composed config of plain values.

    Args:
        typed: as for `validate`.

    Raises:
        ConfigError: with all faults.
    """
    return validate(without_missing(config), typed)
