"""The numbers of training that verdicts judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kancli.stats.verdicts import Bounds, Verdict, VerdictInput, judge_inputs
from kancli.training.curves import Curves

NO_TEST = "the task has no test samples"


@np.errstate(all="ignore")
def judge_training(
    curves: Curves, diverged: Sequence[str | None], bounds: Mapping[str, Bounds], *, ensemble: bool
) -> list[Verdict]:
    """The verdicts on training: `diverges`, `stalls` and `memorises`.

    Args:
        diverged: why each member diverged; None for those that did not.
        bounds: by the name of a verdict.
    """
    train_loss, test_loss = curves.last("train_loss"), curves.last("test_loss")
    place = next((reason for reason in diverged if reason is not None), "training")
    ended = np.array([reason is None for reason in diverged])
    inputs = {
        "diverges": VerdictInput({place: np.where(ended, 0.0, 1.0)}),
        "stalls": VerdictInput({"training": np.where(ended, train_loss / curves.first("train_loss"), np.nan)}),
        "memorises": VerdictInput(
            {"training": np.where(ended, test_loss / train_loss, np.nan)} if np.isfinite(test_loss).any() else {},
            missing=NO_TEST,
        ),
    }
    return judge_inputs(inputs, bounds, ensemble=ensemble, undefined="all members diverged")
