"""What went wrong, in words for the person who typed the command, and the exit code that goes with it."""

from __future__ import annotations

from collections.abc import Sequence

INTERNAL = 1
USAGE = 2
NON_FINITE = 3
DRIFT = 4
INCONCLUSIVE = 5
SWEEP = 6
SIGNALLED = 128  # plus the signal's number, as shells do: 130 for SIGINT, 143 for SIGTERM


class KanError(Exception):
    """A failure that is answered with its message alone, never with a traceback."""

    exit_code = INTERNAL


class ConfigError(KanError):
    """The config or the command line asks for something that cannot be had.

    Args:
        faults: one line each: what was given, what is allowed, what to type.
    """

    exit_code = USAGE

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[list[str]]]:
        return type(self), (self.faults,)


class NonFiniteError(KanError):
    """The forward pass produced infinities or NaN; the message names layer, edge and branch."""

    exit_code = NON_FINITE


class VerdictError(KanError):
    """A verdict failed where none may; the message names each with its number and its bound."""

    exit_code = DRIFT


class InconclusiveError(KanError):
    """Nothing can be said: what was to be compared is missing, damaged, or not of this kind."""

    exit_code = INCONCLUSIVE


def one_line(error: BaseException) -> str:
    """What an error is and says, without line breaks."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
