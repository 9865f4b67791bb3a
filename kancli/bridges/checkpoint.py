"""Read a checkpoint of another library: .safetensors, .npz, torch's own format, or the two files of pykan's saveckpt.

The format is told by the content. Nothing is executed: torch loads weights only, numpy unpickles nothing.
"""

from __future__ import annotations

import functools
import hashlib
import os
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from kancli.bridges.leaves import as_tensor
from kancli.bridges.model import network_of_tensors
from kancli.bridges.names import AUTO, LIBRARIES
from kancli.bridges.network import build
from kancli.bridges.own import check_metadata
from kancli.errors import ConfigError, one_line
from kancli.inputs.arrays import parse_npy
from kancli.kan.network import KAN
from kancli.regular_files import MAX_BYTES, hash_of_open, open_regular, read_tensors, size_of
from kancli.spelling import show_bytes

NAMES = (AUTO, *LIBRARIES)
WANTED = "a checkpoint: .pt, .safetensors, .npz, or the _state of pykan's saveckpt"
STATE, CONFIG = "_state", "_config.yml"  # the ends of the names of pykan's files
MAX_CONFIG_BYTES = 2**20
ZIP, PICKLE = b"PK\x03\x04", b"\x80"


@dataclass(frozen=True)
class Checkpoint:
    """The network in a file."""

    network: KAN  # not to be changed
    sha256: str  # of the file
    tensors_sha256: str  # of the network's tensors, whatever file and layout holds them


def open_checkpoint(path: Path, layout: str = AUTO, base_fun: str | None = None) -> Checkpoint:
    """As `read_checkpoint`, with hashes. A file that has not changed since is not read again."""
    return _open_cached(path, layout, base_fun, (_state_of(path), _state_of(_config_path(path))))


@functools.lru_cache(maxsize=2)  # validation, the identity and the run read the same file
def _open_cached(path: Path, layout: str, base_fun: str | None, state: Any) -> Checkpoint:
    network = read_checkpoint(path, layout, base_fun)
    with _open(path) as file:
        sha256 = hash_of_open(file)
    return Checkpoint(network, sha256, _hash_of(network))


def _state_of(path: Path) -> tuple[int, ...] | None:
    """What changes with a file; None without one."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _hash_of(network: KAN) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def read_checkpoint(path: Path, layout: str = AUTO, base_fun: str | None = None) -> KAN:
    """A KAN with the functions of a checkpoint's model.

    Args:
        path: of the file.
        layout: a name in `NAMES`.
        base_fun: name of b(x); None for that of pykan's config file, else silu.

    Raises:
        ConfigError: the file is missing, damaged, too large or of another kind, its tensors are those of no model that
            is known here, or the model has what a KAN here lacks.
    """
    if layout not in NAMES:
        raise ConfigError([f"model.layout={layout}: allowed: one of {', '.join(NAMES)}"])
    tensors = _read(path)
    recorded = _recorded_base(path)
    if base_fun and recorded and base_fun != recorded:
        raise ConfigError([f"model.base_fun={base_fun}: {recorded} by {_config_path(path)}; leave model.base_fun out"])
    try:
        known = None if layout == AUTO else layout
        return build(network_of_tensors(tensors, known, base_fun or recorded))
    except ConfigError as error:
        raise ConfigError([f"{path}: {fault}" for fault in error.faults]) from None


def _open(path: Path) -> AbstractContextManager[BinaryIO]:
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
    return open_regular(target, MAX_BYTES, wanted=WANTED)


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name."""
    with _open(path) as file:
        head = file.read(9)
        file.seek(0)
        if head.startswith(ZIP):
            tensors = _read_zip(path, file)
        elif head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size_of(file):
            tensors = _read_safetensors(path, file)
        elif head.startswith(PICKLE):
            tensors = _read_torch(path, file)
        else:
            raise ConfigError([f"{path}: no checkpoint of torch, safetensors or numpy; give {WANTED}"])
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > MAX_BYTES:  # a tensor may repeat a few bytes of the file
        raise ConfigError([f"{path}: its tensors have {show_bytes(size)}; allowed: at most {show_bytes(MAX_BYTES)}"])
    return tensors


