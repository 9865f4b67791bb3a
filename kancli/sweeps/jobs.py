"""From the words of a sweep to its jobs, each composed and checked before the first one runs. No torch is loaded."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kancli.config.compose import ComposedConfig, compose_resolved, validate_composed
from kancli.config.identity import config_of
from kancli.config.overrides import SHORTHANDS, ResolvedOverrides, parse, resolve
from kancli.config.settings import MAX_SEED
from kancli.config.validation import VARIANTS
from kancli.errors import ConfigError
from kancli.inits.plugins import TARGET, NoSchemeError, scheme_at
from kancli.schema import keys, show

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from kancli.config.presets import Presets
    from kancli.config.settings import Settings

MAX_FAULTS = 10  # told of one sweep
NO_FIGURES = "figures=none"
PLAIN_SEED = re.compile(r"seed=(0|[1-9]\d*)")


@dataclass(frozen=True)
class Product:
    """The words of every job, and the values of each swept key as they are typed."""

    words: list[list[str]]
    swept: dict[str, list[str]]


@dataclass(frozen=True)
class Composed:
    """One job of a sweep."""

    words: list[str]  # that would make it alone
    config: dict[str, Any]  # composed, of plain values
    choices: dict[str, Any]  # the option of each group
    settings: Settings

    def fingerprint(self) -> str:
        """What tells it from all jobs that would leave something else."""
        return json.dumps(config_of(self.settings), sort_keys=True)


@dataclass(frozen=True)
class Expansion:
    """All jobs of a sweep, and what to say of them."""

    swept: dict[str, list[str]]  # the values of each key that has several, as they are typed
    jobs: list[Composed]
    dropped: int  # jobs that would repeat another one
    notices: list[str]


def expand(product: Product, presets: Presets, compose: Callable[[list[str]], dict[str, Any]]) -> Expansion:
    """The jobs of a sweep. A knob that is swept together with schemes of which some lack it is left out for those, and
    what then repeats another job is dropped.

    Args:
        compose: Hydra's composition of a job, for presets that use more of Hydra than `compose.compose` knows.

    Raises:
        ConfigError: with the faults of all jobs.
    """
    composer = Composer(presets, compose)
    fits, notices = _without_foreign_knobs(product.words, composer)
    jobs, seen = [], set[str]()
    for made in _checked(fits, composer):
        same = made.fingerprint()
        if same not in seen:
            seen.add(same)
            jobs.append(made)
    return Expansion(product.swept, jobs, len(product.words) - len(jobs), notices)


def jobs_of(words: Sequence[Sequence[str]], composer: Composer) -> tuple[list[Composed], list[str]]:
    """The jobs of words that a sweeper came upon, without the knobs that their schemes lack; and what to say of these.

    Raises:
        ConfigError: with the faults of all jobs.
    """
    variants = ((section, each) for section, (_, table) in VARIANTS.items() for each in table.values())
    known = {f"{section}.{name}" for section, variant in variants for name in keys(variant)}
    fits, notices = _without_foreign_knobs([list(each) for each in words], composer, known)
    return _checked(fits, composer), notices


def _checked(words: Sequence[list[str]], composer: Composer) -> list[Composed]:
    """The job of each.

    Raises:
        ConfigError: with the faults of all jobs.
    """
    jobs, faults = [], dict[str, None]()
    for each in words:
        made, wrong = composer.job(each)
        faults.update(dict.fromkeys(wrong))
        if made is not None:
            jobs.append(made)
    if faults:
        more = [f"... and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        raise ConfigError([*list(faults)[:MAX_FAULTS], *more])
    return jobs


def product_of(resolved: ResolvedOverrides, presets: Presets) -> Product:
    """All combinations of the values given, in Hydra's order: an experiment's swept keys first, then those typed; the
    last runs fastest. Figures are drawn where they are asked for.

    Raises:
        ConfigError: an override cannot be read or swept over.
    """
    from kancli.config.hydra import split_sweep

    overrides = overrides_of(resolved, presets)
    swept = {}
    for each in overrides:
        if not each.is_sweep_override():
            continue
        if not each.is_discrete_sweep():
            raise ConfigError(
                [
                    f"{each.input_line}: not a list of values; type {each.key_or_group}=1,2,3 or =range(3)"
                    ", or have a sweeper choose: hydra/sweeper=optuna"
                ]
            )
        if each.key_or_group.split(".")[0] == "sweep":
            raise ConfigError([f"{each.input_line}: is the same for the whole sweep; give one value"])
        swept[each.key_or_group] = [str(value) for value in each.sweep_string_iterator()]
    jobs = split_sweep(overrides)
    if not jobs:
        typed = " ".join(override.input_line or "" for override in resolved.parsed)
        raise ConfigError([f"{typed}: a sweep over nothing; give each key at least one value"])
    return Product(jobs, swept)


def overrides_of(resolved: ResolvedOverrides, presets: Presets) -> list[Override]:
    """What makes a sweep's jobs: an experiment's swept keys, what was typed, and figures=none where none is asked for.

    Raises:
        ConfigError: an override cannot be read or swept over.
    """
    if resolved.faults:
        raise ConfigError(resolved.faults)
    by_experiment = [f"{name}={values}" for name, values in resolved.swept_by_experiment.items()]
    given = [each for each in resolved.parsed if not each.is_hydra_override()]
    asks = any(each.key_or_group.split(".")[0] == "figures" for each in resolved.parsed) or "figures" in {
        *resolved.choices, *(key.split(".")[0] for key, _ in resolved.values), *resolved.swept_by_experiment
    }  # fmt: skip
    return [*parse(by_experiment, presets), *given, *parse([] if asks else [NO_FIGURES])]


class Composer:
    """Composes and checks job after job; what differs by its seed alone is composed and checked once."""

    def __init__(self, presets: Presets, compose: Callable[[list[str]], dict[str, Any]]) -> None:
        self.presets, self.compose = presets, compose
        self._parsed: dict[str, Override] = {}
        self._knobs: dict[tuple[str, ...], list[Knobs]] = {}
        self._drafts: dict[tuple[str, ...], ComposedConfig] = {}  # those that only `knobs` has needed yet
        self._jobs: dict[tuple[str, ...], tuple[Composed | None, list[str]]] = {}

    def knobs(self, words: Sequence[str]) -> list[Knobs]:
        """What the job's config says of each section whose keys depend on what is chosen there."""
        key = tuple(_without_seed(words)[0])
        if key not in self._knobs:
            self._drafts[key] = self._compose(key)
            self._knobs[key] = list(_knobs(self._drafts[key].config))
        return self._knobs[key]

    def job(self, words: list[str]) -> tuple[Composed | None, list[str]]:
        """The job, or its faults."""
        rest, seed = _without_seed(words)
        if seed is None:
            return self._job(words, words)
        key = tuple(rest)
        if key not in self._jobs:
            self._jobs[key] = self._job(rest, words)
        first, faults = self._jobs[key]
        if first is None:
            return None, faults
        if not 0 <= seed <= MAX_SEED - first.settings.n_seeds + 1:
            return self._job(words, words)
        config, settings = {**first.config, "seed": seed}, dataclasses.replace(first.settings, seed=seed)
        return Composed(words, config, first.choices, settings), []

    def _job(self, words: list[str], given: Sequence[str]) -> tuple[Composed | None, list[str]]:
        """The job of words, which may lack the seed that was given."""
        made = self._drafts.pop(tuple(words), None) or self._compose(words)
        for swept in made.resolved.swept_by_experiment:
            if not any(word.startswith(f"{swept}=") for word in given):
                return None, [f"{' '.join(given)}: this experiment is a sweep over {swept} itself; give it alone"]
        try:
            config = made.config if made.plain else self.compose(words)
            settings = made.settings if made.plain else validate_composed(config, made.resolved)
        except ConfigError as error:
            return None, error.faults
        return Composed(words, config, _choices(made, self.presets), settings), []

    def _compose(self, words: Sequence[str]) -> ComposedConfig:
        for word in words:
            if word not in self._parsed:
                (self._parsed[word],) = parse([word])
        return compose_resolved(resolve([self._parsed[word] for word in words], self.presets), self.presets)


