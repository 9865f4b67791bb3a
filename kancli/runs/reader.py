"""The one reader of a run's folder: run.json as a typed record; statistics, verdicts and tensors when asked for."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from kancli.errors import ConfigError
from kancli.regular_files import MAX_BYTES, open_regular, read_tensors, size_of
from kancli.runs.hashes import hash_of_bytes, hash_of_open, is_sealed
from kancli.runs.input_file import InputFile, InputFiles
from kancli.runs.json_files import convert, decode_json, read_json

if TYPE_CHECKING:
    from torch import Tensor

    from kancli.runs.stats_schema import Stats
    from kancli.stats.verdicts import Verdict

MAX_RECORD_BYTES = 2**26  # of run.json, which has 1 kB for each layer, and 10,000 layers at most
ENDED = ("complete", "failed")  # statuses of a run that computed all it could


class Hashes(msgspec.Struct, frozen=True):
    """sha256 of a run's files, and of the tensors in them; and the files' sizes in bytes, which older runs lack."""

    files: dict[str, str]
    tensors: dict[str, str] = {}
    sizes: dict[str, int] = {}


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of run.json. Older runs, and those that have not ended, lack fields that have a default; fields that
    are not listed here are ignored."""

    status: str  # running, complete, failed or interrupted
    config: dict[str, Any]
    sha256: Hashes
    identity: str | None = None
    semantics: int | None = None
    argv: list[str] = []
    overrides: list[str] = []
    started: str | None = None
    versions: dict[str, str] | None = None
    git: dict[str, Any] | None = None
    platform: dict[str, str] | None = None
    cpu: dict[str, str] | None = None
    threads: int | None = None
    error: str | None = None
    seconds: dict[str, float] = {}
    ladder: dict[str, str] = {}
    inputs: InputFile | None = None
    task_file: InputFile | None = None
    model_file: InputFile | None = None

    @property
    def input_files(self) -> InputFiles:
        """The files that the run read."""
        return InputFiles(inputs=self.inputs, task_file=self.task_file, model_file=self.model_file)

    @property
    def has_ended(self) -> bool:
        """Whether the run wrote all of its files."""
        return self.status in ENDED


@dataclass(frozen=True)
class RecordedRun:
    """A run's folder and its record. The other files are read on first use, and are those that the run wrote: each is
    checked against its sha256 in run.json."""

    folder: Path
    record: RunRecord

    @property
    def stats(self) -> dict[str, Any]:
        """The contents of stats.json.

        Raises:
            ConfigError: it is missing or damaged, or has another schema.
        """
        return self._stats[0]

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts in stats.json.

        Raises:
            ConfigError: as for `stats`.
        """
        return self._stats[1].verdicts

    @functools.cached_property
    def _stats(self) -> tuple[dict[str, Any], Stats]:
        from kancli.runs.stats_schema import parse_stats  # with numpy

        path = self.folder / "stats.json"
        content = decode_json(path, self.read("stats.json"), dict[str, Any])
        return content, parse_stats(path, content)

    @property
    def overrides(self) -> dict[str, str]:
        """The overrides by key, as typed."""
        return parse_override_words(self.record.overrides)

    def has(self, name: str) -> bool:
        """Whether the run wrote a file of this name."""
        return name in self.record.sha256.files

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of a safetensors file.

        Raises:
            ConfigError: it is missing or damaged.
        """
        with self._open(name) as file:
            self._check_hash(name, hash_of_open(file))
            return read_tensors(self.folder / name, file)

    def read(self, name: str, max_bytes: int = MAX_BYTES) -> bytes:
        """Read a file of the run.

        Raises:
            ConfigError: it is missing, too large, or not what the run wrote.
        """
        with self._open(name, max_bytes) as file:
            content = file.read(size_of(file))
        self._check_hash(name, hash_of_bytes(content))
        return content

    def verify(self, names: Iterable[str] | None = None) -> None:
        """Check that files are what the run wrote.

        Args:
            names: of the files; None for all files of the run.

        Raises:
            ConfigError: one is missing or damaged.
        """
        for name in self.record.sha256.files if names is None else names:
            with self._open(name) as file:
                self._check_hash(name, hash_of_open(file))

    @contextlib.contextmanager
    def _open(self, name: str, max_bytes: int | None = None) -> Iterator[BinaryIO]:
        """Context manager: open a file of the run, if it has the size that the run wrote: of a larger one no more is
        read."""
        if name.startswith("/") or ".." in name.split("/"):
            raise ConfigError([f"{self.folder}/run.json: damaged: {name!r} is outside the run's folder"])
        path = self.folder / name
        if self.has(name) and not os.path.lexists(path):
            raise ConfigError([f"{self.folder}: damaged: {name} is missing"])
        with open_regular(path, max_bytes) as file:
            size = self.record.sha256.sizes.get(name)
            if size is not None and size != size_of(file):
                raise ConfigError([f"{self.folder}: damaged: {name} is not what the run wrote"])
            yield file

    def _check_hash(self, name: str, digest: str) -> None:
        if self.record.sha256.files.get(name) != digest:
            raise ConfigError([f"{self.folder}: damaged: {name} is not what the run wrote"])


def read_run(folder: Path) -> RecordedRun:
    """Read the record of a run, whether or not it has ended.

    Raises:
        ConfigError: run.json is missing or damaged.
    """
    path = folder / "run.json"
    content = read_json(path, MAX_RECORD_BYTES)
    record = convert(path, content, RunRecord)
    if not is_sealed(content):
        raise ConfigError([f"{folder}: damaged: run.json is not what the run wrote"])
    return RecordedRun(folder, record)


def read_finished_run(folder: Path) -> RecordedRun:
    """Read the record of a finished run.

    Raises:
        ConfigError: run.json is missing or damaged, or the run has not ended.
    """
    run = read_run(folder)
    if not run.record.has_ended:
        raise ConfigError([f"{folder}: not the folder of a finished run: run.json says {run.record.status!r}"])
    return run


def read_drawable_run(folder: Path) -> RecordedRun:
    """Read and verify a finished run, except for its figures: they are drawn again.

    Raises:
        ConfigError: as for `read_finished_run`, or a file is missing or damaged.
    """
    run = read_finished_run(folder)
    run.verify(name for name in run.record.sha256.files if not name.startswith("figures/"))
    return run


def parse_override_words(words: Sequence[str]) -> dict[str, str]:
    """Overrides by key, as typed."""
    split = (word.partition("=") for word in words)
    return {key.lstrip("+~"): value for key, _, value in split}
