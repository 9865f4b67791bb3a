"""Compare a run with a baseline: how close the two must be, the first stage that differs, and its cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from kancli.compare.baseline import Record
from kancli.compare.deviations import (
    LOSSES_AGREE,
    Deviation,
    Tolerance,
    compare_statistics,
    compare_training,
    compare_verdicts,
    numbers_with_errors,
)
from kancli.errors import InconclusiveError
from kancli.runs.hashes import ACTIVATIONS, TRAINING
from kancli.runs.input_file import ENTRIES

STATISTICS = "statistics"  # the stage whose hash covers all of stats.json but training
# close: rounding of float32 carried through some layers. loose: other kernels, whose sums run in another order.
TOLERANCES = {"close": Tolerance(1e-6, 1e-5, 1e-3), "loose": Tolerance(1e-5, 1e-3, 2e-2)}


@dataclass(frozen=True)
class Tier:
    """How close two runs must be: "exact" is bit for bit, "close" and "loose" are keys of `TOLERANCES`."""

    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """The result of comparing a run with a baseline."""

    tier: Tier
    answer: str  # "match", "match within tolerance" or "drift"
    first: str | None  # the first stage that differs
    equal: tuple[str, ...]  # the stages before it
    deviations: tuple[Deviation, ...]  # the largest difference first
    cause: str | None = None  # of the first difference, where it is known


def choose_tier(baseline: Record, now: Record) -> Tier:
    """Choose how close two runs must be, from the differences between their environments."""
    old, new = _environment(baseline), _environment(now)
    changes = {name: f"{name} {new[name]} instead of {old[name]}" for name in old if old[name] != new[name]}
    far = [name for name in ("torch", "device", "machine") if name in changes]
    near = [name for name in changes if name not in ("torch", "device", "machine", "torch patch")]
    if far:
        return Tier("loose", tuple(changes[name] for name in (*far, *near)))
    near += ["torch patch"] if "torch patch" in changes else []
    return Tier("close", tuple(changes[name] for name in near)) if near else Tier("exact", ("same environment",))


def _environment(record: Record) -> dict[str, str]:
    """The properties of a record's environment that can change results, by the name in messages."""

    def read(section: str, name: str) -> str:
        content = record.environment.get(section)
        return str(content.get(name)) if isinstance(content, Mapping) else "unknown"

    torch = read("versions", "torch")
    return {
        "torch": ".".join(torch.split(".")[:2]),
        "device": str(record.config.get("device")),
        "machine": read("platform", "machine"),
        "torch patch": torch,
        "numpy": read("versions", "numpy"),
        "scipy": read("versions", "scipy"),
        "system": read("platform", "system"),
        "processor": read("cpu", "model"),
        "processor's capability": read("cpu", "capability"),
        "threads": str(record.environment.get("threads")),
    }


def compare(baseline: Record, now: Record) -> Comparison:
    """Compare a run with a baseline.

    In the exact tier the hash of every stage must be equal. In the others those of the config, the inputs and the
    parameters must be, which repeat everywhere, and every statistic within the tolerance; the stages then show where
    the bits first differ. Only what the baseline has counts: stages and statistics that were added since are no
    difference. So if the hash of all statistics differs, or covers more than the baseline kept of them, those of the
    baseline are compared one by one.

    Raises:
        InconclusiveError: the baseline lacks hashes or statistics that every run of its config has.
    """
    _check_complete(baseline, now)
    tier = choose_tier(baseline, now)
    stages = sort_stages(baseline.ladder)
    differing = [name for name in stages if baseline.ladder[name] != now.ladder.get(name)]
    training = compare_training(baseline.stats, now.stats)
    if TRAINING in differing:
        differing.remove(TRAINING)
    else:  # then each number that differs was edited
        training = [replace(row, allowed=0.0) for row in training if row.baseline != row.now]
    deviations: list[Deviation] = []
    if differing or not baseline.has_whole_stats:
        tolerance = TOLERANCES.get(tier.name, TOLERANCES["close"])
        deviations = compare_statistics(baseline, now, tolerance)
        if tier.name == "exact":
            deviations += compare_verdicts(baseline.verdicts, now.verdicts)
        if STATISTICS in differing and not deviations:
            differing.remove(STATISTICS)
    if not (differing or deviations):
        return _compare_trained(tier, stages, training)
    first = differing[0] if differing else STATISTICS
    repeating = _repeating_stages(baseline)
    is_within = tier.name != "exact" and not repeating & set(differing) and all(row.is_allowed for row in deviations)
    if is_within and not baseline.stats["layers"]:
        raise InconclusiveError(
            f"{baseline.name}: {first} differs, as it may elsewhere ({', '.join(tier.reasons)}), and without statistics"
            " there is nothing to compare; bless a run with stats=basic"
        )
    answer = "match within tolerance" if is_within else "drift"
    equal = stages[: stages.index(first)]
    changed = other_files(baseline, now) if first == "config" else {}
    first, cause = next(iter(changed.items()), (first, None))
    if not all(row.is_allowed for row in training):
        answer = "drift"
    return Comparison(tier, answer, first, tuple(equal), (*deviations, *training), cause)


