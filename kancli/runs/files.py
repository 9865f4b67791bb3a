"""Write files atomically; read and write JSON, CSV and tensors."""

from __future__ import annotations

import codecs
import contextlib
import csv
import functools
import io
import itertools
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from kancli.errors import ConfigError, one_line
from kancli.stats.columns import flat

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
MAX_JSON_DEPTH = 64
MAX_JSON_BYTES = 2**30  # 1.8 kB per edge are 300 MB for [64, 2500]


def write_whole(target: Path, content: bytes) -> None:
    """Write a file atomically: to a temporary name first, then renamed. A kill leaves the old file or the new one.

    The temporary name is random and the file new, so that two writers do not mix, and a link that somebody prepared is
    not followed.

    Raises:
        OSError: it cannot be written; no temporary file is left.
    """
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:  # O_EXCL, which follows no link either
            file.write(content)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_below(folder: Path, name: str, content: bytes) -> Path:
    """Write a file of a folder atomically, and return its path.

    Args:
        name: relative to the folder; one level of subfolders is created.

    Raises:
        ConfigError: its subfolder is a symbolic link, which may lead out of the folder.
        OSError: it cannot be written.
    """
    path = folder / name
    make_parent(path, folder)
    write_whole(path, content)
    return path


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


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a run's folder.

    Raises:
        ConfigError: as for `read_json_as`.
    """
    return read_json_as(path, dict[str, Any])


def read_json_as(path: Path, kind: type[T]) -> T:
    """Read a JSON file from a run's folder, and check its type.

    Raises:
        ConfigError: it is missing, damaged, of another type, too large, or no regular file.
    """
    return decode_json(path, read_bytes(path), kind, unique=True)


def read_bytes(path: Path, max_bytes: int = MAX_JSON_BYTES) -> bytes:
    """Read a file from a run's folder.

    Raises:
        ConfigError: it is missing, too large, or no regular file.
    """
    check_plain(path, max_bytes)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file; give the folder of a run"]) from None
    except (OSError, ValueError) as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None


def decode_json(path: Path | str, content: bytes, kind: type[T], *, unique: bool = False) -> T:
    """Decode JSON, and check its type.

    Args:
        path: the file that it was read from, for messages.
        unique: refuse a key that occurs twice in an object; needless where the file's hash is known.

    Raises:
        ConfigError: it is no JSON, nested too deeply, has a number out of range or a key twice, or is of another type.
    """
    if content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError([f"{path}: damaged: begins with a byte order mark; allowed: UTF-8 without one"])
    try:
        value = msgspec.json.decode(content)
        if re.search(rb"\d{309}", content):  # a float holds 308 digits; a hash or a word of a record has fewer
            raise ValueError("a number of more than 308 digits")
        if _is_deep(content):
            raise ValueError(f"nested more than {MAX_JSON_DEPTH} deep")
        if unique and msgspec.json.encode(value).count(b":") != content.count(b":"):
            json.loads(content, object_pairs_hook=_unique)
    except (ValueError, OverflowError, RecursionError) as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None
    return convert(path, value, kind)


def convert(path: Path | str, value: Any, kind: type[T]) -> T:
    """Check the type of decoded JSON, and convert it.

    Args:
        path: the file that it was read from, for messages.

    Raises:
        ConfigError: it is of another type.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None


def _is_deep(content: bytes) -> bool:
    """Whether valid JSON is nested more than MAX_JSON_DEPTH deep."""
    return not _is_flat(content) and not _is_flat(_STRING.sub(b"", content))  # strings seldom have unpaired brackets


def _is_flat(content: bytes) -> bool:
    """Whether all brackets vanish when the innermost pairs are removed MAX_JSON_DEPTH times: as fast as a copy."""
    brackets = content.translate(None, _NOT_BRACKETS)
    for _ in range(MAX_JSON_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return not brackets


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of these names and values.

    Raises:
        ValueError: a name occurs twice.
    """
    content = dict(pairs)
    if len(content) < len(pairs):
        name = next(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        raise ValueError(f"the key {name!r} occurs twice")
    return content


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file from a run's folder.

    Raises:
        ConfigError: it is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_plain(path, max_bytes=None)
    try:
        return load_file(path)
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file; give the folder of a run"]) from None
    except (OSError, SafetensorError) as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None


def check_plain(path: Path, max_bytes: int | None = MAX_JSON_BYTES) -> None:
    """Check that a file, if there is one, is safe to read: no device, no link out of its folder, and not too large.

    Raises:
        ConfigError: it is not.
    """
    try:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and (max_bytes is None or status.st_size <= max_bytes):
            return  # at once: tables check 100,000 files
    except (OSError, ValueError):
        pass
    try:
        if path.is_symlink() and Path(os.path.realpath(path)).parent != Path(os.path.realpath(path.parent)):
            raise ConfigError([f"{path}: damaged: a symbolic link out of its folder"])
        if path.exists() and not path.is_file():
            raise ConfigError([f"{path}: damaged: no plain file"])
        if max_bytes is not None and path.exists() and path.stat().st_size > max_bytes:
            raise ConfigError([f"{path}: damaged: larger than {max_bytes >> 20} MB"])
    except OSError as error:
        raise ConfigError([f"{path}: damaged: {one_line(error)}"]) from None


def unwritable_message(path: Path | str, error: OSError, key: str = "hydra.run.dir") -> str:
    """The message for a folder that cannot be created or read."""
    return f"{key}={path}: {error.strerror}; name a folder elsewhere with {key}=DIR"


def pretty(content: Any, indent: str = "") -> str:
    """JSON with one entry per line, but a list of plain values on one line: json.dumps with an indent gives each of a
    million numbers a line of its own, and takes ten times as long."""
    inner = indent + "  "
    if isinstance(content, dict) and content:
        entries = [
            f"{_encoded_name(name)}: {pretty(value, inner) if isinstance(value, _NESTED) else _encoded(value)}"
            for name, value in content.items()
        ]
        return f"{{\n{inner}" + f",\n{inner}".join(entries) + f"\n{indent}}}"
    if isinstance(content, (list, tuple)) and any(isinstance(value, _NESTED) for value in content):
        entries = [pretty(value, inner) for value in content]
        return f"[\n{inner}" + f",\n{inner}".join(entries) + f"\n{indent}]"
    return _encoded(content)


def _encoded(content: Any) -> str:
    if type(content) is float and math.isfinite(content):  # ten times as fast as the encoder on one number
        return repr(content)
    return _encode(content)


@functools.lru_cache(maxsize=4096)
def _encoded_name(name: str) -> str:
    return _encode(name)


_NESTED = (dict, list, tuple)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode


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
    """CSV with one row per edge, from layers whose edges are columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, layer in enumerate(layers):
        columns = flat(layer["edges"])
        if number == 0:
            writer.writerow(["layer", *columns])
        writer.writerows(zip(itertools.repeat(layer["layer"]), *columns.values()))
    return text.getvalue().encode() or b"layer\n"