def _read_zip(path: Path, file: BinaryIO) -> dict[str, Tensor]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size > MAX_BYTES:
                limit = show_bytes(MAX_BYTES)
                raise ConfigError([f"{path}: holds {show_bytes(size)} unpacked; allowed: at most {limit}"])
            arrays = [member for member in members if member.filename.endswith(".npy")]
            if arrays:
                return {
                    member.filename.removesuffix(".npy"): as_tensor(_array(archive.read(member))) for member in arrays
                }
    except ConfigError:
        raise
    except Exception as error:  # zipfile, zlib and numpy have errors of their own
        raise ConfigError([f"{path}: damaged: {one_line(error)[:200]}"]) from None
    file.seek(0)
    return _read_torch(path, file)


def _array(content: bytes) -> Any:
    array = parse_npy(content)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"an array of {array.dtype}")
    return array


def _read_safetensors(path: Path, file: BinaryIO) -> dict[str, Tensor]:
    from safetensors import safe_open

    tensors = read_tensors(path, file)
    with safe_open(f"/dev/fd/{file.fileno()}", framework="pt") as opened:
        _check_metadata(path, opened.metadata())
    return tensors


def _check_metadata(path: Path, metadata: Any) -> None:
    try:
        check_metadata(metadata)
    except ConfigError as error:
        raise ConfigError([f"{path}: {fault}" for fault in error.faults]) from None


def _read_torch(path: Path, file: BinaryIO) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the protocol of pickle
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds, for a damaged file and for one that holds code
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise ConfigError(
                [f"{path}: holds more than tensors, which would run code; save model.state_dict() in place of it"]
            ) from None
        raise ConfigError([f"{path}: damaged: {one_line(error)[:200]}"]) from None
    if tensors := _only_tensors(content):
        _check_metadata(path, getattr(content, "_metadata", None))
        return tensors
    parts = {name: part for name, entry in _entries(content).items() if (part := _only_tensors(entry))}
    if len(parts) == 1:  # such as {"epoch": 3, "state_dict": {...}}
        ((name, tensors),) = parts.items()
        _check_metadata(path, getattr(content[name], "_metadata", None))
        return tensors
    several = f"; it has several: {', '.join(map(str, parts))}" if parts else ""
    raise ConfigError([f"{path}: no tensors by name{several}; save model.state_dict()"])


def _entries(content: Any) -> Mapping[Any, Any]:
    return content if isinstance(content, Mapping) else {}


def _only_tensors(content: Any) -> dict[str, Tensor]:
    return {str(name): value.detach() for name, value in _entries(content).items() if isinstance(value, Tensor)}


def _config_path(path: Path) -> Path:
    return path.parent / (path.name.removesuffix(STATE) + CONFIG)


def _recorded_base(path: Path) -> str | None:
    """The base function by pykan's config file beside its state; None without such a file.

    Raises:
        ConfigError: the file is damaged, or its base function is code.
    """
    config = _config_path(path)
    if not path.name.endswith(STATE) or not os.path.lexists(config):
        return None
    import yaml

    with open_regular(Path(os.path.realpath(config)), MAX_CONFIG_BYTES) as file:
        content = file.read(MAX_CONFIG_BYTES)
    try:
        values = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, yaml.constructor.ConstructorError):
            raise ConfigError(
                [f"{config}: its base function is code, which is not run; save it with base_fun='silu' or another name"]
            ) from None
        raise ConfigError([f"{config}: damaged: {one_line(error)[:200]}"]) from None
    name = values.get("base_fun_name") if isinstance(values, Mapping) else None
    if name is not None and not isinstance(name, str):
        raise ConfigError([f"{config}: damaged: base_fun_name is no text"])
    return name
