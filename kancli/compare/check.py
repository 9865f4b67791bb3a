"""`kan-run check`: repeat the run of a baseline from its record, and compare. `kan-run bless`: write baselines."""

from __future__ import annotations

import dataclasses
import glob
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.compare import baseline
from kancli.compare.baseline import Record
from kancli.compare.tolerance import Comparison, compare
from kancli.config.identity import config_of, identity
from kancli.config.recorded import with_legal_bounds
from kancli.config.validation import validate
from kancli.errors import DRIFT, INCONCLUSIVE, ConfigError, InconclusiveError, KanError, check_utf8
from kancli.runs.calls import Call, run_calls
from kancli.runs.environment import environment
from kancli.runs.files import write_named
from kancli.runs.hashes import hash_of, stage_hashes
from kancli.runs.input_file import input_files_of, locate
from kancli.runs.result import parameters_of
from kancli.runs.training import compute_and_train
from kancli.seeding import SEMANTICS

if TYPE_CHECKING:
    from kancli.config.settings import Settings

log = logging.getLogger("kancli")


@dataclass(frozen=True)
class CheckResult:
    """The result for one baseline: a comparison, or the reason why there is none."""

    name: str
    comparison: Comparison | None
    reason: str | None = None
    warning: str | None = None  # what of the baseline is not compared
    hint: str | None = None  # what may explain the drift

    @property
    def answer(self) -> str:
        """One of "match", "match within tolerance", "drift" and "inconclusive"."""
        return "inconclusive" if self.comparison is None else self.comparison.answer


def exit_code(results: Sequence[CheckResult]) -> int:
    """4 if any run drifted, else 5 if any is inconclusive, else 0."""
    answers = {result.answer for result in results}
    return DRIFT if "drift" in answers else INCONCLUSIVE if "inconclusive" in answers else 0


def expand_patterns(patterns: Sequence[str]) -> list[Path]:
    """Expand glob patterns to sorted paths, without duplicates; a pattern that matches nothing stays as it is."""
    paths: dict[Path, None] = {}
    for pattern in patterns:
        matches = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else []
        for path in matches:
            check_utf8(path)
        paths |= dict.fromkeys(map(Path, matches or [pattern]))
    return list(paths)


def check_all(paths: Sequence[Path], *, jobs: int = 1) -> Iterator[CheckResult]:
    """Check baselines in `jobs` processes, which share the threads. Yields each result in order, once it is known."""
    if jobs == 1 or len(paths) == 1:
        yield from map(check, paths)
        return
    calls = [Call(check, (path,)) for path in paths]
    queue, checks = deque(calls), dict[Call, CheckResult]()
    repeated: set[Call] = set()
    for answer in run_calls(queue, min(jobs, len(paths))):
        if answer.cause is None:
            checks[answer.call] = answer.value
        elif answer.lost_pool or answer.call not in repeated:  # a worker that was killed may have been a bystander
            queue.append(answer.call)
            repeated |= set() if answer.lost_pool else {answer.call}
        else:
            checks[answer.call] = CheckResult(str(answer.call.args[0]), None, f"{answer.call.args[0]}: {answer.cause}")
        while calls and calls[0] in checks:
            yield checks[calls.pop(0)]


def check(path: Path) -> CheckResult:
    """Repeat the run of a baseline, and compare."""
    try:
        record = baseline.read(path)
        if record.semantics != SEMANTICS:
            raise InconclusiveError(
                f"{path}: recorded with semantics {record.semantics}; allowed: {SEMANTICS}, that of this kancli;"
                " review the change in CHANGELOG.md, then bless the run again"
            )
        legal, warning = with_legal_verdicts(record)
        now = repeat(legal, known=record.config)
        comparison = compare(legal, now)
        if record.is_edited and comparison.answer != "drift":
            raise InconclusiveError(
                f"{path}: edited since it was blessed: its content does not fit its sha256; bless the run again,"
                " or remove the key sha256 to compare what the file says"
            )
        return CheckResult(
            str(path),
            comparison,
            warning=None if warning is None else f"{warning}: not compared",
            hint=_hint(comparison, record, now),
        )
    except KanError as error:
        return CheckResult(str(path), None, str(error))


