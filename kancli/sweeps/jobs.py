"""Jobs: compose and check the config of every job before the first one runs. Torch is not loaded."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kancli.config.compose import ComposedConfig, compose_resolved, validate_composed
from kancli.config.grammar import parse
from kancli.config.identity import config_of
from kancli.config.overrides import resolve
from kancli.config.shorthands import SHORTHANDS
from kancli.errors import ConfigError
from kancli.seeding import MAX_SEED
from kancli.spelling import spell
from kancli.sweeps.knobs import Knobs, all_knobs, drop_foreign_knobs, open_keys, read_knobs
from kancli.sweeps.objective import objective_faults

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from kancli.config.presets import Presets
    from kancli.config.settings import Settings
    from kancli.sweeps.product import Product

MAX_FAULTS = 10  # reported of one sweep
HydraComposition = Callable[[list[str], int], tuple[dict[str, Any], bool]]
INIT_OF_MLP = "init has no effect on an MLP: jobs that differ only in init run once"
JOB_NUMBER = re.compile(r"\$\\?\{hydra(\\?:|\.)job\.(num|id)\\?\}")  # Hydra escapes the values of a sweep
PLAIN_SEED = re.compile(r"seed=(0|[1-9]\d*)")


@dataclass(frozen=True)
class ComposedJob:
    """One job of a sweep."""

    words: list[str]  # the overrides that make it a single run
    config: dict[str, Any]  # composed, of plain values
    choices: dict[str, Any]  # the option of each group
    settings: Settings

    def fingerprint(self) -> str:
        """Key under which two jobs count as duplicates: those of an MLP where they differ by init alone."""
        config = config_of(self.settings)
        if not self.settings.model.is_kan:
            del config["init"]
        return json.dumps(config, sort_keys=True)


@dataclass(frozen=True)
class Expansion:
    """The jobs of a sweep."""

    swept: dict[str, list[str]]  # the values of each swept key, as typed
    jobs: list[ComposedJob]
    dropped: int  # duplicates
    notices: list[str]


def expand(product: Product, presets: Presets, compose: HydraComposition) -> Expansion:
    """Compose and check the jobs of a sweep. Knobs that a job's scheme lacks are left out, and duplicates dropped.

    Args:
        compose: as for `Composer`.

    Raises:
        ConfigError: with the faults of all jobs.
    """
    composer = Composer(presets, compose)
    words, notices = drop_foreign_knobs(product.words, composer.knobs, product.by_experiment & all_knobs())
    unique: dict[str, ComposedJob] = {}
    for fingerprint, job in _compose_all(_distinct(words, product.words), composer):
        if unique.setdefault(fingerprint, job).settings.init != job.settings.init and INIT_OF_MLP not in notices:
            notices.append(INIT_OF_MLP)
    return Expansion(product.swept, list(unique.values()), len(product.words) - len(unique), notices)


def _distinct(words: Sequence[list[str]], typed: Sequence[list[str]]) -> list[list[str]]:
    """The words of jobs, without jobs that differ from an earlier one only in knobs that their scheme lacks.

    Jobs that are typed twice stay: a value may depend on the number of the job.
    """
    first: dict[tuple[str, ...], list[str]] = {}
    return [job for job, own in zip(words, typed, strict=True) if first.setdefault(tuple(job), own) == own]


def compose_jobs(
    words: Sequence[Sequence[str]], composer: Composer, known: Iterable[str]
) -> tuple[list[tuple[str, ComposedJob]], list[str]]:
    """Compose and check jobs that a sweeper chose.

    Args:
        words: the overrides of each job. Knobs that its scheme lacks are left out.
        known: the fingerprints of the jobs before.

    Returns:
        The jobs by fingerprint, and a notice for each knob that was left out.

    Raises:
        ConfigError: with the faults of all jobs.
    """
    words, notices = drop_foreign_knobs(words, composer.knobs, all_knobs())
    return _compose_all(words, composer, known), notices


def _compose_all(
    words: Sequence[list[str]], composer: Composer, known: Iterable[str] = ()
) -> list[tuple[str, ComposedJob]]:
    """Compose jobs, each with its fingerprint. One that is not known yet has the next number of the sweep."""
    jobs, faults, seen = [], dict[str, None](), set(known)
    for overrides in words:
        job, job_faults = composer.job(overrides, len(seen))
        faults.update(dict.fromkeys(job_faults))
        if job is not None:
            fingerprint = job.fingerprint()
            seen.add(fingerprint)
            jobs.append((fingerprint, job))
    if faults:
        rest = [f"... and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        raise ConfigError([*list(faults)[:MAX_FAULTS], *rest])
    return jobs


class Composer:
    """Composes and checks jobs one by one. Those that differ by their seed alone are composed and checked once.

    Args:
        compose: Hydra's composition of a job's words and number, for presets that use more of Hydra than
            `compose.compose` supports; and whether it depends on the number.
    """

    def __init__(self, presets: Presets, compose: HydraComposition) -> None:
        self.presets, self.compose = presets, compose
        self._parsed: dict[str, Override] = {}
        self._knobs: dict[tuple[str, ...], list[Knobs]] = {}
        self._drafts: dict[tuple[str, ...], ComposedConfig] = {}  # composed for `knobs`, and not yet used by `job`
        self._jobs: dict[tuple[str, ...], tuple[ComposedJob | None, list[str]]] = {}

    def knobs(self, words: Sequence[str]) -> list[Knobs]:
        """The knobs of a job."""
        key = tuple(_split_seed(words)[0])
        if key not in self._knobs:
            self._drafts[key] = self._compose(key)
            self._knobs[key] = list(read_knobs(self._drafts[key].config))
        return self._knobs[key]

    def job(self, words: list[str], number: int) -> tuple[ComposedJob | None, list[str]]:
        """The job with these overrides, or None and its faults.

        Args:
            number: of the job; it replaces ${hydra:job.num} in the words, so that they make a single run too.
        """
        words = [JOB_NUMBER.sub(str(number), word) for word in words]
        rest, seed = _split_seed(words)
        if seed is None:
            return self._job(words, words, number)[0]
        key = tuple(rest)
        if key in self._jobs:
            first, faults = self._jobs[key]
        else:
            (first, faults), is_numbered = self._job(rest, words, number)
            if not is_numbered:
                self._jobs[key] = first, faults
        if first is None:
            return None, faults
        if not 0 <= seed <= MAX_SEED - first.settings.n_seeds + 1:
            return self._job(words, words, number)[0]
        config, settings = {**first.config, "seed": seed}, dataclasses.replace(first.settings, seed=seed)
        return ComposedJob(words, config, first.choices, settings), []

    def _job(
        self, words: list[str], typed: Sequence[str], number: int
    ) -> tuple[tuple[ComposedJob | None, list[str]], bool]:
        """Compose a job from words, which may lack the seed in the typed ones. Returns the job or its faults, and
        whether it depends on its number."""
        composed = self._drafts.pop(tuple(words), None) or self._compose(words)
        if swept := open_keys(composed, typed):
            fault = f"{' '.join(typed)}: this experiment is a sweep over {swept[0]} itself; give it alone"
            return (None, [fault]), False
        try:
            config, is_numbered = (composed.config, False) if composed.plain else self.compose(words, number)
            settings = composed.settings if composed.plain else validate_composed(config, composed.resolved)
        except ConfigError as error:
            return (None, error.faults), False
        if faults := objective_faults(settings):
            return (None, faults), is_numbered
        return (ComposedJob(words, config, _choices(composed, self.presets), settings), []), is_numbered

    def _compose(self, words: Sequence[str]) -> ComposedConfig:
        for word in words:
            if word not in self._parsed:
                (self._parsed[word],) = parse([word])
        return compose_resolved(resolve([self._parsed[word] for word in words], self.presets), self.presets)


def _split_seed(words: Sequence[str]) -> tuple[list[str], int | None]:
    """The words without the seed, and the seed. None for a seed that is missing, repeated or not a plain number."""
    seeds = [word for word in words if word.startswith("seed=")]
    if len(seeds) != 1 or not PLAIN_SEED.fullmatch(seeds[0]):
        return list(words), None
    return [word for word in words if word is not seeds[0]], int(seeds[0].removeprefix("seed="))


def _choices(composed: ComposedConfig, presets: Presets) -> dict[str, Any]:
    """The option of each group, or the value given in its place."""
    choices: dict[str, Any] = {**presets.defaults(), **composed.resolved.choices}
    for group, shorthands in SHORTHANDS.items():
        own_keys = {shorthand.key for shorthand in shorthands}
        values = [value for key, value in composed.resolved.values if key in own_keys]
        if values:
            choices[group] = spell(values[-1])
    return choices
