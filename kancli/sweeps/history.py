"""The runs, sweeps and races below some folders, newest first; and `latest`, the words that stand for one of them."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from kancli.errors import ConfigError
from kancli.runs.json_files import read_json_as
from kancli.runs.reader import read_run
from kancli.spelling import shorten
from kancli.stats.options import worst
from kancli.sweeps.plan import MULTIRUN, PLAN

ROOTS = ("outputs", "multirun")  # where runs and sweeps go unless a folder is named
MAX_DEPTH = 4  # of a run below its root; the usual one is DATE/TIME-ID
LATEST = re.compile(r"latest(-(?P<kind>sweep|race))?(~(?P<before>\d{1,9}))?(?P<rest>/.*)?")
RACE = "race.json"  # what `kan-run race` leaves
RECORDS = {PLAN: "sweep", MULTIRUN: "sweep", RACE: "race", "run.json": "run"}  # the kinds of folders by their files


@dataclass(frozen=True)
class Entry:
    """The folder of a run, of a sweep or of a race."""

    folder: Path
    kind: str  # run, sweep or race
    changed: float  # when its record was last written, in seconds since 1970


@dataclass(frozen=True)
class Description:
    """What `kan-run ls` prints of a run, a sweep or a race."""

    folder: str
    kind: str  # run, sweep or race
    when: str  # local time
    what: str  # the overrides, as typed
    status: str
    verdict: str | None  # the worst


class SweepSummary(msgspec.Struct, frozen=True):
    """The parts of summary.json that describe a sweep."""

    jobs: int
    status: dict[str, int]
    sweeps: list[dict[str, Any]] = []
    verdicts: dict[str, int] = {}


class RaceSummary(msgspec.Struct, frozen=True):
    """The parts of race.json that describe a race."""

    status: str
    typed: list[str]


def find_entries(roots: Sequence[Path]) -> list[Entry]:
    """The runs, sweeps and races below some folders, the last written first; without the jobs of sweeps."""
    entries = [entry for root in dict.fromkeys(roots) for entry in _walk(root, MAX_DEPTH)]
    return sorted(entries, key=lambda entry: (-entry.changed, str(entry.folder)))


def _walk(folder: Path, depth: int) -> Iterator[Entry]:
    try:
        with os.scandir(folder) as found:
            children = {child.name: child for child in found}
    except OSError:  # not a folder, or one that cannot be read
        return
    record = next((name for name in RECORDS if name in children), None)
    if record is not None:
        with contextlib.suppress(FileNotFoundError):  # removed since
            yield Entry(folder, RECORDS[record], children[record].stat(follow_symlinks=False).st_mtime)
    elif depth:
        for name, child in children.items():
            if child.is_dir(follow_symlinks=False) and not name.startswith("."):
                yield from _walk(folder / name, depth - 1)


def describe(entry: Entry) -> Description:
    """Read what `kan-run ls` prints; a folder whose record cannot be read is "damaged"."""
    when = datetime.fromtimestamp(entry.changed).strftime("%Y-%m-%d %H:%M")
    try:
        what, status, verdict = {"run": _run, "sweep": _sweep, "race": _race}[entry.kind](entry.folder)
    except ConfigError as error:
        what, status, verdict = error.args[0], "damaged", None
    return Description(str(entry.folder), entry.kind, when, shorten(what), status, verdict)


def _run(folder: Path) -> tuple[str, str, str | None]:
    run = read_run(folder)
    has_verdicts = run.record.status == "complete" and run.has("stats.json")
    verdicts = {verdict.verdict for verdict in run.verdicts} if has_verdicts else set()
    return _join(run.record.overrides), run.record.status, worst(verdicts)


def _sweep(folder: Path) -> tuple[str, str, str | None]:
    if not (folder / "summary.json").exists():
        return "", "unfinished", None
    summary = read_json_as(folder / "summary.json", SweepSummary)
    typed = summary.sweeps[0].get("typed") if summary.sweeps else None
    n_complete = summary.status.get("complete", 0)
    verdicts = [verdict for verdict, count in summary.verdicts.items() if count]
    return _join(typed or []), f"{n_complete} of {summary.jobs}", worst(verdicts)


def _race(folder: Path) -> tuple[str, str, str | None]:
    summary = read_json_as(folder / RACE, RaceSummary)
    return _join(["race", *summary.typed]), summary.status, None


def _join(words: Any) -> str:
    return " ".join(map(str, words)) if isinstance(words, list) else ""


def resolve_latest(word: str) -> str:
    """The path that a word means: `latest` the newest run, `latest~1` the one before, `latest-sweep` the newest sweep,
    `latest-race` the newest race.

    Other words, and the names of things that exist, are returned unchanged. A path below may follow: `latest/figures`.

    Raises:
        ConfigError: there are not so many runs.
    """
    match = LATEST.fullmatch(word)
    if match is None or os.path.lexists(word):
        return word
    kind, before = match["kind"] or "run", int(match["before"] or 0)
    found = [entry for entry in find_entries([Path(root) for root in ROOTS]) if entry.kind == kind]
    if before >= len(found):
        count = f"{len(found)} {kind}{'s' if len(found) != 1 else ''}"
        raise ConfigError([f"{shlex.quote(word)}: {count} under outputs/ and multirun/ here; kan-run ls lists them"])
    return f"{found[before].folder}{match['rest'] or ''}"
