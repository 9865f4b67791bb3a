"""The states of the networks of a race on disk between rounds."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import torch

from kancli.errors import ConfigError
from kancli.racing.networks import Batch, Network
from kancli.runs.files import write_below
from kancli.runs.training_state import pack_state, read_state

FOLDER = "state"


def save(folder: Path, place: str, groups: Sequence[Batch]) -> None:
    """Write the states of batches below a race's folder.

    Args:
        place: names the round.

    Raises:
        OSError: they cannot be written.
    """
    for number, batch in enumerate(groups):
        assert batch.state is not None
        write_below(folder, f"{FOLDER}/{_file_name(place, number)}", pack_state(batch.state))


def load(folder: Path, place: str, groups: Sequence[Sequence[Network]]) -> list[Batch]:
    """Read what `save` wrote.

    Raises:
        ConfigError: a state is missing or damaged.
    """
    loaded = []
    for number, networks in enumerate(groups):
        name = _file_name(place, number)
        try:
            state = read_state(folder / FOLDER, name)
        except ConfigError:
            state = None
        if state is None or state.tensors.get("first_loss", torch.empty(0)).numel() != len(networks):
            raise ConfigError([f"{folder / FOLDER / name}: damaged: is not what the race wrote; start the race again"])
        loaded.append(Batch(networks, state))
    return loaded


def remove_states(folder: Path, keep: str = "") -> None:
    """Remove the states of all rounds but one."""
    if (folder / FOLDER).is_symlink():  # which may lead out of the folder
        return
    for path in (folder / FOLDER).glob("*"):
        if not keep or not path.name.startswith(f"{keep}-"):
            path.unlink(missing_ok=True)
    if not keep:
        with contextlib.suppress(OSError):
            (folder / FOLDER).rmdir()


def _file_name(place: str, number: int) -> str:
    return f"{place}-{number}.safetensors"
