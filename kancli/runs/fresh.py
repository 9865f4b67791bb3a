"""Check, before a run starts, that a folder can take it."""

from __future__ import annotations

import os
from pathlib import Path

from kancli.errors import ConfigError
from kancli.runs.files import unwritable_message
from kancli.runs.superseded import check_replaceable


def check_fresh(path: Path, key: str = "hydra.run.dir", *, overwrite: bool = False) -> None:
    """Check, without touching anything, that a run can be written to this folder.

    Args:
        key: the config key of the folder, for messages.
        overwrite: accept a run in it that has ended or was killed.

    Raises:
        ConfigError: it is not empty, is no folder, or cannot be written.
    """
    try:
        if path.is_dir():
            if any(path.iterdir()) and not overwrite:
                raise ConfigError([not_empty_message(path, key)])
            if any(path.iterdir()):
                check_replaceable(path)
        elif path.exists():
            raise ConfigError([f"{key}={path}: is a file; name a folder that is new or empty"])
    except OSError as error:
        raise ConfigError([unwritable_message(path, error, key)]) from None
    parent = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigError([f"{key}={path}: {parent} cannot be written; name a folder elsewhere with {key}=DIR"])


def not_empty_message(path: Path, key: str = "hydra.run.dir") -> str:
    """The message for a folder that is not empty."""
    also = ", or add overwrite=true" if key == "hydra.run.dir" else ""
    return f"{key}={path}: is not empty; a run writes to a fresh folder: name another, leave {key} out{also}"
