"""A training that a signal interrupts, after so many rows."""

import contextlib
import os
import signal
from unittest.mock import patch


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
