"""Read regular files of bounded size. Kind and size are those of the open file: its name may lead elsewhere by then."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kancli.errors import ConfigError, one_line

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 2**30  # of a file that is read whole: at 1.8 kB per edge, stats.json has 300 MB for [64, 2500]
# O_NONBLOCK: opening a named pipe would wait for its writer.
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


@contextlib.contextmanager
def open_regular(
    path: Path, max_bytes: int | None = None, *, wanted: str = "the folder of a run"
) -> Iterator[BinaryIO]:
    """Context manager: open a regular file to read. A symbolic link is followed within its folder only.

    Args:
        max_bytes: that the file may have; None for any number.
        wanted: what to give where there is no such file, for the message.

    Raises:
        ConfigError: it is missing, too large, no regular file, or cannot be read.
    """
    try:
        with open(_open_checked(path, max_bytes), "rb") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError([f"{path}: no such file; give {wanted}"]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None


def _open_checked(path: Path, max_bytes: int | None) -> int:
    descriptor = _open(path)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError([f"{path}: damaged: no plain file"])
        if max_bytes is not None and status.st_size > max_bytes:
            raise ConfigError([f"{path}: damaged: larger than {max_bytes >> 20} MB"])
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open(path: Path) -> int:
    try:
        return os.open(path, FLAGS)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK):  # what O_NOFOLLOW answers to a link
            raise
    target = Path(os.path.realpath(path))
    if target.parent != Path(os.path.realpath(path.parent)):
        raise ConfigError([f"{path}: damaged: a symbolic link out of its folder"])
    return os.open(target, FLAGS)


def size_of(file: BinaryIO) -> int:
    """The number of bytes in an open file."""
    return os.fstat(file.fileno()).st_size


def hash_of_open(file: BinaryIO) -> str:
    """sha256 of the bytes of an open file."""
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a file whole.

    Raises:
        ConfigError: it is missing, too large, no regular file, or cannot be read.
    """
    with open_regular(path, max_bytes) as file:
        return file.read(size_of(file))  # no more, if it grows


def read_tensors(path: Path, file: BinaryIO) -> dict[str, Tensor]:
    """The tensors of an open safetensors file, mapped into memory.

    Args:
        path: of the file, for messages.

    Raises:
        ConfigError: it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(f"/dev/fd/{file.fileno()}")  # this very file, whatever has its name by now
    except (OSError, SafetensorError) as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None
