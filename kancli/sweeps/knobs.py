"""Knobs of schemes and samplers: a sweep may set one that only some of its schemes have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kancli.config.catalogue import VARIANTS
from kancli.inits.plugins import TARGET, NoSchemeError, scheme_at
from kancli.schema import keys

if TYPE_CHECKING:
    from kancli.config.compose import ComposedConfig


@dataclass(frozen=True)
class Knobs:
    """The knobs of one section, such as `init`."""

    chosen: str  # the scheme or sampler
    existing: set[str]  # that it has
    given: set[str]  # that the config sets


def read_knobs(config: Mapping[str, Any]) -> Iterator[Knobs]:
    """The knobs of each section of a composed config whose keys depend on the chosen scheme or sampler."""
    for section, (selector, table) in VARIANTS.items():
        body = config.get(section)
        if not isinstance(body, Mapping):
            continue
        chosen = body.get(TARGET, body.get(selector))
        try:
            variant = scheme_at(chosen) if TARGET in body else table.get(str(chosen))
        except NoSchemeError:
            continue
        if variant is not None:
            existing, given = ({f"{section}.{name}" for name in names} for names in (keys(variant), body))
            yield Knobs(str(chosen), existing, given - {f"{section}.{selector}", f"{section}.{TARGET}"})


@functools.cache
def all_knobs() -> set[str]:
    """The knobs of all built-in schemes and samplers."""
    return {
        f"{section}.{name}"
        for section, (_, table) in VARIANTS.items()
        for variant in table.values()
        for name in keys(variant)
    }


def open_keys(composed: ComposedConfig, words: Sequence[str]) -> list[str]:
    """The keys that an experiment sweeps over and that no word sets, without knobs that the config's scheme lacks."""
    swept = composed.resolved.swept_by_experiment
    if not swept:
        return []
    typed = {word.partition("=")[0].lstrip("+") for word in words}
    lacking = all_knobs().difference(*(section.existing for section in read_knobs(composed.config)))
    return [key for key in swept if key not in typed and not {key, f"init.{key}"} & lacking]


def drop_foreign_knobs(
    jobs: Sequence[Sequence[str]], knobs_of: Callable[[Sequence[str]], Sequence[Knobs]], known: Set[str] = frozenset()
) -> tuple[list[list[str]], list[str]]:
    """Drop overrides of knobs from jobs whose scheme or sampler lacks them, if that of another job has them.

    Args:
        jobs: the overrides of each job.
        knobs_of: the knobs of a job.
        known: knobs that are dropped even if no other job has them.

    Returns:
        The remaining overrides of each job, and a notice for each dropped knob.
    """
    setters: dict[str, list[int]] = {}  # jobs that set a knob in vain
    lacking: dict[str, dict[str, None]] = {}  # schemes without the knob, in order
    for number, words in enumerate(jobs):
        for section in knobs_of(words):
            known = known | (section.given & section.existing)
            for knob in sorted(section.given - section.existing):
                setters.setdefault(knob, []).append(number)
                lacking.setdefault(knob, {})[section.chosen] = None
    remaining, notices = [list(words) for words in jobs], []
    for knob, numbers in setters.items():
        if knob not in known:
            continue  # a mistake, which validation reports
        names = {knob, knob.removeprefix("init.")}
        for number in numbers:
            remaining[number] = [word for word in remaining[number] if word.partition("=")[0].lstrip("+") not in names]
        verb = "has" if len(lacking[knob]) == 1 else "have"
        notices.append(f"{min(names, key=len)}: {', '.join(lacking[knob])} {verb} no such knob; left out there")
    return remaining, notices
