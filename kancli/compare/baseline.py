"""What of a run is held against another: read from a run's folder, or from the small JSON file that `kan-run bless`
makes of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kancli.errors import ConfigError, InconclusiveError
from kancli.runs.files import pretty, read_json
from kancli.runs.hashes import hash_of_file
from kancli.schema import show
from kancli.stats.stats_json import SCHEMA

FORMAT = 1  # of a blessed file
ENVIRONMENT = ("versions", "git", "platform", "cpu", "threads")


@dataclass(frozen=True)
class Record:
    """A run as far as it can be compared."""

    name: str  # where it was read from
    semantics: int
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    ladder: Mapping[str, str]
    stats: Mapping[str, Any]  # the contents of stats.json; a blessed file leaves out nodes and edges


def read(path: Path) -> Record:
    """A run's folder, or a blessed file.

    Raises:
        InconclusiveError: it is missing, damaged, not finished, or of another schema.
    """
    try:
        return _of_folder(path) if path.is_dir() else _of_file(path)
    except ConfigError as error:
        raise InconclusiveError(str(error)) from None


def blessed(record: Record) -> str:
    """A record as the text of a file to be reviewed and kept: sorted, without what is told node by node."""
    layers = [
        {name: each for name, each in layer.items() if name not in ("nodes", "edges")}
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
    return pretty(_sorted(content)) + "\n"


def _of_folder(folder: Path) -> Record:
    run = read_json(folder / "run.json")
    if run.get("status") != "complete":
        raise InconclusiveError(f"{folder}: not a complete run: run.json says {show(run.get('status'))}")
    hashes = run.get("sha256")
    told = hashes.get("files", {}).get("stats.json") if isinstance(hashes, Mapping) else None
    stats = read_json(folder / "stats.json")
    if told != hash_of_file(folder / "stats.json"):
        raise InconclusiveError(f"{folder}/stats.json: not what the run wrote: its hash is not that in run.json")
    return _record(str(folder), folder / "run.json", run, {name: run.get(name) for name in ENVIRONMENT}, stats)


def _of_file(path: Path) -> Record:
    content = read_json(path)
    if content.get("kancli_baseline") != FORMAT:
        given = show(content.get("kancli_baseline"))
        raise InconclusiveError(f"{path}: no baseline of this kancli: kancli_baseline is {given}, {FORMAT} is wanted")
    environment, stats = content.get("environment"), content.get("stats")
    if not isinstance(environment, Mapping) or not isinstance(stats, Mapping):
        raise InconclusiveError(f"{path}: damaged: environment or stats are missing")
    return _record(str(path), path, content, environment, stats)


def _record(
    name: str, path: Path, content: Mapping[str, Any], environment: Mapping[str, Any], stats: Mapping[str, Any]
) -> Record:
    ladder, config, semantics = content.get("ladder"), content.get("config"), content.get("semantics")
    if not isinstance(ladder, Mapping) or not all(isinstance(each, str) for each in ladder.values()) or not ladder:
        raise InconclusiveError(f"{path}: it has no ladder of hashes: it was made by an older kancli, or is damaged")
    if not isinstance(config, Mapping) or not isinstance(semantics, int):
        raise InconclusiveError(f"{path}: damaged: config or semantics are missing")
    if stats.get("schema") != SCHEMA:
        raise InconclusiveError(
            f"{path}: its statistics have schema {show(stats.get('schema'))}; this kancli reads {SCHEMA}"
        )
    if not isinstance(stats.get("layers"), list) or not all(isinstance(each, Mapping) for each in stats["layers"]):
        raise InconclusiveError(f"{path}: damaged: its statistics have no layers")
    return Record(name, semantics, config, environment, ladder, stats)


def _sorted(content: Any) -> Any:
    """Keys in order at every depth, but for the ladder, whose order is that of the computation."""
    if isinstance(content, Mapping):
        return {name: content[name] if name == "ladder" else _sorted(content[name]) for name in sorted(content)}
    return [_sorted(each) for each in content] if isinstance(content, (list, tuple)) else content
