"""A spinner for work that takes a while."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from kancli.runs.terminal import unfiltered


@contextlib.contextmanager
def progress(activity: str) -> Iterator[None]:
    """Show a spinner on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(file=unfiltered(sys.stderr)).status(activity):
        yield
