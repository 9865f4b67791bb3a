"""A training or a race that a signal interrupts at a certain point."""

import contextlib
import os
import signal
from unittest.mock import patch

from kancli.racing.race import Race


def interrupted_after(rows):
    """Context manager: SIGINT comes to this process once a training has made so many rows."""
    shown = []

    def bar_of(steps):
        def show(row):
            shown.append(row)
            if len(shown) == rows:
                os.kill(os.getpid(), signal.SIGINT)

        return contextlib.nullcontext(show)

    return patch("kancli.cli.task.training_bar", bar_of)


def race_interrupted_after_a_round():
    """Context manager: SIGINT comes to this process once a race has saved its first round."""
    save = Race._save

    def save_and_interrupt(race, *args, **changes):
        save(race, *args, **changes)
        os.kill(os.getpid(), signal.SIGINT)

    return patch.object(Race, "_save", save_and_interrupt)
