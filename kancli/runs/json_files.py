"""Read and write JSON: bounded before it is decoded, and checked against a type."""

from __future__ import annotations

import codecs
import functools
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kancli.errors import ConfigError, one_line
from kancli.regular_files import MAX_BYTES, read_bytes
from kancli.runs.number_text import are_numbers, number_text

T = TypeVar("T")
MAX_DEPTH = 64
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER = b"0" * 309  # digits; a float holds 308, and a hash or a word of a record has fewer


def read_json(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read a JSON object from a run's folder.

    Raises:
        ConfigError: as for `read_json_as`.
    """
    return read_json_as(path, dict[str, Any], max_bytes)


def read_json_as(path: Path, kind: type[T], max_bytes: int = MAX_BYTES) -> T:
    """Read a JSON file from a run's folder, and check its type.

    Raises:
        ConfigError: it is missing, damaged, of another type, too large, or no regular file.
    """
    return decode_json(path, read_bytes(path, max_bytes), kind, unique=True)


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
        if _LONG_NUMBER in content.translate(_DIGITS_ALIKE):
            raise ValueError("a number of more than 308 digits")
        if _is_deep(content):
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
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
    """Whether valid JSON is nested more than MAX_DEPTH deep."""
    return not _is_flat(content) and not _is_flat(_STRING.sub(b"", content))  # strings seldom have unpaired brackets


def _is_flat(content: bytes) -> bool:
    """Whether all brackets vanish when the innermost pairs are removed MAX_DEPTH times: as fast as a copy."""
    brackets = content.translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
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
    if type(content) is list and are_numbers(content):
        return f"[{number_text(content).replace(',', ', ')}]"
    if isinstance(content, (list, tuple)) and any(isinstance(value, _NESTED) for value in content):
        entries = [pretty(value, inner) for value in content]
        return f"[\n{inner}" + f",\n{inner}".join(entries) + f"\n{indent}]"
    return _encoded(content)


def pretty_parts(content: Mapping[str, Any]) -> Iterator[str]:
    """The text of `pretty` in parts. A value may be an iterator of objects, which are not kept."""
    yield "{"
    for number, (name, value) in enumerate(content.items()):
        yield f"{',' if number else ''}\n  {_encoded_name(name)}: "
        if not isinstance(value, Iterator):
            yield pretty(value, "  ")
            continue
        is_empty = True
        for entry in value:
            yield f"{'[' if is_empty else ','}\n    {pretty(entry, '    ')}"
            is_empty = False
        yield "[]" if is_empty else "\n  ]"
    yield "\n}"


def canonical(content: Any) -> str:
    """`json.dumps` with sorted keys and no blanks; sooner for long lists of numbers, later for anything else."""
    if type(content) is dict:
        return "{" + ",".join(f"{json.dumps(name)}:{canonical(content[name])}" for name in sorted(content)) + "}"
    if type(content) is list:
        return f"[{number_text(content) if are_numbers(content) else ','.join(map(canonical, content))}]"
    return json.dumps(content)


def _encoded(content: Any) -> str:
    kind = type(content)
    if kind is int or (kind is float and math.isfinite(content)):  # ten times as fast as the encoder on one number
        return repr(content)
    return "null" if content is None else _encode(content)


@functools.lru_cache(maxsize=4096)
def _encoded_name(name: str) -> str:
    return _encode(name)


_NESTED = (dict, list, tuple)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode
