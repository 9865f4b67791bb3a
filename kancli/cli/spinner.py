"""What a terminal shows while work goes on: a spinner, or how far training is."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from kancli.runs.progress_bar import progress_bar
from kancli.runs.terminal import unfiltered

if TYPE_CHECKING:
    from kancli.training.result import Row


@contextlib.contextmanager
def progress(activity: str) -> Iterator[None]:
    """Show a spinner on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(file=unfiltered(sys.stderr)).status(activity):
        yield


@contextlib.contextmanager
def training_bar(steps: int) -> Iterator[Callable[[Row], None]]:
    """Show step, loss and time left on stderr if that is a terminal; yields the function that takes each row."""
    with progress_bar(steps) as show:

        def loss(row: Row) -> str:
            losses = row.train_loss[row.train_loss.isfinite()]
            return f"loss {losses.double().log().mean().exp():.3g}" if len(losses) else ""

        yield lambda row: show(row.step, lambda: loss(row))
