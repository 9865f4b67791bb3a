"""`kan-run check`: make the run of a baseline again from its record alone, and compare."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.compare import baseline
from kancli.compare.baseline import Record
from kancli.compare.tolerance import Comparison, compare
from kancli.config.identity import config_of, identity
from kancli.config.validation import validate
from kancli.errors import DRIFT, INCONCLUSIVE, ConfigError, InconclusiveError, KanError
from kancli.runs import experiment
from kancli.runs.environment import environment
from kancli.runs.files import write_whole
from kancli.runs.hashes import hash_of, stage_hashes
from kancli.runs.pool import process_pool
from kancli.seeding import SEMANTICS

if TYPE_CHECKING:
    from kancli.config.settings import Settings


@dataclass(frozen=True)
class Check:
    """The result for one baseline: a comparison, or the reason why there is none."""

    name: str
    comparison: Comparison | None
    reason: str | None = None

    @property
    def answer(self) -> str:
        """One of "match", "match within tier", "drift" and "inconclusive"."""
        return "inconclusive" if self.comparison is None else self.comparison.answer


def exit_code(checks: Sequence[Check]) -> int:
    """4 if any run drifted, else 5 if any is inconclusive, else 0."""
    answers = {check.answer for check in checks}
    return DRIFT if "drift" in answers else INCONCLUSIVE if "inconclusive" in answers else 0


def paths_of(patterns: Sequence[str]) -> list[Path]:
    """The paths of baselines: of a pattern, those that match, in order of name; or itself if none does."""
    paths: dict[Path, None] = {}
    for pattern in patterns:
        matches = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else []
        paths |= dict.fromkeys(map(Path, matches or [pattern]))
    return list(paths)


def check_all(paths: Sequence[Path], *, jobs: int = 1) -> Iterator[Check]:
    """Check several baselines in `jobs` processes, which share the threads. Yields in order, as results come in."""
    if jobs == 1 or len(paths) == 1:
        yield from map(check, paths)
        return
    with process_pool(min(jobs, len(paths))) as pool:
        for future in [pool.schedule(check, [path]) for path in paths]:
            yield future.result()


def check(path: Path) -> Check:
    """Make the run of a baseline again, and compare."""
    try:
        record = baseline.read(path)
        if record.semantics != SEMANTICS:
            raise InconclusiveError(
                f"{path}: made with semantics {record.semantics}, this kancli has {SEMANTICS} (see CHANGELOG.md):"
                " look at the change, then bless it again"
            )
        return Check(str(path), compare(record, again(record, known=record.config)))
    except KanError as error:
        return Check(str(path), None, str(error))


def again(record: Record, *, known: Mapping[str, Any] | None = None) -> Record:
    """The run of a record, made again here; the argument `known` is that of `record_of`.

    Raises:
        InconclusiveError: its config cannot be run here.
    """
    try:
        return record_of(validate(record.config), record.name, known=known)
    except ConfigError as error:
        raise InconclusiveError("\n".join(f"{record.name}: {fault}" for fault in error.faults)) from None


def record_of(settings: Settings, name: str, *, known: Mapping[str, Any] | None = None) -> Record:
    """Compute a run without its figures. No file is written.

    Args:
        known: the config that its identity is compared with, see `identity`; None for the identity of all keys.
    """
    plain = dataclasses.replace(settings, figures=dataclasses.replace(settings.figures, names=()))
    result = experiment.compute(plain)
    hashes = {name: hash_of(tensor) for name, tensor in {**result.parameters(), **result.activations}.items()}
    stages = stage_hashes(identity(settings, known=known), hashes, result.stats)
    return Record(name, SEMANTICS, config_of(settings), environment(), stages, result.stats, result.verdicts)


def bless(run: Path, target: Path) -> None:
    """Write a run's record to a file to review and keep.

    Raises:
        ConfigError: the file cannot be written.
    """
    text = baseline.blessed(baseline.read(run))
    write(target, text)


def update(target: Path) -> None:
    """Make the run of a blessed file again, and replace the file.

    Raises:
        ConfigError: the path is that of a folder, or cannot be written.
    """
    record = baseline.read(target)
    if target.is_dir():
        raise ConfigError([f"{target}: bless --update FILE: a run's folder stays as it is"])
    write(target, baseline.blessed(again(record)))


def write(target: Path, content: str) -> None:
    """Write a file that the user named.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        write_whole(target, content.encode())
    except OSError as error:
        raise ConfigError([f"{target}: cannot be written: {error.strerror}"]) from None
