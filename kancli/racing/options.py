"""The keys below `race`. Does not import numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kancli.config.grammar import parse
from kancli.errors import ConfigError
from kancli.schema import Integer, Real, key, keys, read
from kancli.synonyms import nearest

PREFIX = "race."


@dataclass(frozen=True)
class RaceOptions:
    """How long a race may take, and what it decides by."""

    minutes: float = key(5.0, Real(0, 1e6, low_open=True), "time for all rounds; fewer steps where it is short")
    seeds: int = key(8, Integer(2, 1000), "most seeds in the final, none of which was used before")
    validation: float = key(0.2, Real(0.01, 0.9), "share of the training rows that select and do not train")
    rope: float = key(1.1, Real(1, 1e6), "ratios between 1/rope and rope make no difference that matters")


def split_options(words: Sequence[str]) -> tuple[RaceOptions, list[str]]:
    """The options that words such as `race.minutes=10` set, and the other words.

    Raises:
        ConfigError: a word names no such key, or a value is not legal.
    """
    own = [word for word in words if word.startswith(PREFIX)]
    faults, given = [], {}
    for override in parse(own):
        name, line = override.key_or_group.removeprefix(PREFIX), override.input_line
        if name not in keys(RaceOptions):
            allowed = [f"{PREFIX}{name}" for name in keys(RaceOptions)]
            faults.append(f"{line}: allowed: {', '.join(allowed)}{nearest(f'{PREFIX}{name}', allowed)}")
        elif override.is_sweep_override():
            faults.append(f"{line}: is the same for the whole race; give one value")
        else:
            given[name] = override.value()
    options = read(RaceOptions, given, PREFIX, faults)
    if options is None or faults:
        raise ConfigError(faults)
    return options, [word for word in words if word not in own]
