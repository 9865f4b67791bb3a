"""The numbers and verdicts of two runs that differ, each with what sampling and the tolerance allow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kancli.compare.baseline import Record
from kancli.runs.hashes import TRAINING, at_start
from kancli.stats.options import OF_TRAINING
from kancli.stats.verdicts import Verdict
from kancli.training.curves import ERRORS

LOSS_TOLERANCE = 0.05
LOSSES_AGREE = "final losses within 5 %, and within a standard error over the networks"


@dataclass(frozen=True)
class Tolerance:
    """Two numbers agree if they differ by at most absolute + relative |number| + errors x its sampling error."""

    absolute: float
    relative: float
    errors: float


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
