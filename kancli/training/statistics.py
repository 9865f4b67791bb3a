"""What training came to, as the entry `training` of stats.json has it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kancli.stats.scales import Scale
from kancli.stats.stats_json import plain
from kancli.stats.summary import summary_statistics
from kancli.training.curves import Array, Curves

# Shares of the first loss, by the name of the steps that training takes to fall below them.
SHARES = {"steps_to_tenth": 0.1, "steps_to_hundredth": 0.01, "steps_to_thousandth": 0.001}
NOT_REACHED = "the training loss stays above this share of the first one"
NO_DATA = "the task has no such data, or the member diverged"


@np.errstate(all="ignore")
def training_statistics(
    task: str, steps: int, curves: Curves, diverged: Sequence[str | None], *, ensemble: bool, reasons: dict[str, str]
) -> dict[str, Any]:
    """The entry `training`: the first and last losses, the steps to shares of the first, and what diverged.

    Over members, a number becomes `{mean, sd, low, high, min, max, n}`: of losses and errors the geometric mean, the
    standard deviation of the logs and a 95 % interval by Student's t of the logs.

    Args:
        task: its label.
        steps: the last step.
        diverged: why each member diverged; None for those that did not.
        reasons: receives the reason for each number that is undefined, by its path in stats.json.
    """
    logarithmic = {
        "first_train_loss": curves.first("train_loss"),
        "train_loss": curves.last("train_loss"),
        "test_loss": curves.last("test_loss"),
        "rel_l2": curves.last("rel_l2"),
    }
    linear = {name: curves.steps_to(share) for name, share in SHARES.items()}
    entry: dict[str, Any] = {"task": task, "steps": steps}
    for values, is_log in ((logarithmic, True), (linear, False)):
        for name, of_members in values.items():
            number = _over_members(of_members, is_log) if ensemble else of_members[0]
            reason = NO_DATA if is_log else NOT_REACHED
            entry[name] = plain(number, f"training.{name}", reasons, reason)
    entry["diverged"] = sum(reason is not None for reason in diverged)
    entry["seconds"] = round(float(curves.seconds[-1]), 6)
    return entry


def _over_members(values: Array, is_log: bool) -> dict[str, Array | float]:
    """Summarise `[s]`."""
    summary = summary_statistics(values, Scale.RATIO if is_log else Scale.LINEAR, quantiles=True)
    if is_log:
        logs = np.log(values[np.isfinite(values) & (values > 0)])
        summary["sd"] = np.asarray(logs.std(ddof=1) if len(logs) > 1 else math.nan)
    return {name: summary[name] for name in ("mean", "sd", "low", "high", "min", "max", "n")}
