"""What takes part in a race: the combinations of the values of a command line, one for each different law."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kancli.config.grammar import parse
from kancli.config.hydra import KanConfigLoader, compose_job, compose_sweep, create_hydra
from kancli.config.models import KANModel
from kancli.config.overrides import parse_and_resolve
from kancli.errors import ConfigError
from kancli.inputs.formats import SUFFIXES
from kancli.sweeps.jobs import Composer, compose_jobs
from kancli.sweeps.product import product_of
from kancli.sweeps.search import is_search

if TYPE_CHECKING:
    from kancli.config.presets import Presets
    from kancli.config.settings import Settings
    from kancli.sweeps.jobs import ComposedJob

DEFAULT = "default"  # the scheme whose cost is told
SCHEME_KEYS = ("init", "init.scheme")
ANY_WIDTH = "width=in-5-out"  # where none is typed
NO_FIGURES = "figures=none"
# What all candidates of a race share, and what to say of a second value.
SHARED = {
    "seed": "a race takes its seeds from one: seed, seed + 1, ...; race.seeds=20 says how many",
    "n_seeds": "race.seeds=20 says with how many seeds the final is decided",
    "task": "a race is on one task; type one race for each",
    "train.steps": "all networks of the final make the same steps; give one value",
}


@dataclass(frozen=True)
class Candidate:
    """One config of a network and its training."""

    name: str  # the values that set it apart, such as "glorot grid=5"
    words: Sequence[str]  # the overrides that make it a run
    settings: Settings


@dataclass(frozen=True)
class Entrants:
    """What takes part in a race.

    Args:
        default: number of the candidate with init=default. It is measured in the final in any case.
        default_enters: whether it may win; where it was not named it may not.
    """

    candidates: Sequence[Candidate]
    default: int
    default_enters: bool
    notices: Sequence[str]
    folder: Path  # of the race, from hydra.sweep.dir

    @property
    def racing(self) -> list[int]:
        """The numbers of the candidates that may win."""
        return [number for number in range(len(self.candidates)) if self.default_enters or number != self.default]


def compose_entrants(typed: Sequence[str], presets: Presets) -> Entrants:
    """Compose and check all candidates: every scheme, unless some are named, with every other value that is typed.

    Args:
        typed: the words of the command line, without those of the race itself.

    Raises:
        ConfigError: with the faults of all candidates; or there is no task, or only one candidate.
    """
    words = [*typed, *_unsaid(typed, presets)]
    hydra = create_hydra(presets)
    resolved = parse_and_resolve(words, presets, sweeping=True)
    config = compose_sweep(hydra, resolved)
    if is_search(config):
        raise ConfigError(["hydra/sweeper: a race chooses its candidates itself; leave it out"])
    product = product_of(resolved, presets)
    _check_shared(product.swept)
    composer = Composer(presets, functools.partial(compose_job, cast(KanConfigLoader, hydra.config_loader), config))
    reference = [*(word for word in product.words[0] if _key(word) not in SCHEME_KEYS), f"init={DEFAULT}"]
    found, notices = compose_jobs([*product.words, reference], composer, known=())
    jobs = [job for _, job in found]
    _check_jobs(jobs)
    keys = [_law_of(job) for job in jobs]
    names = _names(jobs)
    first = {number: keys.index(key) for number, key in enumerate(keys)}
    for number in range(len(jobs) - 1):
        if names[first[number]] != names[number]:
            notices.append(f"{names[number]}: the law of {names[first[number]]} here; it is raced once")
    numbers = [number for number in first if first[number] == number]
    candidates = [Candidate(names[number], jobs[number].words, _bare(jobs[number].settings)) for number in numbers]
    default, enters = numbers.index(first[len(jobs) - 1]), first[len(jobs) - 1] != len(jobs) - 1
    if len(numbers) - (not enters) < 2:
        raise ConfigError(
            [f"race: one candidate, {names[0]}: name more, such as init=default,glorot or grid=3,5,10, or leave init"
             " out to race all schemes"]
        )  # fmt: skip
    return Entrants(candidates, default, enters, notices, Path(config.hydra.sweep.dir))


def _unsaid(typed: Sequence[str], presets: Presets) -> list[str]:
    """All schemes, and a width for any task, where the words name neither."""
    for word in typed:
        if word.lower().endswith(SUFFIXES) and "=" not in word:
            raise ConfigError([f"{word}: the task is named by its key: task={word}"])
    keys = {override.key_or_group for override in parse(typed, presets)}
    if not keys & {"task", "experiment", "task.kind", "task.path", "task.formula"}:
        raise ConfigError(["race: name the task: kan-run race task=data.csv, or task=f2"])
    if keys & {"train.minutes", "objective"}:
        raise ConfigError(["train.minutes, objective: of other commands; a race takes race.minutes"])
    words = [] if keys & {"width", "experiment"} else [ANY_WIDTH]
    return words if keys & {*SCHEME_KEYS, "experiment"} else [*words, f"init={','.join(presets.options('init'))}"]


def _check_shared(swept: dict[str, list[str]]) -> None:
    faults = [f"{key}={','.join(values)}: {SHARED[name]}" for key, values in swept.items()
              for name in SHARED if key == name or key.startswith(f"{name}.")]  # fmt: skip
    if faults:
        raise ConfigError(faults)


def _check_jobs(jobs: Sequence[ComposedJob]) -> None:
    first = jobs[0].settings
    if not all(isinstance(job.settings.model, KANModel) for job in jobs):
        raise ConfigError(["model: a race is of the initialisations of KANs; leave it out"])
    if not all(job.settings.trains for job in jobs):
        raise ConfigError(["train=none: a race trains; leave it out"])
    if first.n_seeds > 1:
        raise ConfigError([f"n_seeds={first.n_seeds}: {SHARED['n_seeds']}"])
    steps = {job.settings.training.steps for job in jobs}
    if len(steps) > 1:
        raise ConfigError([f"candidates of {min(map(int, steps))} and {max(map(int, steps))} steps: give train.steps"])  # pyright: ignore


def _law_of(job: ComposedJob) -> tuple[Any, ...]:
    """Key that is equal for two jobs whose networks have one law and are trained alike."""
    settings, init = job.settings, job.settings.init
    laws = [(init.laws(size), init.mask(size)) for size in settings.layer_sizes()]
    rest = dataclasses.replace(settings, init=None)  # pyright: ignore[reportArgumentType]
    return rest, init.has_bias, init.standardises, laws


def _names(jobs: Sequence[ComposedJob]) -> list[str]:
    """Of each job its scheme, and its words for the keys that have several values among all. Jobs of one name have one
    config."""
    values: dict[str, set[str]] = {}
    for word in (word for job in jobs for word in job.words):
        values.setdefault(_key(word), set()).add(word)
    several = {key for key, words in values.items() if len(words) > 1}
    return [_name(job, several) for job in jobs]


def _name(job: ComposedJob, keys: set[str]) -> str:
    scheme = str(job.choices["init"])
    named = [f"{key}={quote}{scheme}{quote}" for key in SCHEME_KEYS for quote in ("", "'", '"')]
    words = [word.lstrip("+") for word in job.words if _key(word) in keys]
    return " ".join([scheme, *(word for word in words if word not in named)])


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+")


def _bare(settings: Settings) -> Settings:
    """The settings without what a race does not measure."""
    return dataclasses.replace(
        settings,
        stats=dataclasses.replace(settings.stats, level="none", after=False),
        figures=dataclasses.replace(settings.figures, names=()),
    )
