"""Write figures, tables and pages of finished runs. What is there already is not replaced unasked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kancli.errors import ConfigError, WriteError
from kancli.runs.files import unwritable_message, write_below


def write_derived(folder: Path, files: Mapping[str, bytes], *, overwrite: bool) -> list[Path]:
    """Write files to a folder, which is created where it is missing; return their paths.

    Args:
        files: by name, relative to the folder.
        overwrite: replace files of these names whose content differs.

    Raises:
        ConfigError: there is such a file, or the folder cannot be created; then nothing is written.
        WriteError: a file cannot be written.
    """
    changed = changed_files(folder, files, overwrite=overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([unwritable_message(folder, error, "-o")]) from None
    for name, content in changed.items():
        try:
            write_below(folder, name, content)
        except OSError as error:
            raise WriteError(folder / name, error) from error
    return [folder / name for name in files]


def changed_files(folder: Path, files: Mapping[str, bytes], *, overwrite: bool) -> dict[str, bytes]:
    """The files that are missing in a folder, or have other content there.

    Raises:
        ConfigError: one has other content, and `overwrite` is not set.
    """
    changed = {name: content for name, content in files.items() if not _is_same(folder / name, content)}
    replaced = [name for name in changed if os.path.lexists(folder / name)]
    if replaced and not overwrite:
        more = f" and {len(replaced) - 1} more" if len(replaced) > 1 else ""
        raise ConfigError(
            [f"{folder / replaced[0]}{more}: there already, with other content; type --overwrite to replace"
             f" {'them' if more else 'it'}, or -o DIR to write elsewhere"]
        )  # fmt: skip
    return changed


def _is_same(path: Path, content: bytes) -> bool:
    try:
        return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False
