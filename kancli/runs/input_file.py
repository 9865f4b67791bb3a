"""The files of samples, tasks and models in a run's record: how they were read, and where they are from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from kancli.config.models import CheckpointModel
from kancli.config.settings import Settings
from kancli.errors import ConfigError
from kancli.inputs.samplers import File
from kancli.inputs.table import MAX_BYTES
from kancli.regular_files import open_regular
from kancli.runs.hashes import hash_of_open
from kancli.tasks.data import Data

# In run.json and blessed files, by the section with the path.
ENTRIES = {"inputs": "inputs", "task": "task_file", "model": "model_file"}


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of run.json and of a blessed file for a file that the run read."""

    path: str  # absolute
    relative_path: str  # from the folder that holds the record
    sha256: str
    header: list[str] | None = None
    sep: str | None = None
    columns: list[str | int] = []
    rows: int | None = None

    def moved_to(self, folder: Path) -> InputFile:
        """The entry for a record in another folder."""
        return msgspec.structs.replace(self, relative_path=os.path.relpath(self.path, folder.resolve()))


class InputFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of a record for the files that the run read."""

    inputs: InputFile | None = None
    task_file: InputFile | None = None
    model_file: InputFile | None = None

    def of(self, section: str) -> InputFile | None:
        """The entry for the file of a section of the config."""
        return getattr(self, ENTRIES[section])

    def as_json(self) -> dict[str, Any]:
        """The entries that there are."""
        return {name: entry for name, entry in msgspec.to_builtins(self).items() if entry is not None}

    def moved_to(self, folder: Path) -> InputFiles:
        """The entries for a record in another folder."""
        moved = {section: entry and entry.moved_to(folder) for section in ENTRIES for entry in [self.of(section)]}
        return InputFiles(**{ENTRIES[section]: entry for section, entry in moved.items()})


NO_FILES = InputFiles()


def input_files_of(settings: Settings, folder: Path) -> InputFiles:
    """The entries for a record in `folder`."""
    entries = {ENTRIES[section]: _entry(getattr(settings, section), folder) for section in ENTRIES}
    return InputFiles(**entries)


def _entry(source: Any, folder: Path) -> InputFile | None:
    if isinstance(source, CheckpointModel):
        content: dict[str, Any] = {"sha256": source.checkpoint().sha256}
    elif isinstance(source, (File, Data)):
        content = source.table().as_json()
    else:
        return None
    path = os.path.abspath(source.path)
    relative = os.path.relpath(os.path.realpath(path), folder.resolve())
    if not _is_utf8(relative):  # behind a link; JSON cannot hold it
        relative = os.path.relpath(path, folder.absolute())
    return InputFile(path=path, relative_path=relative, **content)


def locate(config: Mapping[str, Any], recorded: InputFiles, folder: Path) -> dict[str, Any]:
    """A recorded config with paths at which its files are found from the current folder.

    Of the path as typed, the one relative to the record and the absolute one, it is the first whose content is that of
    the record; else the first that exists, relative to the record before the others.

    Args:
        recorded: the entries of the record.
        folder: the folder that holds the record.
    """
    located = dict(config)
    for section in ENTRIES:
        values = config.get(section)
        if isinstance(values, Mapping) and isinstance(typed := values.get("path"), str):
            located[section] = {**values, "path": _locate(typed, recorded.of(section), folder)}
    return located


def _locate(typed: str, recorded: InputFile | None, folder: Path) -> str:
    paths = [typed]
    if recorded is not None:
        paths += [os.path.normpath(folder / recorded.relative_path), recorded.path]
    existing = [path for path in paths if os.path.isfile(path)]
    same = (path for path in existing if recorded is not None and _has_content(path, recorded.sha256))
    return next(same, None) or next((path for path in paths[1:] + paths[:1] if path in existing), typed)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _has_content(path: str, sha256: str) -> bool:
    try:
        with open_regular(Path(os.path.realpath(path)), MAX_BYTES) as file:
            return hash_of_open(file) == sha256
    except ConfigError:
        return False
