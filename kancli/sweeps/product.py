"""The product of the values in a sweep's overrides: the words of every job. Torch is not loaded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kancli.config.grammar import parse
from kancli.config.overrides import ResolvedOverrides
from kancli.errors import ConfigError
from kancli.spelling import show

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from kancli.config.presets import Presets

MAX_JOBS = 100_000
NO_FIGURES = "figures=none"


@dataclass(frozen=True)
class Product:
    """The overrides of every job, and the values of each swept key, as typed."""

    words: list[list[str]]
    swept: dict[str, list[str]]
    by_experiment: frozenset[str] = frozenset()  # the keys that an experiment sweeps over, also as knobs of init


def product_of(resolved: ResolvedOverrides, presets: Presets) -> Product:
    """All combinations of the values in overrides, in Hydra's order: an experiment's swept keys come before the typed
    ones, and the last key varies fastest.

    Raises:
        ConfigError: an override is not valid, or not a list of values.
    """
    from kancli.config.hydra import split_sweep

    overrides = sweep_overrides(resolved, presets)
    swept, n_jobs = {}, 1
    for override in overrides:
        if not override.is_sweep_override():
            continue
        if not override.is_discrete_sweep():
            raise ConfigError(
                [f"{override.input_line}: not a list of values; type {override.key_or_group}=1,2,3 or =range(3),"
                 " or let a sweeper choose: hydra/sweeper=optuna"]
            )  # fmt: skip
        if override.key_or_group.split(".")[0] in ("sweep", "study"):
            raise ConfigError([f"{override.input_line}: is the same for the whole sweep; give one value"])
        n_values = _count(override)
        n_jobs *= n_values
        if max(n_values, n_jobs) > MAX_JOBS:
            line = show(override.input_line)
            raise ConfigError([f"{line}: a sweep of more than {MAX_JOBS} jobs; give fewer values, or several sweeps"])
        swept[override.key_or_group] = [str(value) for value in override.sweep_string_iterator()]
    jobs = split_sweep(overrides)
    if not jobs:
        typed = " ".join(override.input_line or "" for override in resolved.parsed)
        raise ConfigError([f"{typed}: a sweep over nothing; give each key at least one value"])
    by_experiment = {path for key in resolved.swept_by_experiment for path in (key, f"init.{key}")}
    return Product(jobs, swept, frozenset(by_experiment))


def _count(override: Override) -> int:
    """Number of values of a sweep, without listing them.

    Raises:
        ConfigError: it is a range of a step of 0, or without an end.
    """
    if not override.is_range_sweep():
        return len(list(override.sweep_string_iterator()))
    values: Any = override.value()
    try:
        return max(0, math.ceil((values.stop - values.start) / values.step))
    except (ZeroDivisionError, OverflowError, ValueError):
        line = show(override.input_line)
        raise ConfigError(
            [f"{line}: a range without end; type range(START,STOP,STEP) with a STEP other than 0"]
        ) from None


def sweep_overrides(resolved: ResolvedOverrides, presets: Presets) -> list[Override]:
    """The overrides of a sweep's jobs: first an experiment's swept keys, with their typed values if there are any, then
    the other typed ones, then `figures=none` unless figures are named.

    Raises:
        ConfigError: an override is not valid.
    """
    if resolved.faults:
        raise ConfigError(resolved.faults)
    typed = [override for override in resolved.parsed if not override.is_hydra_override()]
    last_typed = {override.key_or_group: override for override in typed}
    params = resolved.swept_by_experiment
    by_experiment = [last_typed.get(name) or parse([f"{name}={params[name]}"], presets)[0] for name in params]
    typed = [override for override in typed if override.key_or_group not in params]
    keys = [*(override.key_or_group for override in resolved.parsed), *resolved.choices,
            *(key for key, _ in resolved.values), *resolved.swept_by_experiment]  # fmt: skip
    has_figures = any(key.split(".")[0] == "figures" for key in keys)
    return [*by_experiment, *typed, *parse([] if has_figures else [NO_FIGURES])]
