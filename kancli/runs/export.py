"""Write the network of a run in the names and layout of another library."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from kancli.bridges.checkpoint import read_checkpoint
from kancli.bridges.loading import loading_lines
from kancli.bridges.model import new_tensors
from kancli.bridges.names import LIBRARIES
from kancli.bridges.network import spec_of
from kancli.errors import ConfigError
from kancli.runs.figure_data import load_model
from kancli.runs.folder import PARAMETERS
from kancli.runs.reader import read_finished_run

if TYPE_CHECKING:
    from torch import Tensor

    from kancli.kan.network import KAN
    from kancli.runs.reader import RecordedRun

TARGETS = LIBRARIES[:-1]  # without kancli
SUFFIXES = {"jaxkan": (".npz", ".safetensors")}
TORCH_SUFFIXES = (".pt", ".pth", ".safetensors")


@dataclass(frozen=True)
class Export:
    """A file of a library's tensors."""

    content: bytes
    what: str  # the parameters, for the reader
    lines: list[str]  # of Python, which load the file


def export(source: Path, library: str, file: Path, *, member: int | None = None, initial: bool = False) -> Export:
    """The network of a run, trained where the run trained, or of a checkpoint, in the layout of a library.

    Args:
        source: the folder of a finished run, or the file of a model.
        library: a name in `TARGETS`.
        file: to be written; its suffix decides the format.
        member: number of a member, from 0; None for the only one.
        initial: the parameters before training.

    Raises:
        ConfigError: an argument does not fit, the source cannot be read, or the library has no place for a tensor.
    """
    if library not in TARGETS:
        raise ConfigError([f"--to {library}: allowed: one of {', '.join(TARGETS)}"])
    suffixes = SUFFIXES.get(library, TORCH_SUFFIXES)
    if file.suffix not in suffixes:
        raise ConfigError([f"-o {file}: allowed for {library}: a name that ends with {' or '.join(suffixes)}"])
    model, what = _network(source, member, initial=initial)
    try:
        spec = spec_of(model)
        tensors = new_tensors(library, spec)
        return Export(_encode(tensors, file.suffix), what, loading_lines(library, spec, str(file)))
    except ConfigError as error:
        raise ConfigError([f"{source} --to {library}: {fault}" for fault in error.faults]) from None


def _network(source: Path, member: int | None, *, initial: bool) -> tuple[KAN, str]:
    """The network to write, and what its parameters are."""
    if source.is_file():
        if member is not None or initial:
            raise ConfigError([f"{source}: a file holds one network: leave --member and --initial out"])
        return read_checkpoint(source), f"the parameters of {source}"
    run = read_finished_run(source)
    if initial and not run.has(PARAMETERS):
        raise ConfigError([f"--initial: {source} trained nothing; leave it out"])
    is_trained = run.has(PARAMETERS) and not initial
    model, _ = load_model(run, PARAMETERS if is_trained else "params.safetensors")
    what = "trained parameters" if is_trained else "parameters before training" if initial else _untrained(run)
    seed, n_members = run.record.config.get("seed", 0), model.n_members
    if n_members is None:
        if member not in (None, 0):
            raise ConfigError([f"--member {member}: {source} has one network; leave it out"])
        return model, what
    if member is None or not 0 <= member < n_members:
        given = "" if member is None else f" --member {member}"
        raise ConfigError([f"{source}{given}: has {n_members} networks; choose one: --member 0 to {n_members - 1}"])
    return model.member(member), f"{what} of member {member}, seed {seed + member}"


def _untrained(run: RecordedRun) -> str:
    model = run.record.config.get("model", {})
    return f"the parameters of {model['path']}" if "path" in model else "parameters as drawn"


def _encode(tensors: dict[str, Tensor], suffix: str) -> bytes:
    if suffix == ".safetensors":
        from safetensors.torch import save

        return save(tensors)
    file = io.BytesIO()
    if suffix == ".npz":
        import numpy as np

        np.savez(file, **{name: tensor.numpy() for name, tensor in tensors.items()})  # pyright: ignore[reportArgumentType]
    else:
        torch.save(tensors, file)
    return file.getvalue()
