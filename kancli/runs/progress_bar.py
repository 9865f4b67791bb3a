"""How far training is, on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from kancli.runs.terminal import unfiltered


@contextlib.contextmanager
def progress_bar(steps: int) -> Iterator[Callable[[int, Callable[[], str]], None]]:
    """Show the step, a text and the time left on stderr if that is a terminal.

    Yields:
        A function that takes the number of steps made, and the function that gives the text.
    """
    if not sys.stderr.isatty():
        yield lambda step, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}")
    with Progress(*columns, TimeRemainingColumn(), console=Console(file=unfiltered(sys.stderr)), transient=True) as bar:
        shown = bar.add_task("training", total=steps, text="")
        yield lambda step, text: bar.update(shown, completed=step, text=text())
