"""What a run leaves on disk: a folder of its own, files that appear whole, and run.json that says how it ended."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.errors import ConfigError, KanError
from kancli.runs.files import csv_of_edges, csv_of_rows, pretty, unwritable_message, write_whole
from kancli.runs.hashes import hash_of, hash_of_file
from kancli.runs.reader import read_run
from kancli.stats.columns import flat

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger("kancli")

HYDRA_RECORD = ".hydra"


class RunFolder:
    """A run's folder, from claim to completion.

    Args:
        path: where it is; use `create` to make one.
        head: what run.json says from the start.
    """

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self.path = path
        self.head = dict(head)
        self.files: dict[str, str] = {}  # sha256 by name
        self.tensors: dict[str, str] = {}
        self.superseded: Path | None = None  # where the run is whose place this one takes
        self.final_path: Path | None = None  # where the folder goes, whole, at the end
        self._handler: logging.Handler | None = None

    @classmethod
    def create(
        cls, path: Path, hydra_record: Mapping[str, str], head: Mapping[str, Any], *, overwrite: bool = False
    ) -> RunFolder:
        """Make the folder this run's own, or fail before anything in it is touched.

        Making `.hydra` inside is the claim: of two processes only one can.

        Args:
            hydra_record: the files of `.hydra`, by name.
            head: what run.json says from the start.
            overwrite: whether a finished run that is there may be set aside; it is removed once this one is complete.

        Raises:
            ConfigError: the folder holds something already, or cannot be written.
        """
        superseded = _set_aside(path) if overwrite else None
        check_fresh(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / HYDRA_RECORD).mkdir()
        except FileExistsError:
            raise ConfigError([not_empty_message(path)]) from None
        except OSError as error:
            if superseded is not None:
                with contextlib.suppress(OSError):
                    superseded.rename(path)
            raise ConfigError([unwritable_message(path, error)]) from None
        folder = cls(path, head)
        folder.superseded = superseded
        for name, text in hydra_record.items():
            folder.write(f"{HYDRA_RECORD}/{name}", text.encode())
        folder._open_log()
        folder._write_run("running", {})
        return folder

    @classmethod
    def create_staged(cls, path: Path, hydra_record: Mapping[str, str], head: Mapping[str, Any]) -> RunFolder:
        """A folder that nobody sees before it is closed, when it takes its place at once.

        It is for the jobs of a sweep, each of which belongs to one process: half as many calls of the file system.

        Raises:
            ConfigError: the folder cannot be made.
        """
        hidden = path.with_name(f".{path.name}.part")
        try:
            if hidden.exists():  # of a process that was killed
                shutil.rmtree(hidden)
            (hidden / HYDRA_RECORD).mkdir(parents=True)
        except OSError as error:
            raise ConfigError([unwritable_message(path, error, "hydra.sweep.dir")]) from None
        folder = cls(hidden, head)
        folder.final_path = path
        for name, text in hydra_record.items():
            folder.write(f"{HYDRA_RECORD}/{name}", text.encode())
        folder._open_log()
        return folder

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole, and keep its hash for run.json."""
        target = self.path / name
        try:
            if target.parent != self.path:  # which was claimed, and is not made anew where somebody removed it
                target.parent.mkdir(exist_ok=True)
            if self.final_path is None:
                write_whole(target, content)
            else:
                target.write_bytes(content)
        except OSError as error:
            raise KanError(f"{target}: cannot be written: {error.strerror}") from error
        self.files[name] = hashlib.sha256(content).hexdigest()

    def write_json(self, name: str, content: Any) -> None:
        self.write(name, (pretty(content) + "\n").encode())

    def write_tensors(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Write a safetensors file, and keep each tensor's hash for run.json."""
        from safetensors.torch import save

        for key, tensor in tensors.items():
            self.tensors[f"{name}:{key}"] = hash_of(tensor)
        self.write(name, save({key: tensor.contiguous() for key, tensor in tensors.items()}))

    def tensor_hashes(self) -> dict[str, str]:
        """Of parameters and activations, by name."""
        files = ("params.safetensors", "activations.safetensors")
        split = ((*key.partition(":"), digest) for key, digest in self.tensors.items())
        return {name: digest for file, _, name, digest in split if file in files}

    def write_stats(self, stats: Mapping[str, Any]) -> None:
        """Write stats.json, and the same as tables: layers.csv and edges.csv."""
        self.write_json("stats.json", stats)
        layers = [
            {name: value for name, value in layer.items() if name not in ("nodes", "edges")}
            for layer in stats["layers"]
        ]
        self.write("layers.csv", csv_of_rows(flat(layer) for layer in layers))
        self.write("edges.csv", csv_of_edges(stats["layers"]))

    def write_members(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write members.csv: the statistics of each layer of each member."""
        self.write("members.csv", csv_of_rows(rows))

    def close(self, status: str, **more: Any) -> None:
        """Say in run.json how the run ended. For a complete run this is the last thing written."""
        log.info("%s", status)
        if self._handler is not None:
            log.removeHandler(self._handler)
            self._handler.close()
            self._handler = None
        self.files["run.log"] = hash_of_file(self.path / "run.log")
        self._write_run(status, more)
        if self.final_path is not None:
            try:
                self.path.rename(self.final_path)
            except OSError as error:
                raise KanError(f"{self.final_path}: cannot be written: {error.strerror}") from error
        if self.superseded is not None and status == "complete":
            shutil.rmtree(self.superseded, ignore_errors=True)
        elif self.superseded is not None:
            log.warning("overwrite=true: the run that was there is kept in %s", self.superseded)

    def _write_run(self, status: str, more: Mapping[str, Any]) -> None:
        hashes = {"files": self.files, "tensors": self.tensors}
        files = dict(self.files)
        self.write_json("run.json", {"status": status, **self.head, **more, "sha256": hashes})
        self.files = files  # run.json cannot hold its own hash

    def _open_log(self) -> None:
        self._handler = logging.FileHandler(self.path / "run.log", encoding="utf-8")
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(self._handler)


def check_fresh(path: Path, key: str = "hydra.run.dir", *, overwrite: bool = False) -> None:
    """Check, without touching anything, that a run could have this folder for its own.

    Args:
        overwrite: whether it may hold a finished run.

    Raises:
        ConfigError: it holds something already, is no folder, or cannot be written.
    """
    try:
        if path.is_dir():
            if any(path.iterdir()) and not overwrite:
                raise ConfigError([not_empty_message(path, key)])
            if any(path.iterdir()):
                _check_finished(path)
        elif path.exists():
            raise ConfigError([f"{key}={path}: is a file; name a folder that is new or empty"])
    except OSError as error:
        raise ConfigError([unwritable_message(path, error, key)]) from None
    parent = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigError([f"{key}={path}: {parent} cannot be written; name a folder elsewhere with {key}=DIR"])


def _check_finished(path: Path) -> None:
    """Check that a folder is a run's which has come to its end: nothing else is ever overwritten.

    Raises:
        ConfigError: it is not.
    """
    try:
        status = read_run(path).record.status
    except ConfigError:
        status = None
    if status not in ("complete", "failed", "interrupted"):
        reason = "its run is not finished, or was killed" if status == "running" else "it is not the folder of a run"
        raise ConfigError(
            [f"overwrite=true hydra.run.dir={path}: {reason}; name another folder, or remove it yourself"]
        )


def _set_aside(path: Path) -> Path | None:
    """Move a finished run's folder to a hidden name beside it."""
    if not path.is_dir() or not any(path.iterdir()):
        return None
    _check_finished(path)
    create_staged = path.with_name(f".{path.name}.replaced-{uuid.uuid4().hex[:8]}")
    try:
        path.rename(create_staged)
    except OSError as error:
        raise ConfigError([unwritable_message(path, error)]) from None
    return create_staged


def not_empty_message(path: Path, key: str = "hydra.run.dir") -> str:
    also = ", or add overwrite=true" if key == "hydra.run.dir" else ""
    return f"{key}={path}: is not empty; a run writes to a fresh folder: name another, leave {key} out{also}"
