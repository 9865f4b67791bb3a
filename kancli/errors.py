"""Errors with a message for users, and the exit code of each."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

INTERNAL = 1
USAGE = 2
NON_FINITE = 3
DRIFT = 4
INCONCLUSIVE = 5
SWEEP = 6
SIGNALLED = 128  # plus the signal number, as in shells: 130 for SIGINT, 143 for SIGTERM


class KanError(Exception):
    """A failure that is reported by its message, without a traceback."""

    exit_code = INTERNAL


class ConfigError(KanError):
    """The config or the command line is wrong.

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
    """A verdict failed under `strict=true`; the message gives each one with its value and bound."""

    exit_code = DRIFT


class WriteError(KanError):
    """A file cannot be written: the disk is full, or its folder is gone. An outside cause, so not `INTERNAL`."""

    exit_code = USAGE

    def __init__(self, path: object, error: OSError) -> None:
        self.path, self.error = path, error
        super().__init__(f"{path}: cannot be written: {error.strerror}")

    def __reduce__(self) -> tuple[type[WriteError], tuple[object, OSError]]:
        return type(self), (self.path, self.error)

    @property
    def no_room(self) -> bool:
        """Whether other files cannot be written either: no space, a quota, or a read-only disk."""
        return self.error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class InconclusiveError(KanError):
    """A check has no result: one of the sides is missing, damaged, or not comparable."""

    exit_code = INCONCLUSIVE


def check_utf8(name: str) -> None:
    """Refuse a name of a file or folder that no JSON or YAML file can hold.

    Raises:
        ConfigError: it holds bytes that are not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        raise ConfigError([f"{shown}: not UTF-8, as all names must be; rename the file or folder"]) from None


def one_line(error: BaseException) -> str:
    """The type and message of an error, without line breaks."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
