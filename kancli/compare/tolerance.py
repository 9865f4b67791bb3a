"""Compare a run with a baseline: the tolerance, the first stage that differs, and the statistics that differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any

from kancli.compare.baseline import Record
from kancli.errors import InconclusiveError
from kancli.runs.hashes import ACTIVATIONS, TRAINING, at_start
from kancli.runs.input_file import ENTRIES
from kancli.stats.options import OF_TRAINING
from kancli.stats.verdicts import Verdict
from kancli.training.curves import ERRORS


@dataclass(frozen=True)
class Tolerance:
    """Two numbers agree if they differ by at most absolute + relative |number| + errors x its sampling error."""

    absolute: float
    relative: float
    errors: float


STATISTICS = "statistics"  # the stage whose hash covers all of stats.json but training
LOSS_TOLERANCE = 0.05
LOSSES_AGREE = "final losses within 5 %, and within a standard error over the networks"
# close: rounding of float32 carried through some layers. loose: other kernels, whose sums run in another order.
TOLERANCES = {"close": Tolerance(1e-6, 1e-5, 1e-3), "loose": Tolerance(1e-5, 1e-3, 2e-2)}


@dataclass(frozen=True)
class Tier:
    """How close two runs must be: "exact" is bit for bit, "close" and "loose" are keys of `TOLERANCES`."""

    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Deviation:
    """A statistic or a verdict that differs between a baseline and a run."""

    name: str
    baseline: float | str | None  # text for a verdict
    now: float | str | None
    error: float  # sampling error of the baseline's number
    allowed: float

    @property
    def difference(self) -> float:
        """The difference in sampling errors; infinite for verdicts, and if only one of the two has a number."""
        if isinstance(self.baseline, int | float) and isinstance(self.now, int | float) and self.error:
            return abs(self.now - self.baseline) / self.error
        return math.inf

    @property
    def is_allowed(self) -> bool:
        """Whether the difference is within the tolerance."""
        if isinstance(self.baseline, int | float) and isinstance(self.now, int | float):
            return abs(self.now - self.baseline) <= self.allowed
        return self.baseline == self.now

    def format_difference(self) -> str:
        """The difference in parentheses; empty if it is infinite."""
        return "" if math.isinf(self.difference) else f" ({self.difference:.2g} sampling errors)"

    def plain(self) -> dict[str, Any]:
        """The fields as JSON has them: null for an infinite difference."""
        return {**asdict(self), "difference": self.difference if math.isfinite(self.difference) else None}


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


def compare_training(baseline: Mapping[str, Any], now: Mapping[str, Any]) -> list[Deviation]:
    """The final losses and errors of two trainings; the largest difference first.

    Training amplifies rounding, which other kernels, threads and groups of members change. So the numbers may differ by
    5 % and, over members, by a standard error of the logs.
    """
    rows = []
    for name in ERRORS:
        old, new = ((stats.get(TRAINING) or {}).get(name) for stats in (baseline, now))
        value, error = old, 0.0
        if isinstance(old, Mapping):
            value, error = old["mean"], (old["sd"] or 0.0) / math.sqrt(max(1, old["n"]))
        number = new["mean"] if isinstance(new, Mapping) else new
        error *= abs(value or 0.0)
        rows.append(Deviation(f"{TRAINING}.{name}", value, number, error, LOSS_TOLERANCE * abs(value or 0.0) + error))
    return sorted(rows, key=lambda row: row.is_allowed)


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


def compare_verdicts(baseline: Sequence[Verdict], now: Sequence[Verdict]) -> list[Deviation]:
    """Return the verdicts of a baseline that have changed."""
    new = {verdict.name: verdict.verdict for verdict in now}
    return [
        Deviation(f"verdicts.{verdict.name}.verdict", verdict.verdict, new.get(verdict.name), 0.0, 0.0)
        for verdict in baseline
        if verdict.name not in OF_TRAINING and verdict.verdict != new.get(verdict.name)
    ]


def compare_statistics(baseline: Record, now: Record, tolerance: Tolerance) -> list[Deviation]:
    """Return the statistics of a baseline that are not equal now, the largest difference first."""
    n_samples = count_samples(baseline)
    new = {name: value for name, value, _ in numbers_with_errors(at_start(now.stats), n_samples)}
    deviations = []
    for name, value, error in numbers_with_errors(at_start(baseline.stats), n_samples):
        if name not in new or value != new[name]:
            allowed = tolerance.absolute + tolerance.relative * abs(value or 0.0) + tolerance.errors * error
            deviations.append(Deviation(name, value, new.get(name), error, allowed))
    return sorted(deviations, key=lambda deviation: -deviation.difference)


def count_samples(record: Record) -> int:
    """The number of samples that a run's statistics are computed from; 100 if the config does not have it."""
    inputs, task = (record.config.get(section) for section in ("inputs", "task"))
    n = inputs.get("n") if isinstance(inputs, Mapping) else None
    if n is None and isinstance(inputs, Mapping) and inputs.get("kind") == "task" and isinstance(task, Mapping):
        n = task.get("n")
    return n if isinstance(n, int) and n > 0 else 100


def numbers_with_errors(content: Any, n_samples: int, path: str = "") -> Iterator[tuple[str, float | None, float]]:
    """Walk through nested statistics, and yield the path of each number or null, its value and its sampling error.

    The sampling error is sd/sqrt(members) for a mean over members, the error under its law for a moment of a parameter,
    and about |number|/sqrt(n_samples) for the others.
    """
    if isinstance(content, Mapping):
        errors = _recorded_errors({name: value for name, value in content.items() if _is_number(value)})
        for name, value in content.items():
            inner = f"{path}.{name}" if path else str(name)
            if name in errors and _is_number(value):
                yield inner, value, errors[name]
            else:
                yield from numbers_with_errors(value, n_samples, inner)
    elif isinstance(content, (list, tuple)):
        for number, value in enumerate(content):
            yield from numbers_with_errors(value, n_samples, f"{path}.{_label(value, number)}")
    elif content is None or _is_number(content):
        yield path, content, abs(content or 0.0) / math.sqrt(n_samples)


def _recorded_errors(numbers: Mapping[str, float]) -> dict[str, float]:
    """Sampling errors that follow from the other numbers of the same statistic."""
    if numbers.keys() >= {"sd", "n", "low"} and numbers["n"] > 0:
        return dict.fromkeys(("mean", "low", "high"), numbers["sd"] / math.sqrt(numbers["n"]))
    errors = {}
    if "mean_error" in numbers:
        errors["mean"] = numbers["mean_error"]
        if numbers.get("declared_std") and "variance_error" in numbers:
            errors["std"] = numbers["variance_error"] / (2 * numbers["declared_std"])
    return errors


def _label(entry: Any, number: int) -> str:
    """The name of a verdict, or the number of a layer or node."""
    return str(entry["name"]) if isinstance(entry, Mapping) and "name" in entry else str(number)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
