"""The state of a training as a file: tensors, and the other values and a hash of all in the file's metadata."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.errors import ConfigError
from kancli.regular_files import open_regular
from kancli.runs.hashes import hash_of

if TYPE_CHECKING:
    from kancli.training.result import TrainingState  # with torch

STATE = "training_state.safetensors"
MARKED = "marked."  # begins the names of the trained network's activations in FIT


def pack_state(state: TrainingState) -> bytes:
    """A safetensors file."""
    from safetensors.torch import save

    from kancli.training.result import TrainingState

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    plain = json.dumps(state.plain)
    packed = TrainingState(tensors, state.plain)
    return save(tensors, metadata={"plain": plain, "sha256": _hash(packed, plain)})


def read_state(folder: Path, name: str = STATE) -> TrainingState | None:
    """The state that a run saved; None where there is none.

    Args:
        name: of the file.

    Raises:
        ConfigError: the file is damaged.
    """
    path = folder / name
    if not os.path.lexists(path):
        return None
    from safetensors import SafetensorError, safe_open

    from kancli.training.result import TrainingState

    damaged = ConfigError([f"{folder}: damaged: {name} is not what the run wrote; remove it to train from the start"])
    try:
        with open_regular(path) as opened, safe_open(f"/dev/fd/{opened.fileno()}", "pt") as file:
            metadata, names = file.metadata() or {}, list(file.keys())
            plain = metadata.get("plain", "")
            state = TrainingState({name: file.get_tensor(name).clone() for name in names}, json.loads(plain))
    except (SafetensorError, ValueError, OSError, RecursionError):
        raise damaged from None
    if metadata.get("sha256") != _hash(state, plain):
        raise damaged
    return state


def _hash(state: TrainingState, plain: str) -> str:
    digest = hashlib.sha256(plain.encode())
    for name in sorted(state.tensors):
        tensor = state.tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} {hash_of(tensor)}\n".encode())
    return digest.hexdigest()
