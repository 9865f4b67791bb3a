"""SIGINT and SIGTERM: noted, raised as an exception, and answered by whoever records or reports."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any, NoReturn

_received: list[int] = []


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end.

    Not KeyboardInterrupt itself: CPython kills a process at exit in which that one left an `exec` of a string, as
    dataclasses and namedtuples make them, even though it was caught later.
    """


def received(error: BaseException | None = None) -> int | None:
    """The number of the signal that asked the process to end, None where none did.

    To be asked of any exception: a library may wrap the one that the signal raised, or raise its own over it.

    Args:
        error: what was caught; a plain KeyboardInterrupt counts as SIGINT.
    """
    if _received:
        return _received[0]
    return signal.SIGINT if isinstance(error, KeyboardInterrupt) else None


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Within, SIGINT and SIGTERM raise `Interrupted` and are remembered."""

    def interrupt(number: int, frame: Any) -> NoReturn:
        _received.append(number)
        raise Interrupted

    _received.clear()
    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: signals are someone else's business
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
