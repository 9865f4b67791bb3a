"""Read a run as one side of a comparison, from its folder or from the JSON file that `kan-run bless` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from kancli.errors import ConfigError, InconclusiveError
from kancli.runs.hashes import hash_of_json, hash_of_statistics
from kancli.runs.input_file import NO_FILES, InputFile, InputFiles
from kancli.runs.json_files import pretty, read_json, read_json_as
from kancli.runs.reader import read_run
from kancli.runs.stats_schema import parse_stats
from kancli.spelling import show
from kancli.stats.verdicts import Verdict

FORMAT = 1  # of a blessed file


@dataclass(frozen=True)
class Record:
    """The parts of a run that are compared."""

    name: str  # the path of the folder or file
    semantics: int
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    ladder: Mapping[str, str]  # hashes by stage
    stats: Mapping[str, Any]  # the contents of stats.json; in a blessed file without nodes and edges
    verdicts: Sequence[Verdict]
    input_files: InputFiles = NO_FILES
    is_edited: bool = False  # a blessed file whose content does not fit its hash

    @property
    def folder(self) -> Path:
        """The folder that holds the record."""
        path = Path(self.name)
        return path if path.is_dir() else path.parent

    @property
    def has_whole_stats(self) -> bool:
        """Whether the statistics are those of the hash in the ladder, with all nodes and edges."""
        return hash_of_statistics(self.stats) == self.ladder.get("statistics")


class Environment(msgspec.Struct, frozen=True):
    """Where a run was made; older files lack some of it."""

    versions: dict[str, str] | None = None
    git: dict[str, Any] | None = None
    platform: dict[str, str] | None = None
    cpu: dict[str, str] | None = None
    threads: int | None = None


class BlessedFile(msgspec.Struct, frozen=True):
    """The contents of a blessed file."""

    semantics: int
    config: dict[str, Any]
    environment: Environment
    ladder: dict[str, str]
    stats: dict[str, Any]
    inputs: InputFile | None = None
    task_file: InputFile | None = None
    model_file: InputFile | None = None
    sha256: str | None = None  # of the canonical JSON of the other keys; older files lack it


def read(path: Path) -> Record:
    """Read a run's folder or a blessed file.

    Raises:
        InconclusiveError: it is missing, damaged, not complete, or of another schema.
    """
    try:
        return _read_folder(path) if path.is_dir() else _read_file(path)
    except ConfigError as error:
        raise InconclusiveError(str(error)) from None


def format_blessed(record: Record, folder: Path = Path()) -> str:
    """Format a record as a file to review and keep: keys sorted, without the statistics of single nodes and edges.

    Args:
        folder: where the file will be.
    """
    layers = [
        {name: value for name, value in layer.items() if name not in ("nodes", "edges")}
        for layer in record.stats["layers"]
    ]
    content = {
        "kancli_baseline": FORMAT,
        "semantics": record.semantics,
        "config": record.config,
        "environment": record.environment,
        "ladder": record.ladder,
        "stats": {**record.stats, "layers": layers},
    }
    content |= record.input_files.moved_to(folder).as_json()
    return pretty(_sort_keys({**content, "sha256": hash_of_json(content)})) + "\n"


def _read_folder(folder: Path) -> Record:
    run = read_run(folder)
    record = run.record
    if record.status != "complete":
        raise InconclusiveError(f"{folder}: the run is not complete: its status in run.json is {show(record.status)}")
    run.verify()
    stats = run.stats
    if record.semantics is None:
        raise InconclusiveError(f"{folder}/run.json: damaged: it has no semantics")
    environment = {name: getattr(record, name) for name in Environment.__struct_fields__}
    _check_ladder(folder / "run.json", record.ladder)
    result = Record(
        str(folder),
        record.semantics,
        record.config,
        environment,
        record.ladder,
        stats,
        run.verdicts,
        record.input_files,
    )
    if not result.has_whole_stats:
        raise InconclusiveError(f"{folder}/stats.json: not the statistics whose hash is in the ladder of run.json")
    return result


def _read_file(path: Path) -> Record:
    whole = read_json(path)
    version = whole.get("kancli_baseline")
    if version != FORMAT:
        raise InconclusiveError(f"{path}: not a blessed file: kancli_baseline is {show(version)}; allowed: {FORMAT}")
    content = read_json_as(path, BlessedFile)
    _check_ladder(path, content.ladder)
    verdicts = parse_stats(path, content.stats).verdicts
    others = {name: value for name, value in whole.items() if name != "sha256"}
    return Record(
        str(path),
        content.semantics,
        content.config,
        msgspec.structs.asdict(content.environment),
        content.ladder,
        content.stats,
        verdicts,
        InputFiles(inputs=content.inputs, task_file=content.task_file, model_file=content.model_file),
        is_edited=content.sha256 is not None and content.sha256 != hash_of_json(others),
    )


def _check_ladder(path: Path, ladder: Mapping[str, str]) -> None:
    if not ladder:
        raise InconclusiveError(f"{path}: its ladder has no hashes: it is damaged, or an older kancli wrote it")


def _sort_keys(content: Any) -> Any:
    """Sort the keys at every depth, except those of the ladder, which are in the order of the computation."""
    if isinstance(content, Mapping):
        return {name: content[name] if name == "ladder" else _sort_keys(content[name]) for name in sorted(content)}
    return [_sort_keys(value) for value in content] if isinstance(content, (list, tuple)) else content
