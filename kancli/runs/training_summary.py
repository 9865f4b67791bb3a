"""What a run prints about its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kancli.runs.console import interval, number, typical

SHARES = {"steps_to_tenth": "a tenth", "steps_to_hundredth": "a hundredth", "steps_to_thousandth": "a thousandth"}


def training_lines(entry: Mapping[str, Any]) -> list[str]:
    """Three lines: the task, the losses and the relative error, and how fast the loss fell.

    Args:
        entry: `training` of stats.json.
    """
    is_ensemble = isinstance(entry["train_loss"], Mapping)
    over = " (geometric means, 95 % intervals)" if is_ensemble else ""
    errors = [
        f"{name} {number(typical(entry[key]))}{interval(entry[key])}"
        for key, name in (("test_loss", "test loss"), ("rel_l2", "relative L2 error"))
        if typical(entry[key]) is not None
    ]
    last = f"{number(typical(entry['train_loss']))}{interval(entry['train_loss'])}"
    fell = [
        f"{share} after {typical(entry[name]):.0f}{_members(entry[name])}"
        for name, share in SHARES.items()
        if typical(entry[name]) is not None
    ]
    diverged = f"; {entry['diverged']} diverged" if entry["diverged"] else ""
    return [
        f"trained on {entry['task']}: {entry['steps']} steps, {number(entry['seconds'])} s{diverged}"
        + (" (singular: the relative error says little)" if entry["singular"] else ""),
        "; ".join([f"loss {number(typical(entry['first_train_loss']))} to {last}", *errors]) + over,
        f"steps to a share of the first loss: {', '.join(fell)}" if fell else "the loss did not fall to a tenth",
    ]


def _members(value: Any) -> str:
    """How many members got there."""
    return f" ({value['n']} networks)" if isinstance(value, Mapping) else ""
