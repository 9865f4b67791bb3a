"""Reading and writing files: whole or not at all, JSON, CSV and tensors."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from kancli.errors import ConfigError, one_line
from kancli.stats.columns import flat

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
MAX_JSON_BYTES = 2**30  # bytes: 1.8 kB an edge are 300 MB for [64, 2500]


def write_whole(target: Path, content: bytes) -> None:
    """Write a file whole, whenever the process may be killed: under a temporary name first, then renamed.

    Raises:
        OSError: it cannot be written; then nothing is left.
    """
    temporary = target.with_name(f".{target.name}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
        temporary.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that a run left.

    Raises:
        ConfigError: as for `read_json_as`.
    """
    return read_json_as(path, dict[str, Any])


def read_json_as(path: Path, kind: type[T]) -> T:
    """Read a JSON file that a run left, and check that it is of a type.

    Raises:
        ConfigError: it is missing, damaged, of another type, too large, or no regular file.
    """
    check_plain(path)
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file; give the folder of a run"]) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """A safetensors file that a run left.

    Raises:
        ConfigError: it is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_plain(path, most=None)
    try:
        return load_file(path)
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file; give the folder of a run"]) from None
    except (OSError, SafetensorError) as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None


def check_plain(path: Path, most: int | None = MAX_JSON_BYTES) -> None:
    """Check that a file is a plain one that can be read whole: no device, and no link out of its folder.

    Raises:
        ConfigError: it is not.
    """
    try:
        if path.is_symlink() and path.resolve().parent != path.parent.resolve():
            raise ConfigError([f"{path}: damaged: a symbolic link out of its folder"])
        if path.exists() and not path.is_file():
            raise ConfigError([f"{path}: damaged: no plain file"])
        if most is not None and path.exists() and path.stat().st_size > most:
            raise ConfigError([f"{path}: damaged: larger than {most >> 20} MB"])
    except OSError as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None


def unwritable_message(path: Path | str, error: OSError, key: str = "hydra.run.dir") -> str:
    """The message for a folder that cannot be made or looked into."""
    return f"{key}={path}: {error.strerror}; name a folder elsewhere with {key}=DIR"


def pretty(content: Any, indent: str = "") -> str:
    """JSON with an entry a line, but lists of plain values on one: as json.dumps writes it with an indent, each of a
    million numbers would have a line and take ten times as long."""
    inner = indent + "  "
    if isinstance(content, dict) and content:
        entries = [
            f"{_encoded_name(name)}: {pretty(each, inner) if isinstance(each, _NESTED) else _encoded(each)}"
            for name, each in content.items()
        ]
        return f"{{\n{inner}" + f",\n{inner}".join(entries) + f"\n{indent}}}"
    if isinstance(content, (list, tuple)) and any(isinstance(each, _NESTED) for each in content):
        entries = [pretty(each, inner) for each in content]
        return f"[\n{inner}" + f",\n{inner}".join(entries) + f"\n{indent}]"
    return _encoded(content)


def _encoded(content: Any) -> str:
    if type(content) is float and math.isfinite(content):  # the encoder takes ten times as long over a single number
        return repr(content)
    return _encode(content)


@functools.lru_cache(maxsize=4096)
def _encoded_name(name: str) -> str:
    return _encode(name)


_NESTED = (dict, list, tuple)


_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode


def csv_of_rows(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A table with a header; None is an empty cell. All rows have the columns of the first."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["layer"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def csv_of_edges(layers: Iterable[Mapping[str, Any]]) -> bytes:
    """One row an edge, from layers whose edges are columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, layer in enumerate(layers):
        columns = flat(layer["edges"])
        if number == 0:
            writer.writerow(["layer", *columns])
        writer.writerows(zip(itertools.repeat(layer["layer"]), *columns.values()))
    return text.getvalue().encode() or b"layer\n"