def _hint(comparison: Comparison, record: Record, now: Record) -> str | None:
    """A line for statistics that differ though all that they describe is the same, where kancli is another one."""
    then, today = _kancli(record), _kancli(now)
    if comparison.answer != "drift" or comparison.first != "statistics" or then == today:
        return None
    return f"recorded by kancli {then}, this is {today}: if CHANGELOG.md explains the change, bless the run again"


def _kancli(record: Record) -> str:
    """The version of kancli that made a record, and its commit where it is known."""
    versions, git = (record.environment.get(name) or {} for name in ("versions", "git"))
    return f"{versions.get('kancli', 'unknown')} {str(git.get('commit', ''))[:7]}".strip()


def with_legal_verdicts(record: Record) -> tuple[Record, str | None]:
    """A record with legal bounds, see `with_legal_bounds`, without the verdicts that others had.

    Returns:
        The record, and a line on the replaced bounds; None where all are legal.
    """
    config, refused = with_legal_bounds(record.config)
    if not refused:
        return record, None
    stats = {**record.stats, "verdicts": [entry for entry in record.stats["verdicts"] if entry["name"] not in refused]}
    verdicts = [verdict for verdict in record.verdicts if verdict.name not in refused]
    legal = dataclasses.replace(record, config=config, stats=stats, verdicts=verdicts)
    return legal, f"{record.name}: {'; '.join(refused.values())}"


def repeat(record: Record, *, known: Mapping[str, Any] | None = None) -> Record:
    """Repeat the run of a record.

    Args:
        known: as for `compute_record`.

    Raises:
        InconclusiveError: this kancli cannot run its config.
    """
    try:
        config = locate(record.config, record.input_files, record.folder)
        return compute_record(validate(config), record.name, known=known)
    except ConfigError as error:
        raise InconclusiveError("\n".join(f"{record.name}: {fault}" for fault in error.faults)) from None


def compute_record(settings: Settings, name: str, *, known: Mapping[str, Any] | None = None) -> Record:
    """Compute a run without its figures. No file is written.

    Args:
        known: a recorded config to compare the identity with, see `identity`; None for the identity of all keys.
    """
    plain = dataclasses.replace(settings, figures=dataclasses.replace(settings.figures, names=()))
    result = compute_and_train(plain)
    trained = {} if result.trained is None else parameters_of(result.trained.model)
    trained_hashes = {name: hash_of(tensor) for name, tensor in trained.items()}
    hashes = {name: hash_of(tensor) for name, tensor in {**parameters_of(result.model), **result.activations}.items()}
    stages = stage_hashes(identity(settings, known=known), hashes, result.stats, trained_hashes)
    return Record(
        name,
        SEMANTICS,
        config_of(settings),
        environment(),
        stages,
        result.stats,
        result.verdicts,
        input_files_of(settings, Path()),
    )


def bless(run: Path, target: Path) -> None:
    """Write the record of a run to a file.

    Raises:
        ConfigError: the file cannot be written.
    """
    write(target, baseline.format_blessed(baseline.read(run), target.parent))


def update(target: Path) -> None:
    """Repeat the run of a blessed file, and replace the file.

    Raises:
        ConfigError: the path is a folder, or cannot be written.
    """
    record = baseline.read(target)
    if target.is_dir():
        raise ConfigError(
            [f"bless --update {target}: allowed: blessed files; for a folder: kan-run bless {target} -o FILE"]
        )
    legal, warning = with_legal_verdicts(record)
    if warning is not None:
        log.warning("%s: used instead", warning)
    write(target, baseline.format_blessed(repeat(legal), target.parent))


def write(target: Path, content: str) -> None:
    """Write a file that the user named, and create its folder.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_named(target, content.encode())
    except OSError as error:
        raise ConfigError([f"{target}: cannot be written: {error.strerror}"]) from None
