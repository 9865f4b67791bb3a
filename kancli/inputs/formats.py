"""Formats of files of samples, and separators of text files by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kancli.schema import FaultError

ALLOWED = ".csv, .tsv, .txt, .dat, .npy, .npz, .parquet"
SUFFIXES = tuple(ALLOWED.split(", "))
MAGIC = {  # first bytes, with the suffix that the reader of the format goes by
    b"\x93NUMPY": (".npy", "a .npy file"),
    b"PAR1": (".parquet", "a .parquet file"),
    b"PK\x03\x04": (".npz", "a zip archive, such as .npz or .xlsx"),
    b"\x1f\x8b": ("", "compressed by gzip"),
    b"BZh": ("", "compressed by bzip2"),
    b"\xfd7zXZ": ("", "compressed by xz"),
    b"\x28\xb5\x2f\xfd": ("", "compressed by zstd"),
    b"\x89HDF": ("", "an HDF5 file"),
    b"\xd0\xcf\x11\xe0": ("", "an old Excel file"),
}
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "blank": " "}
OTHER_SPELLINGS = {"\\t": "tab", "pipe": "bar", "space": "blank", "": "blank", "whitespace": "blank", "\\s+": "blank"}


@dataclass(frozen=True)
class Separator:
    """The name of a separator; the character counts as its name."""

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise FaultError(self.describe())
        by_character = {character: name for name, character in SEPARATORS.items()}
        name = by_character.get(value) or OTHER_SPELLINGS.get(value.strip(" ").lower(), value.lower())
        if name not in SEPARATORS:
            raise FaultError(self.describe())
        return name

    def describe(self) -> str:
        return f"one of {', '.join(SEPARATORS)}"
