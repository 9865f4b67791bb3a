"""The file of samples in a run's record: how it was read, and where it is when the record is used elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from kancli.config.settings import Settings
from kancli.errors import ConfigError
from kancli.inputs.samplers import File
from kancli.inputs.table import MAX_BYTES
from kancli.runs.hashes import hash_of_open
from kancli.runs.regular_files import open_regular


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """The entry `inputs` of run.json and of a blessed file, for runs on a file of samples."""

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


def input_file_of(settings: Settings, folder: Path) -> InputFile | None:
    """The entry for a record in `folder`; None for a run on random samples."""
    if not isinstance(settings.inputs, File):
        return None
    path = os.path.abspath(settings.inputs.path)
    relative = os.path.relpath(os.path.realpath(path), folder.resolve())
    if not _is_utf8(relative):  # behind a link; JSON cannot hold it
        relative = os.path.relpath(path, folder.absolute())
    return InputFile(path=path, relative_path=relative, **settings.inputs.table().as_json())


def locate(config: Mapping[str, Any], recorded: InputFile | None, folder: Path) -> dict[str, Any]:
    """A recorded config with a path at which the file of samples is found from the current folder.

    Of the path as typed, the one relative to the record and the absolute one, it is the first whose content is that of
    the record; else the first that exists, relative to the record before the others.

    Args:
        recorded: the entry `inputs` of the record; None if it has none.
        folder: the folder that holds the record.
    """
    inputs = config.get("inputs")
    if not isinstance(inputs, Mapping) or not isinstance(typed := inputs.get("path"), str):
        return dict(config)
    paths = [typed]
    if recorded is not None:
        paths += [os.path.normpath(folder / recorded.relative_path), recorded.path]
    existing = [path for path in paths if os.path.isfile(path)]
    same = (path for path in existing if recorded is not None and _has_content(path, recorded.sha256))
    path = next(same, None) or next((path for path in paths[1:] + paths[:1] if path in existing), typed)
    return {**config, "inputs": {**inputs, "path": path}}


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
