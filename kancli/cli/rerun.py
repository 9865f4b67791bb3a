"""`kan-run rerun`: repeat a recorded run, from its record alone; later edits of presets do not matter."""

from __future__ import annotations

import argparse
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kancli.cli import run as plain_run
from kancli.cli.arguments import epilog
from kancli.config.checkpoint import DECIDED
from kancli.config.grammar import literal, parse
from kancli.config.nested import flatten
from kancli.config.overrides import SELECTORS, resolve
from kancli.config.presets import Presets
from kancli.config.recorded import check_config, with_legal_bounds
from kancli.errors import ConfigError
from kancli.inits.plugins import TARGET
from kancli.runs.input_file import locate
from kancli.runs.reader import read_run

ALIASES = plain_run.ALIASES

log = logging.getLogger("kancli")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run rerun RUN [KEY=VALUE ...] [-m] [--dry-run] [--cfg job]"
    parser.description = (
        "Repeat a run as it was recorded, or with other values. The config comes from the run's\n"
        "run.json; presets that were edited since do not change it."
    )
    parser.add_argument("words", nargs="*", metavar="RUN", help="the folder of a run; KEY=VALUE replaces a value")
    plain_run.add_options(parser)
    parser.epilog = epilog(
        {
            "kan-run rerun outputs/DATE/TIME-ID": "the same run again, in a fresh folder",
            "kan-run rerun outputs/DATE/TIME-ID seed=1": "with another seed",
            "kan-run rerun RUN -m seed='range(9)'": "with nine seeds, as a sweep",
        },
        plain_run.EXIT_CODES,
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    args.overrides = overrides_of(args.words, presets)
    return plain_run.run(args, presets)


def overrides_of(words: Sequence[str], presets: Presets) -> list[str]:
    """The overrides of a run like a recorded one.

    Args:
        words: the run's folder, then the overrides that replace recorded values.

    Raises:
        ConfigError: no folder is named, its record is damaged or holds more than values of a run's keys, or its
            scheme is only available as a preset.
    """
    if not words or ("=" in words[0] and not Path(words[0]).is_dir()):
        raise ConfigError(["rerun: name the folder of a run: kan-run rerun RUN [KEY=VALUE ...]"])
    folder, overrides = Path(words[0]), words[1:]
    record = read_run(folder).record
    config = locate(record.config, record.input_files, folder)
    config.pop("overwrite", None)  # holds for the folder that was named then
    check_config(config, folder / "run.json")
    config, refused = with_legal_bounds(config)
    if refused:
        log.warning("%s: %s: used instead", folder, "; ".join(refused.values()))
    replaced = set(_replaced([word for word in overrides if "=" in word], presets))
    if "model.path" in replaced:  # another file's model, which has sizes of its own
        replaced.update(DECIDED)
    recorded = [f"{key}={literal(value)}" for key, value in _ordered(config) if not _is_replaced(key, replaced)]
    if any(word.startswith(f"init.{TARGET}=") for word in recorded):
        raise ConfigError(
            [f"{folder}: its scheme is not kancli's own; name its preset too: init=NAME --config-dir DIR"]
        )
    return [*recorded, *overrides]


def _ordered(config: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """All keys; first those that decide which other keys exist."""
    return sorted(flatten(config), key=lambda entry: entry[0] not in SELECTORS)


def _replaced(typed: Sequence[str], presets: Presets) -> Iterator[str]:
    """The keys, or whole sections (`init.`), that the typed overrides replace."""
    resolved = resolve(parse(list(_values(typed, presets))), presets, sweeping=True)
    yield from (key for key, _ in resolved.values)
    for group, option in resolved.choices.items():
        preset = presets.load(group, option)
        yield from (path for path, _ in flatten(preset.body, "" if preset.package == "_global_" else group))
        if f"{group}.scheme" in SELECTORS or f"{group}.kind" in SELECTORS:
            yield f"{group}."


def _values(typed: Sequence[str], presets: Presets) -> Iterator[str]:
    """The overrides, and in place of one with several values one for each: presets replace whole sections. Of a key
    that is no group the first is enough."""
    for override in parse(typed, presets):
        if not override.is_discrete_sweep():
            yield override.input_line or ""
            continue
        n_values = None if override.key_or_group in presets.groups() else 1
        for value in itertools.islice(override.sweep_string_iterator(), n_values):
            yield f"{override.key_or_group}={value}"


def _is_replaced(key: str, replaced: set[str]) -> bool:
    section = key.partition(".")[0]
    return key in replaced or section in replaced or f"{section}." in replaced
