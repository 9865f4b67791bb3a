"""SIGINT, SIGTERM and SIGHUP as an exception that the code which records or reports can answer."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

_pending: list[int] = []
_deferring = False


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end.

    Not KeyboardInterrupt itself: CPython kills a process at exit if that one left an `exec` of a string, as in
    dataclasses and namedtuples, even if it was caught later.
    """


def pending_signal(error: BaseException | None = None) -> int | None:
    """The number of the signal that asked the process to end. None without one.

    Check it for any exception: a library may wrap `Interrupted`, or raise an exception of its own instead.

    Args:
        error: the exception; a plain KeyboardInterrupt counts as SIGINT.
    """
    if _pending:
        return _pending[0]
    return signal.SIGINT if isinstance(error, KeyboardInterrupt) else None


@contextlib.contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer signals until the block ends, for code that must not be interrupted halfway."""
    global _deferring
    before, _deferring = _deferring, True
    try:
        yield
    finally:
        _deferring = before
    if not before:
        raise_pending()


def raise_pending() -> None:
    """Raise `Interrupted` if a signal is pending: deferred, or raised and then swallowed or wrapped."""
    if _pending:
        raise Interrupted


def _answered_signals() -> list[signal.Signals]:
    """The signals that ask the process to end. SIGHUP is none under nohup, which ignores it."""
    answered = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        answered.append(signal.SIGHUP)
    return answered


@contextlib.contextmanager
def signal_handlers() -> Iterator[None]:
    """Context manager: the first SIGINT, SIGTERM or SIGHUP raises `Interrupted`; later ones are ignored."""

    def interrupt(number: int, frame: Any) -> None:
        _pending.append(number)
        if len(_pending) == 1 and not _deferring:
            raise Interrupted

    _pending.clear()
    try:
        before = {number: signal.signal(number, interrupt) for number in _answered_signals()}
    except ValueError:  # not the main thread, which alone may set handlers
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if _pending else handler)
