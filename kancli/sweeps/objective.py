"""What a sweeper that optimises is told of a run."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

from kancli.errors import ConfigError, KanError
from kancli.schema import nearest
from kancli.stats.options import Verdicts

VERDICTS = ("non_finite", *(field.name for field in dataclasses.fields(Verdicts)))
OTHERS = re.compile(r"(propagation|jacobian|ntk)_\w+|layer\d+_\w+")


def names_in(objective: str | Sequence[str] | None) -> list[str]:
    """The names in the value of the key: one, a list of them, or null."""
    return [objective] if isinstance(objective, str) else list(objective or [])


def check_names(names: Sequence[str]) -> None:
    """Check that names may be those of statistics, before there are any.

    Raises:
        ConfigError: there is none of such a name, whatever is measured.
    """
    faults = [f"objective={name}: no statistic; allowed: {', '.join(VERDICTS)}, or another number in sweep.csv, such as"
              f" propagation_signal or layer0_output_std{nearest(name, [*VERDICTS, 'propagation_signal'])}"
              for name in names if name not in VERDICTS and not OTHERS.fullmatch(name)]  # fmt: skip
    if faults:
        raise ConfigError(faults)


def objective_of(statistics: Mapping[str, float | None], names: Sequence[str]) -> float | tuple[float, ...]:
    """The statistics of these names; of one name, the number itself.

    Args:
        statistics: of a run, as `table.statistics_of` tells them.

    Raises:
        ConfigError: there is no such statistic.
        KanError: it has no value in this run.
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
