"""The curves of training of several runs together: a line for each combination of swept keys, over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kancli.errors import ConfigError
from kancli.runs.folder import CURVES
from kancli.runs.reader import RecordedRun

if TYPE_CHECKING:
    from kancli.training.curves import Curves


def joined_curves(runs: Sequence[RecordedRun]) -> Curves | None:
    """The curves of the members of all runs; None where none trained.

    Raises:
        ConfigError: a file is missing or damaged.
    """
    trained = [run for run in runs if run.has(CURVES)]
    if not trained:
        return None
    from kancli.training.curves import join, read_curves

    found = []
    for run in trained:
        try:
            found.append(read_curves(run.read(CURVES).decode().splitlines()))
        except (KeyError, ValueError, TypeError) as error:
            raise ConfigError([f"{run.folder}/{CURVES}: damaged: {error}"]) from None
    return join(found)
