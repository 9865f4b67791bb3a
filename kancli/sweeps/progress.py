"""Progress of a sweep on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

EVERY = 5.0  # seconds from line to line, where there is no terminal


@contextlib.contextmanager
def counting(total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr with rate, time left and failures; where that is no terminal a plain line now and then.

    Yields:
        What is to be told how many more have ended, and how many of them failed.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
                   TextColumn("{task.fields[failures]}"))  # fmt: skip
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=total, rate="", failures="")
            count = _Count(total)

            def show(ended: int, failed: int) -> None:
                count.add(ended, failed)
                failures = f"[red]{count.failed} failed" if count.failed else ""
                bar.update(task, advance=ended, rate=f"{count.rate:.3g}/s", failures=failures)

            yield show
        return
    count = _Count(total)
    told = time.monotonic()

    def tell(ended: int, failed: int) -> None:
        nonlocal told
        count.add(ended, failed)
        if (now := time.monotonic()) - told >= EVERY:
            told = now
            print(f"kan-run: {count}", file=sys.stderr, flush=True)

    yield tell


class _Count:
    """How far it has come."""

    def __init__(self, total: int) -> None:
        self.total, self.ended, self.failed, self.start = total, 0, 0, time.monotonic()

    def add(self, ended: int, failed: int) -> None:
        self.ended += ended
        self.failed += failed

    @property
    def rate(self) -> float:
        """Per second."""
        return self.ended / max(time.monotonic() - self.start, 1e-9)

    def __str__(self) -> str:
        left = (self.total - self.ended) / max(self.rate, 1e-9)
        return f"{self.ended} of {self.total} jobs, {self.rate:.3g}/s, {left:.0f} s left, {self.failed} failed"
