"""Temporary files, which take the name of their target once they are whole. Those of killed processes are removed."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

RANDOM_BYTES = 8


@contextlib.contextmanager
def replacement(target: Path) -> Iterator[BinaryIO]:
    """Context manager: a new file that replaces the target at the end. After an exception there is none.

    Its name is random and the file new, so that two writers do not mix, and a link that somebody prepared is not
    followed. It is locked while it is written.

    Raises:
        OSError: it cannot be written.
    """
    path, file = _create(target)
    lock = os.dup(file.fileno())  # keeps the lock of a file that is closed
    try:
        with file:
            yield file
        path.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(lock)


def _create(target: Path) -> tuple[Path, BinaryIO]:
    while True:
        path = target.with_name(f"{_prefix(target)}{secrets.token_hex(RANDOM_BYTES)}.part")
        file = path.open("xb")  # O_EXCL, which follows no link either
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()  # `remove_abandoned` was faster than the lock


def remove_abandoned(target: Path) -> None:
    """Remove the temporary files of a target whose writers were killed: those that nobody has locked."""
    pattern = f"{glob.escape(_prefix(target))}{'[0-9a-f]' * 2 * RANDOM_BYTES}.part"
    for path in target.parent.glob(pattern):
        with contextlib.suppress(OSError):  # at work, of another user, or on a file system without locks
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


def _prefix(target: Path) -> str:
    return f".{target.name[:40]}."
