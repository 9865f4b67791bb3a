"""Write a run's folder: files appear whole, and run.json has the status of the run."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.errors import ConfigError, WriteError
from kancli.regular_files import open_regular
from kancli.runs import signals
from kancli.runs.files import csv_of_edges, csv_of_rows, make_parent, unwritable_message, write_whole
from kancli.runs.fresh import check_fresh, not_empty_message
from kancli.runs.hashes import hash_of, hash_of_bytes, hash_of_file, seal
from kancli.runs.json_files import pretty
from kancli.runs.reader import RecordedRun, read_run
from kancli.runs.superseded import Superseded, lock_folder, put_back_superseded
from kancli.stats.columns import flat

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger("kancli")

HYDRA_RECORD = ".hydra"
CURVES, PARAMETERS, FIT = "training.csv", "trained.safetensors", "fit.safetensors"  # what a training leaves


class RunFolder:
    """A run's folder while it is written. Use `create` or `create_staged` for a new one.

    Args:
        path: of an existing folder.
        head: the fields that run.json has from the start.
    """

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self.path = path
        self.head = dict(head)
        self.files: dict[str, str] = {}  # sha256 by name
        self.sizes: dict[str, int] = {}  # in bytes
        self.tensors: dict[str, str] = {}
        self.superseded: Superseded | None = None  # an overwritten run, under a hidden name
        self.final_path: Path | None = None  # of a staged folder, which `close` renames
        self._handler: logging.Handler | None = None
        self._lock: int | None = None  # descriptor of the folder, locked while its run is at work

    @classmethod
    def create(
        cls, path: Path, hydra_record: Mapping[str, str], head: Mapping[str, Any], *, overwrite: bool = False
    ) -> RunFolder:
        """Create the folder, or claim an empty one.

        Of several processes, the one that creates `.hydra` has the folder; the others fail and touch nothing.

        Args:
            hydra_record: the files of `.hydra`, by name.
            head: the fields that run.json has from the start.
            overwrite: move a run that has ended or was killed out of the way; remove it once this one is complete.

        Raises:
            ConfigError: the folder is not empty, or cannot be written.
        """
        target = path.resolve() if path.is_symlink() else path  # a link stays one
        with _claims(target):
            put_back_superseded(target)
            superseded = None
            try:
                with signals.deferred_signals():  # a signal comes once it is known what to put back
                    superseded = Superseded.set_aside(target) if overwrite else None
                folder = cls._create(path, target, hydra_record, head)
            except BaseException:
                if superseded is not None:
                    superseded.put_back()
                raise
            folder.superseded = superseded
            return folder

    @classmethod
    def _create(cls, path: Path, target: Path, hydra_record: Mapping[str, str], head: Mapping[str, Any]) -> RunFolder:
        folder = cls(path, head)
        try:
            check_fresh(path)
            target.mkdir(parents=True, exist_ok=True)
            (path / HYDRA_RECORD).mkdir()
        except FileExistsError:
            raise ConfigError([not_empty_message(path)]) from None
        except OSError as error:
            raise ConfigError([unwritable_message(path, error)]) from None
        try:
            folder._lock = lock_folder(path)
            folder._open(hydra_record)
            folder._write_run("running", {})
        except BaseException:  # a full disk, or a signal
            folder.discard()
            raise
        return folder

    @classmethod
    def create_staged(cls, path: Path, hydra_record: Mapping[str, str], head: Mapping[str, Any]) -> RunFolder:
        """Create the folder under a hidden name; `close` renames it into place.

        For the jobs of a sweep, which have one writer each: files need no temporary names, so this takes half as many
        system calls as `create`.

        Raises:
            ConfigError: the folder cannot be created.
            WriteError: there is no room for it.
        """
        hidden = _staged_path(path)
        try:
            remove_staged(path)  # of a process that was killed
            (hidden / HYDRA_RECORD).mkdir(parents=True)
        except OSError as error:
            shutil.rmtree(hidden, ignore_errors=True)
            if (full := WriteError(hidden, error)).no_room:
                raise full from None
            raise ConfigError([unwritable_message(path, error, "hydra.sweep.dir")]) from None
        folder = cls(hidden, head)
        folder.final_path = path
        try:
            folder._open(hydra_record)
        except WriteError:
            folder.discard()
            raise
        return folder

    @classmethod
    def reopen(cls, run: RecordedRun, head: Mapping[str, Any]) -> RunFolder:
        """Go on with the folder of a run that was interrupted or killed.

        Raises:
            ConfigError: its run is at work, or a file that is kept is damaged.
        """
        path, hashes = run.folder, run.record.sha256
        kept = [name for name in hashes.files if name.startswith(f"{HYDRA_RECORD}/")]
        run.verify(kept)
        if os.path.lexists(path / "run.log"):
            with open_regular(path / "run.log"):
                pass  # neither a pipe, which would wait for a reader, nor a link out of the folder
        lock = lock_folder(path, required=False)
        if lock is None or read_run(path).record != run.record:
            raise ConfigError([f"{path}: its run is at work; wait for it"])
        folder = cls(path, head)
        folder._lock = lock
        folder.files = {name: hashes.files[name] for name in kept}
        folder.sizes = {name: hashes.sizes[name] for name in kept if name in hashes.sizes}
        try:
            folder._open_log()
            folder._write_run("running", {})
        except OSError as error:
            raise WriteError(path / "run.log", error) from error
        return folder

    @property
    def is_staged(self) -> bool:
        """Whether nobody sees the folder before it is closed."""
        return self.final_path is not None

    def _open(self, hydra_record: Mapping[str, str]) -> None:
        for name, text in hydra_record.items():
            self.write(f"{HYDRA_RECORD}/{name}", text.encode())
        try:
            self._open_log()
        except OSError as error:
            raise WriteError(self.path / "run.log", error) from error

    def discard(self) -> None:
        """Remove the folder: nothing in it is of use."""
        with contextlib.suppress(OSError):
            self._release_log()
        shutil.rmtree(self.path.resolve(), ignore_errors=True)  # a link stays one
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _release_log(self) -> None:
        if self._handler is not None:
            handler, self._handler = self._handler, None
            log.removeHandler(handler)
            handler.close()  # may write what a full disk did not take before

    def write(self, name: str, content: bytes) -> None:
        """Write a file, and keep its hash for run.json.

        Raises:
            ConfigError: its subfolder is a symbolic link.
            KanError: it cannot be written.
        """
        target = self.path / name
        try:
            make_parent(target, self.path)
            if self.final_path is None:
                write_whole(target, content)
            else:
                target.write_bytes(content)
        except OSError as error:
            raise WriteError(target, error) from error
        self.files[name], self.sizes[name] = hash_of_bytes(content), len(content)

    def remove(self, name: str) -> None:
        """Remove a file that was written, if it was."""
        self.files.pop(name, None)
        self.sizes.pop(name, None)
        (self.path / name).unlink(missing_ok=True)

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file."""
        self.write(name, (pretty(content) + "\n").encode())

    def write_tensors(self, name: str, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
        """Write a safetensors file, and keep the hash of each tensor for run.json."""
        from safetensors.numpy import save  # a quarter of the time of safetensors.torch, for small tensors

        for key, tensor in tensors.items():
            self.tensors[f"{name}:{key}"] = hash_of(tensor)
        self.write(name, save({key: tensor.contiguous().numpy() for key, tensor in tensors.items()}, metadata))

    def tensor_hashes(self) -> dict[str, str]:
        """The hashes of parameters and activations, by name."""
        return self._hashes_in("params.safetensors", "activations.safetensors")

    def trained_hashes(self) -> dict[str, str]:
        """The hashes of the parameters after training, by name."""
        return self._hashes_in(PARAMETERS)

    def _hashes_in(self, *files: str) -> dict[str, str]:
        split = ((*key.partition(":"), digest) for key, digest in self.tensors.items())
        return {name: digest for file, _, name, digest in split if file in files}

    def write_stats(self, stats: Mapping[str, Any]) -> None:
        """Write stats.json, and its tables layers.csv and, but for an MLP, edges.csv."""
        self.write_json("stats.json", stats)
        layers = [
            {name: value for name, value in layer.items() if name not in ("nodes", "edges")}
            for layer in stats["layers"]
        ]
        self.write("layers.csv", csv_of_rows(flat(layer) for layer in layers))
        if all("edges" in layer for layer in stats["layers"]):
            self.write("edges.csv", csv_of_edges(stats["layers"]))

    def write_members(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write members.csv: the statistics of each layer of each member."""
        self.write("members.csv", csv_of_rows(rows))

    def close(self, status: str, **fields: Any) -> None:
        """Write the final status and fields to run.json, the last file of a run."""
        log.info("%s", status)
        log_file = self.path / "run.log"
        try:
            self._release_log()
            self.files["run.log"], self.sizes["run.log"] = hash_of_file(log_file), log_file.stat().st_size
        except OSError as error:
            raise WriteError(log_file, error) from error
        self._write_run(status, fields)
        self._unlock()
        if self.final_path is not None:
            try:
                self.path.rename(self.final_path)
            except OSError as error:
                raise WriteError(self.final_path, error) from error
        if self.superseded is not None and status == "complete":
            self.superseded.remove()
        elif self.superseded is not None:
            self.superseded.keep()

    def _write_run(self, status: str, fields: Mapping[str, Any]) -> None:
        hashes = {"files": dict(self.files), "sizes": dict(self.sizes), "tensors": self.tensors}
        self.write_json("run.json", seal({"status": status, **self.head, **fields, "sha256": hashes}))
        del self.files["run.json"], self.sizes["run.json"]  # it has the hash of itself

    def _open_log(self) -> None:
        self._handler = logging.FileHandler(self.path / "run.log", encoding="utf-8")
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(self._handler)


@contextlib.contextmanager
def _claims(path: Path) -> Iterator[None]:
    """Context manager: lock the parent while a run is moved aside and the folder claimed; without the lock, a process
    could move aside the run that another one has just begun."""
    parent = path.absolute().parent
    with contextlib.ExitStack() as stack:
        if not (parent / "run.json").exists():  # a run at work has locked its folder until it ends
            with contextlib.suppress(OSError):  # a file system without locks, or a parent that does not exist yet
                descriptor = os.open(parent, os.O_RDONLY)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _staged_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def remove_staged(path: Path) -> None:
    """Remove what `RunFolder.create_staged` left of a folder that was never closed."""
    hidden = _staged_path(path)
    if hidden.exists():
        shutil.rmtree(hidden, ignore_errors=True)
