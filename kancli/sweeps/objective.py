"""The objective: the statistics of a run that a sweeper optimises."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from kancli.errors import ConfigError, KanError
from kancli.stats.options import Verdicts
from kancli.synonyms import nearest

VERDICTS = ("non_finite", *(field.name for field in dataclasses.fields(Verdicts)))
OTHER_STATISTICS = re.compile(r"(propagation|jacobian|ntk)_\w+|layer\d+_\w+")


def objective_names(objective: str | Sequence[str] | None) -> list[str]:
    """The names in a value of the key `objective`: one name, a list of names, or null."""
    return [objective] if isinstance(objective, str) else list(objective or [])


def check_names(names: Iterable[str]) -> None:
    """Check names before any statistics exist.

    Raises:
        ConfigError: no setting makes a statistic of that name.
    """
    faults = [f"objective={name}: no statistic; allowed: {', '.join(VERDICTS)}, or another number in sweep.csv, such as"
              f" propagation_signal or layer0_output_std{nearest(name, [*VERDICTS, 'propagation_signal'])}"
              for name in names if name not in VERDICTS and not OTHER_STATISTICS.fullmatch(name)]  # fmt: skip
    if faults:
        raise ConfigError(faults)


def objective_of(statistics: Mapping[str, float | None], names: Sequence[str]) -> float | tuple[float, ...]:
    """The values of statistics: a number for one name, a tuple for several.

    Args:
        statistics: of a run, as returned by `table.select_statistics`.

    Raises:
        ConfigError: the run has no such statistic.
        KanError: a statistic has no value in this run.
    """
    values = []
    for name in names:
        if name not in statistics:
            raise ConfigError(
                [f"objective={name}: no such statistic of this run; allowed: a number in sweep.csv"
                 f"{nearest(name, statistics)}"]
            )  # fmt: skip
        if (value := statistics[name]) is None:
            raise KanError(f"objective={name}: has no value in this run")
        values.append(value)
    return values[0] if len(values) == 1 else tuple(values)
