"""`kan-run check`: a baseline's run made again from its record alone, and held against it."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.compare import baseline
from kancli.compare.baseline import Record
from kancli.compare.tolerance import Comparison, compare
from kancli.config.identity import config_of, identity
from kancli.config.validation import validate
from kancli.errors import DRIFT, INCONCLUSIVE, ConfigError, InconclusiveError, KanError
from kancli.runs import experiment
from kancli.runs.environment import environment
from kancli.runs.files import write_whole
from kancli.runs.hashes import hash_of, ladder
from kancli.runs.pool import process_pool
from kancli.seeding import SEMANTICS

if TYPE_CHECKING:
    from kancli.config.settings import Settings


@dataclass(frozen=True)
class Check:
    """One baseline's answer: a comparison, or why there is none."""

    name: str
    comparison: Comparison | None
    reason: str | None = None

    @property
    def answer(self) -> str:
        """One of "match", "match within tier", "drift" and "inconclusive"."""
        return "inconclusive" if self.comparison is None else self.comparison.answer


def exit_code(checks: Sequence[Check]) -> int:
    """4 if any run drifted, else 5 if any is inconclusive, else 0."""
    answers = {each.answer for each in checks}
    return DRIFT if "drift" in answers else INCONCLUSIVE if "inconclusive" in answers else 0


def paths_of(patterns: Sequence[str]) -> list[Path]:
    """The baselines named, those of a pattern in order of name; one that names nothing stands for itself."""
    paths: dict[Path, None] = {}
    for pattern in patterns:
        found = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else []
        paths |= dict.fromkeys(map(Path, found or [pattern]))
    return list(paths)


def check_all(paths: Sequence[Path], *, jobs: int = 1) -> Iterator[Check]:
    """Check several baselines, in so many processes, which divide the threads among them; in order, each answer as it
    comes."""
    if jobs == 1 or len(paths) == 1:
        yield from map(check, paths)
        return
    with process_pool(min(jobs, len(paths))) as pool:
        for each in [pool.schedule(check, [path]) for path in paths]:
            yield each.result()


def check(path: Path) -> Check:
    """Make the run of a baseline again, and compare."""
    try:
        record = baseline.read(path)
        if record.semantics != SEMANTICS:
            raise InconclusiveError(
                f"{path}: made with semantics {record.semantics}, this kancli has {SEMANTICS} (see CHANGELOG.md):"
                " look at the change, then bless it anew"
            )
        return Check(str(path), compare(record, again(record)))
    except KanError as error:
        return Check(str(path), None, str(error))


def again(record: Record) -> Record:
    """The run of a record, made again here. No file is written.

    Raises:
        InconclusiveError: its config cannot be run here.
    """
    try:
        settings = validate(record.config)
        return record_of(settings, record.name)
    except ConfigError as error:
        raise InconclusiveError("\n".join(f"{record.name}: {fault}" for fault in error.faults)) from None


def record_of(settings: Settings, name: str) -> Record:
    """What a run of these settings computes here, without its figures."""
    plain = dataclasses.replace(settings, figures=dataclasses.replace(settings.figures, names=()))
    result = experiment.compute(plain)
    hashes = {name: hash_of(each) for name, each in {**result.parameters(), **result.activations}.items()}
    rungs = ladder(identity(settings), hashes, result.stats)
    return Record(name, SEMANTICS, config_of(settings), environment(), rungs, result.stats)


def bless(run: Path, target: Path) -> None:
    """Write a run's record to a file that can be reviewed and kept.

    Raises:
        ConfigError: the file cannot be written.
    """
    text = baseline.blessed(baseline.read(run))
    write(target, text)


def update(target: Path) -> None:
    """Make the run of a blessed file again, and put what it is now in its place."""
    record = baseline.read(target)
    if target.is_dir():
        raise ConfigError([f"{target}: bless --update FILE: a run's folder stays as it is"])
    write(target, baseline.blessed(again(record)))


def write(target: Path, content: str) -> None:
    """Write a file of the user's choice.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        write_whole(target, content.encode())
    except OSError as error:
        raise ConfigError([f"{target}: cannot be written: {error.strerror}"]) from None
