"""Write files atomically, and tables as CSV."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from kancli.errors import ConfigError
from kancli.runs.number_text import cells
from kancli.runs.temporaries import remove_abandoned, replacement
from kancli.stats.columns import flat


def write_whole(target: Path, content: bytes) -> None:
    """Write a file atomically: to a temporary name first, then renamed. A kill leaves the old file or the new one, and
    perhaps a temporary one, which the next writer of the file removes.

    Raises:
        OSError: it cannot be written; no temporary file is left.
    """
    remove_abandoned(target)
    with replacement(target) as file:
        file.write(content)


def write_below(folder: Path, name: str, content: bytes) -> Path:
    """Write a file of a folder atomically, and return its path.

    Args:
        name: relative to the folder; one level of subfolders is created.

    Raises:
        ConfigError: its subfolder is a symbolic link, which may lead out of the folder.
        OSError: it cannot be written.
    """
    with open_below(folder, name) as file:
        file.write(content)
    return folder / name


@contextlib.contextmanager
def open_below(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Context manager: a file of a folder, which appears whole at the end, as for `write_below`."""
    path = folder / name
    make_parent(path, folder)
    remove_abandoned(path)
    with replacement(path) as file:
        yield file


def make_parent(path: Path, folder: Path) -> None:
    """Create the subfolder that a file of a folder lies in. A folder that was removed is not created again.

    Raises:
        ConfigError: the subfolder is a symbolic link, which may lead out of the folder.
        OSError: it cannot be created.
    """
    if path.parent == folder:
        return
    if path.parent.is_symlink():
        raise ConfigError([f"{path.parent}: is a symbolic link; files are written below {folder} only: remove it"])
    path.parent.mkdir(exist_ok=True)


def write_named(target: Path, content: bytes) -> None:
    """Write a file that the user named: atomically where it is a regular file, through it where it is a link or a
    device.

    Raises:
        OSError: it cannot be written.
    """
    if target.exists() and not target.is_file():
        with target.open("wb") as device:  # a folder raises IsADirectoryError
            device.write(content)
    else:
        write_whole(target.resolve() if target.is_symlink() else target, content)


def unwritable_message(path: Path | str, error: OSError, key: str = "hydra.run.dir") -> str:
    """The message for a folder that cannot be created or read."""
    return f"{key}={path}: {error.strerror}; name a folder elsewhere with {key}=DIR"


# Python's csv, not pyarrow, whose import takes 0.1 to 0.5 s of a run.
def csv_of_rows(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """CSV with a header; None is an empty cell. All rows have the columns of the first."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["layer"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def csv_of_edges(layers: Iterable[Mapping[str, Any]]) -> bytes:
    """CSV with one row per edge, from layers whose edges are columns of numbers."""
    lines: list[str] = []
    for layer in layers:
        columns = flat(layer["edges"])
        lines = lines or [",".join(["layer", *columns])]
        lines += map(",".join, zip(itertools.repeat(str(layer["layer"])), *map(cells, columns.values())))
    return "".join(f"{line}\n" for line in lines or ["layer"]).encode()
