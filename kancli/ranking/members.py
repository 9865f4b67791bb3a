"""The members of a run that trained several networks, from its training.csv."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from kancli.errors import ConfigError
from kancli.ranking.options import METRICS, STEPS
from kancli.runs.reader import RecordedRun
from kancli.sweeps.training_curves import joined_curves
from kancli.training.statistics import SHARES

if TYPE_CHECKING:
    from kancli.ranking.runs import Training
    from kancli.training.curves import Curves


def read_members(run: RecordedRun, training: Training) -> Iterator[dict[str, Any]]:
    """The values of each network, whether it is lost, its first loss and its steps.

    The seconds, which are those of all together, are the first network's.

    Raises:
        ConfigError: training.csv is missing or damaged.
    """
    curves = joined_curves([run])
    if curves is None:
        raise ConfigError([f"{run.folder}: damaged: training.csv is missing"])
    columns = {name: curves.last(name) for name in METRICS if name in curves.errors}
    columns |= {name: curves.steps_to(SHARES[name]) for name in STEPS}
    diverged, first = diverged_members(run, training.diverged, curves), curves.first("train_loss")
    for member in range(curves.n_members):
        values = {name: float(column[member]) for name, column in columns.items() if np.isfinite(column[member])}
        if member == 0 and (seconds := run.record.seconds.get("total")) is not None:
            values["seconds"] = seconds
        yield {
            "values": values,
            "is_lost": member in diverged,
            "first_loss": float(first[member]),
            "steps": int(curves.steps[-1]),
        }


def diverged_members(run: RecordedRun, count: int, curves: Curves) -> set[int]:
    """The `count` members that diverged; stats.json has only the number. Those that stopped without reaching
    train.target come first, then those whose loss grew most."""
    target = run.record.config.get("train", {}).get("target")
    loss, last = curves.errors["train_loss"], curves.last("train_loss")
    is_done = last <= target if isinstance(target, int | float) else np.zeros(len(last), dtype=bool)
    stopped = ~np.isfinite(loss[-1]) & ~is_done
    with np.errstate(all="ignore"):
        growth = np.nan_to_num(last / loss[0], nan=np.inf)
    order = sorted(range(len(last)), key=lambda member: (not stopped[member], -growth[member]))
    return set(order[:count])
