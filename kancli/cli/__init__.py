"""The command line: words in, exit code out."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Sequence

_exit_code: int | None = None  # of the process, once `main` has run for its command line


def _end() -> None:
    """End the process without taking apart what is loaded: with torch that takes a tenth of a second."""
    if _exit_code is None:
        return
    with contextlib.suppress(OSError, ValueError):  # a stream that takes no more: Python ends as it does without this
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit_code)


atexit.register(_end)  # first: what the modules below register, such as the end of logging, runs before it

from kancli.cli import dispatch  # noqa: E402

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code; without `argv` that of the process, which then ends with this code.

    Args:
        argv: the words after kan-run.
    """
    global _exit_code
    code = dispatch.main(sys.argv[1:] if argv is None else argv)
    if argv is None:
        _exit_code = code
    return code
