"""SIGINT and SIGTERM: noted, raised as an exception, and answered by whoever records or reports."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

_pending: list[int] = []
_holding = False


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end.

    Not KeyboardInterrupt itself: CPython kills a process at exit in which that one left an `exec` of a string, as
    dataclasses and namedtuples make them, even though it was caught later.
    """


def pending_signal(error: BaseException | None = None) -> int | None:
    """The number of the signal that asked the process to end, None where none did.

    To be asked of any exception: a library may wrap the one that the signal raised, or raise its own over it.

    Args:
        error: what was caught; a plain KeyboardInterrupt counts as SIGINT.
    """
    if _pending:
        return _pending[0]
    return signal.SIGINT if isinstance(error, KeyboardInterrupt) else None


@contextlib.contextmanager
def deferred_signals() -> Iterator[None]:
    """Within, a signal is only noted, and raised at the end: for what an exception would leave half done."""
    global _holding
    before, _holding = _holding, True
    try:
        yield
    finally:
        _holding = before
    if not before:
        raise_pending()


def raise_pending() -> None:
    """Raise `Interrupted` if a signal came that was held back, swallowed or wrapped."""
    if _pending:
        raise Interrupted


@contextlib.contextmanager
def signal_handlers() -> Iterator[None]:
    """Within, the first SIGINT or SIGTERM raises `Interrupted` and is remembered; more of them change nothing."""

    def interrupt(number: int, frame: Any) -> None:
        _pending.append(number)
        if len(_pending) == 1 and not _holding:
            raise Interrupted

    _pending.clear()
    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: signals are someone else's business
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if _pending else handler)
