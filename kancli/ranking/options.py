"""The keys below `rank`, and the metrics that a ranking compares. Does not import numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kancli.errors import ConfigError
from kancli.schema import Choice, Optional, Real, Text, Truth, key, keys, read
from kancli.synonyms import nearest

# The numbers of a training by their columns in sweep.csv, and what they are called; less is better for all of them.
METRICS = {
    "train_loss": "training loss",
    "test_loss": "test loss",
    "rel_l2": "relative L2 error",
    "steps_to_tenth": "steps to a tenth of the first loss",
    "steps_to_hundredth": "steps to a hundredth of the first loss",
    "steps_to_thousandth": "steps to a thousandth of the first loss",
    "seconds": "seconds of a run",
}
STEPS = tuple(name for name in METRICS if name.startswith("steps"))
HELD_OUT_FIRST = ("test_loss", "rel_l2", "train_loss")


@dataclass(frozen=True)
class RankOptions:
    """How a ranking is made, and which of its metrics is shown."""

    baseline: str | None = key(
        None, Optional(Text()), "the scheme that ratios are to; null: baseline where it was run, else the first one"
    )
    metric: str | None = key(
        None,
        Optional(Choice(tuple(METRICS))),
        "shown in table, figure and sentence; null: test_loss, or rel_l2 or train_loss where a task lacks it",
    )
    search: str | None = key(
        None,
        Optional(Text("the name of a scheme, or none")),
        "the scheme whose swept knobs are a search, one row; none: a row for each value of them; null: as study.search"
        " of the sweep",
    )
    published: bool | None = key(
        None, Optional(Truth()), "the medians beside the published ones; null: as study.published of the sweep"
    )
    rope: float = key(1.1, Real(1, 1e6), "ratios between 1/rope and rope make no difference that matters")


def parse_options(words: Sequence[str]) -> RankOptions:
    """The options that words such as `rank.rope=1.2` set.

    Raises:
        ConfigError: a word is of another key, or a value is not legal.
    """
    faults, given = [], {}
    for word in words:
        path, _, text = word.partition("=")
        name = path.removeprefix("rank.")
        if name == path or name not in keys(RankOptions):
            allowed = [f"rank.{name}" for name in keys(RankOptions)]
            faults.append(f"{word}: allowed: {', '.join(f'{name}=' for name in allowed)}{nearest(path, allowed)}")
        else:
            given[name] = _value(name, text)
    options = read(RankOptions, given, "rank.", faults)
    if options is None or faults:
        raise ConfigError(faults)
    return options


def _value(name: str, text: str) -> float | str | bool | None:
    """The value that a text spells; the text where it spells none."""
    if name == "rope":
        try:
            return float(text)
        except ValueError:
            return text
    words = {"null": None} | ({"true": True, "false": False} if name == "published" else {})
    return words.get(text.lower(), text)
