"""`kan-run rerun`: the words that make a run from its record, whatever has become of the presets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kancli.config.overrides import SELECTORS, flatten, literal, parse, resolve
from kancli.config.presets import Presets
from kancli.errors import ConfigError
from kancli.inits.plugins import TARGET
from kancli.runs.files import read_json


def words_of(typed: Sequence[str], presets: Presets) -> list[str]:
    """The command line of a run like one that was recorded.

    Args:
        typed: the run's folder first, then what is to be otherwise; options of kan-run may stand among them.

    Raises:
        ConfigError: no folder is named, its record is damaged, or its scheme can only be had by its preset.
    """
    words = [word for word in typed if not word.startswith("-")]
    if not words or ("=" in words[0] and not Path(words[0]).is_dir()):
        raise ConfigError(["rerun: name the folder of a run: kan-run rerun RUN [KEY=VALUE ...]"])
    folder = Path(words[0])
    config = read_json(folder / "run.json").get("config")
    if not isinstance(config, Mapping):
        raise ConfigError([f"{folder}/run.json: damaged: it has no config"])
    replaced = set(_replaced([word for word in words[1:] if "=" in word], presets))
    given = [f"{key}={literal(value)}" for key, value in _ordered(config) if not _covered(key, replaced)]
    if any(word.startswith(f"init.{TARGET}=") for word in given):
        raise ConfigError(
            [f"{folder}: its scheme is not kancli's own; name its preset too: init=NAME --config-dir DIR"]
        )
    rest = list(typed)
    rest.remove(words[0])
    return [*given, *rest]


def _ordered(config: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """All keys, those first that choose what further keys there are."""
    entries = list(flatten(config, ""))
    return [entry for entry in entries if entry[0] in SELECTORS] + [
        entry for entry in entries if entry[0] not in SELECTORS
    ]


def _replaced(typed: Sequence[str], presets: Presets) -> Iterator[str]:
    """The keys, or the sections, that what is typed has its own values for."""
    resolved = resolve(parse(typed), presets, sweeping=True)
    yield from (key for key, _ in resolved.values)
    for group, option in resolved.choices.items():
        preset = presets.load(group, option)
        yield from (path for path, _ in flatten(preset.body, "" if preset.package == "_global_" else group))
        if f"{group}.scheme" in SELECTORS or f"{group}.kind" in SELECTORS:
            yield f"{group}."


def _covered(key: str, replaced: set[str]) -> bool:
    return key in replaced or f"{key.partition('.')[0]}." in replaced