def _without_seed(words: Sequence[str]) -> tuple[list[str], int | None]:
    """The words but for the one that gives a plain seed, if there is one; and the seed."""
    seeds = [word for word in words if word.startswith("seed=")]
    if len(seeds) != 1 or not PLAIN_SEED.fullmatch(seeds[0]):
        return list(words), None
    return [word for word in words if word is not seeds[0]], int(seeds[0].removeprefix("seed="))


def _choices(made: ComposedConfig, presets: Presets) -> dict[str, Any]:
    """The option of each group, or the value that was given in its place."""
    choices: dict[str, Any] = {**presets.defaults(), **made.resolved.choices}
    for group, literal in SHORTHANDS.items():
        given = [value for key, value in made.resolved.values if key == literal.key]
        if given:
            choices[group] = show(given[-1])
    return choices


def _without_foreign_knobs(
    jobs: list[list[str]], composer: Composer, known: Set[str] = frozenset()
) -> tuple[list[list[str]], list[str]]:
    """Leave knobs out of jobs whose scheme, or sampler, lacks them, where that of another job has them.

    Args:
        known: knobs that are left out although no other job has them.
    """
    in_vain: dict[str, list[int]] = {}  # jobs, by the knob that they set
    lacking: dict[str, dict[str, None]] = {}  # what was chosen there
    for number, words in enumerate(jobs):
        for section in composer.knobs(words):
            known = known | (section.given & section.own)
            for knob in section.given - section.own:
                in_vain.setdefault(knob, []).append(number)
                lacking.setdefault(knob, {})[section.chosen] = None
    kept, notices = [list(words) for words in jobs], []
    for knob, numbers in in_vain.items():
        if knob not in known:
            continue  # a mistake, and answered as one
        names = {knob, knob.removeprefix("init.")}
        for number in numbers:
            kept[number] = [word for word in kept[number] if word.partition("=")[0].lstrip("+") not in names]
        notices.append(f"{min(names, key=len)}: {', '.join(lacking[knob])} has no such knob; left out there")
    return kept, notices


@dataclass(frozen=True)
class Knobs:
    """Of one section: what is chosen, the knobs that it has, and those that are given."""

    chosen: str
    own: set[str]
    given: set[str]


def _knobs(config: Mapping[str, Any]) -> Iterator[Knobs]:
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
            own, given = ({f"{section}.{name}" for name in names} for names in (keys(variant), body))
            yield Knobs(str(chosen), own, given - {f"{section}.{selector}", f"{section}.{TARGET}"})
