"""What a sweeper that optimises is told of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kancli.errors import ConfigError, KanError
from kancli.schema import nearest


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
                [f"objective={name}: no such statistic of this run; allowed: a column of sweep.csv"
                 f"{nearest(name, statistics)}"]
            )  # fmt: skip
        if (value := statistics[name]) is None:
            raise KanError(f"objective={name}: has no value in this run")
        values.append(value)
    return values[0] if len(values) == 1 else tuple(values)
