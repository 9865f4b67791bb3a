"""Progress of a sweep on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from kancli.runs.terminal import unfiltered

LINE_INTERVAL = 5.0  # seconds between lines, without a terminal


@contextlib.contextmanager
def progress_bar(total: int) -> Iterator[Callable[[int, int], None]]:
    """Context manager: a bar with rate, time left and failures; if stderr is no terminal, a line every few seconds.

    Yields:
        Callback `(n_ended, n_failed)` that advances the bar by these numbers.
    """
    count = _Count(total)
    if not sys.stderr.isatty():
        yield _line_printer(count)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
               TextColumn("{task.fields[failures]}"))  # fmt: skip
    with Progress(*columns, console=Console(file=unfiltered(sys.stderr)), transient=True) as bar:
        task = bar.add_task("", total=total, rate="", failures="")

        def advance(n_ended: int, n_failed: int) -> None:
            count.add(n_ended, n_failed)
            failures = f"[red]{count.failed} failed" if count.failed else ""
            bar.update(task, advance=n_ended, rate=f"{count.rate:.3g}/s", failures=failures)

        yield advance


def _line_printer(count: _Count) -> Callable[[int, int], None]:
    last_line = time.monotonic()

    def advance(n_ended: int, n_failed: int) -> None:
        nonlocal last_line
        count.add(n_ended, n_failed)
        if (now := time.monotonic()) - last_line >= LINE_INTERVAL:
            last_line = now
            print(f"kan-run: {count}", file=sys.stderr, flush=True)

    return advance


class _Count:
    """Numbers of jobs that have ended and failed, and their rate since the start."""

    def __init__(self, total: int) -> None:
        self.total, self.ended, self.failed, self.start = total, 0, 0, time.monotonic()

    def add(self, n_ended: int, n_failed: int) -> None:
        self.ended += n_ended
        self.failed += n_failed

    @property
    def rate(self) -> float:
        """Jobs per second."""
        return self.ended / max(time.monotonic() - self.start, 1e-9)

    def __str__(self) -> str:
        left = (self.total - self.ended) / max(self.rate, 1e-9)
        return f"{self.ended} of {self.total} jobs, {self.rate:.3g}/s, {left:.0f} s left, {self.failed} failed"