def _compare_trained(tier: Tier, stages: Sequence[str], training: Sequence[Deviation]) -> Comparison:
    """The comparison of two runs that are equal at their start."""
    if not training:
        return Comparison(tier, "match", None, tuple(stages), ())
    answer = "match within tolerance" if all(row.is_allowed for row in training) else "drift"
    equal = tuple(name for name in stages if name != TRAINING)
    return Comparison(Tier(TRAINING, (LOSSES_AGREE,)), answer, TRAINING, equal, tuple(training))


def other_files(one: Record, other: Record) -> dict[str, str]:
    """A line for each section of the config whose files of samples have different contents.

    Records of an older kancli lack the file's hash: those of the config and of the samples stand in for it.
    """
    messages = {section: _other_file_message(section, one, other) for section in ENTRIES}
    return {section: message for section, message in messages.items() if message is not None}


def _other_file_message(section: str, one: Record, other: Record) -> str | None:
    paths = [_input_path(section, record) for record in (one, other)]
    if paths[0] is None or paths[1] is None:
        return None
    has_other_samples = one.ladder.get("inputs") != other.ladder.get("inputs")
    before_file, now_file = one.input_files.of(section), other.input_files.of(section)
    if before_file is not None and now_file is not None:
        is_other = before_file.sha256 != now_file.sha256
    else:
        is_other = has_other_samples and one.ladder.get("config") != other.ladder.get("config")
    if not is_other:
        return None
    before, now = (PurePath(path).name for path in paths if path is not None)
    than = "" if before == now else f" than {before}"
    same = ", with the same samples" if section == "inputs" and not has_other_samples else ""
    return f"{section}: {now} is another file{than}{same}"


def _input_path(section: str, record: Record) -> str | None:
    values = record.config.get(section)
    path = values.get("path") if isinstance(values, Mapping) else None
    return path if isinstance(path, str) else None


def _check_complete(baseline: Record, now: Record) -> None:
    """Check that a baseline has what every run of its config has, so that a match does compare something.

    Raises:
        InconclusiveError: it lacks hashes or statistics.
    """
    needed = {STATISTICS, TRAINING, *_repeating_stages(now)} - {"inputs"}  # inputs may not be kept
    if lacking := [name for name in now.ladder if name in needed and name not in baseline.ladder]:
        if baseline.ladder.get("config") != now.ladder["config"]:  # see `Scheme.revision`
            raise InconclusiveError(
                f"{baseline.name}: recorded before its scheme changed: it lacks {lacking[0]};"
                " review the change in CHANGELOG.md, then bless the run again"
            )
        raise InconclusiveError(f"{baseline.name}: damaged: its ladder lacks {lacking[0]}")
    layers, new = baseline.stats["layers"], now.stats["layers"]
    has_all = len(layers) == len(new) and all(_has_statistics(layer) for layer in layers)
    if not has_all:
        raise InconclusiveError(f"{baseline.name}: damaged: its statistics are not those of {len(new)} layers")
    if now.verdicts and not baseline.verdicts:
        raise InconclusiveError(f"{baseline.name}: damaged: its statistics have no verdicts")


def _has_statistics(layer: Mapping[str, Any]) -> bool:
    """Whether a layer has any number besides its place and size."""
    entries = (entry for name, entry in layer.items() if name not in ("layer", "n_in", "n_out"))
    return any(value is not None for entry in entries for _, value, _ in numbers_with_errors(entry, 1))


def _repeating_stages(record: Record) -> set[str]:
    """The stages whose bits are the same on every machine: config, inputs and, unless the knots are adapted to what the
    layers before compute, the parameters."""
    grid = record.config.get("grid")
    if isinstance(grid, Mapping) and grid.get("adapt") == "samples":
        return {"config", "inputs"}
    changing = ("output", STATISTICS, TRAINING)
    return {name for name in record.ladder if name not in changing and not name.endswith(ACTIVATIONS)}


def sort_stages(stages: Iterable[str]) -> list[str]:
    """Sort the names of stages in the order of the computation."""
    order = {"config": 0, "output": 2, STATISTICS: 3, TRAINING: 4}
    return sorted(stages, key=lambda name: order.get(name, 1))
