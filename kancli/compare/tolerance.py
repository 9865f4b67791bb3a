"""Two runs held side by side: how close they must be, where they first part, and what differs most."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kancli.compare.baseline import Record
from kancli.stats.verdicts import Verdict


@dataclass(frozen=True)
class Tolerance:
    """Two numbers agree that differ by no more than absolute + relative |number| + errors x its sampling error."""

    absolute: float
    relative: float
    errors: float


STATISTICS = "statistics"  # the stage whose hash covers all of stats.json
# Rounding of float32 carried through some layers; other kernels, whose sums run in another order, somewhat more.
TOLERANCES = {"close": Tolerance(1e-6, 1e-5, 1e-3), "loose": Tolerance(1e-5, 1e-3, 2e-2)}


@dataclass(frozen=True)
class Tier:
    """How close two runs must be: "exact", bit for bit; "close", or "loose" by `TOLERANCES`; and what decided it."""

    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A statistic of both runs."""

    name: str
    baseline: float | str | None  # text for a verdict
    now: float | str | None
    error: float  # its sampling error
    allowed: float

    @property
    def difference(self) -> float:
        """In sampling errors; infinite for verdicts, and where only one run has the number."""
        if isinstance(self.baseline, int | float) and isinstance(self.now, int | float) and self.error:
            return abs(self.now - self.baseline) / self.error
        return math.inf

    @property
    def apart(self) -> str:
        """The difference in words."""
        return "" if math.isinf(self.difference) else f"{self.difference:.2g} sampling errors"

    def plain(self) -> dict[str, Any]:
        """Its numbers by name, as JSON has them: null for an infinite difference."""
        return {**asdict(self), "difference": self.difference if math.isfinite(self.difference) else None}

    @property
    def agrees(self) -> bool:
        """Whether the difference is allowed."""
        if isinstance(self.baseline, int | float) and isinstance(self.now, int | float):
            return abs(self.now - self.baseline) <= self.allowed
        return self.baseline == self.now


@dataclass(frozen=True)
class Comparison:
    """What came of it."""

    tier: Tier
    answer: str  # "match", "match within tier" or "drift"
    first: str | None  # the first rung that differs
    equal: tuple[str, ...]  # the rungs before it
    rows: tuple[Row, ...]  # the statistics that differ, most first


def tier_of(baseline: Record, now: Record) -> Tier:
    """How close two runs must be, by where they were made."""
    one, other = _places(baseline), _places(now)
    differ = {name: f"{name} {other[name]} against {one[name]}" for name in one if one[name] != other[name]}
    far = [name for name in ("torch", "device", "machine") if name in differ]
    near = [name for name in differ if name not in ("torch", "device", "machine", "torch patch")]
    if far:
        return Tier("loose", tuple(differ[name] for name in (*far, *near)))
    near += ["torch patch"] if "torch patch" in differ else []
    return Tier("close", tuple(differ[name] for name in near)) if near else Tier("exact", ("same environment",))


def _places(record: Record) -> dict[str, str]:
    def told(section: str, name: str) -> str:
        found = record.environment.get(section)
        return str(found.get(name)) if isinstance(found, Mapping) else "unknown"

    torch = told("versions", "torch")
    return {
        "torch": ".".join(torch.split(".")[:2]),
        "device": str(record.config.get("device")),
        "machine": told("platform", "machine"),
        "torch patch": torch,
        "numpy": told("versions", "numpy"),
        "scipy": told("versions", "scipy"),
        "system": told("platform", "system"),
        "processor": told("cpu", "model"),
        "processor's capability": told("cpu", "capability"),
        "threads": str(record.environment.get("threads")),
    }


def compare(baseline: Record, now: Record) -> Comparison:
    """Compare a run with a baseline.

    In the exact tier the hash of each stage must be equal. In the others that of the config must be, and each statistic
    within the tier's tolerance; the stages then show where the bits first differ. Only what the baseline has counts:
    stages and statistics that were added since are no difference, so where the hash of all statistics differs, those of
    the baseline are compared one by one.
    """
    tier = tier_of(baseline, now)
    stages = in_order(baseline.ladder)
    differ = [name for name in stages if baseline.ladder[name] != now.ladder.get(name)]
    rows: list[Row] = []
    if differ:
        tolerance = TOLERANCES.get(tier.name, TOLERANCES["close"])
        rows = sorted(differing(baseline, now, tolerance), key=lambda row: -row.difference)
        if tier.name == "exact":
            rows += differing_verdicts(baseline.verdicts, now.verdicts)
        if STATISTICS in differ and not rows:
            differ.remove(STATISTICS)
    if not differ:
        return Comparison(tier, "match", None, tuple(stages), ())
    agrees = tier.name != "exact" and differ[0] != "config" and all(row.agrees for row in rows)
    answer = "match within tier" if agrees else "drift"
    return Comparison(tier, answer, differ[0], tuple(stages[: stages.index(differ[0])]), tuple(rows))


def in_order(stages: Iterable[str]) -> list[str]:
    """Names of stages in the order of the computation."""
    order = {"config": 0, "output": 2, STATISTICS: 3}
    return sorted(stages, key=lambda name: order.get(name, 1))


def differing_verdicts(baseline: Sequence[Verdict], now: Sequence[Verdict]) -> Iterator[Row]:
    """The verdicts of a baseline that are others now."""
    new = {verdict.name: verdict.verdict for verdict in now}
    for verdict in baseline:
        if verdict.verdict != (other := new.get(verdict.name)):
            yield Row(f"verdicts.{verdict.name}.verdict", verdict.verdict, other, 0.0, 0.0)


def differing(baseline: Record, now: Record, tolerance: Tolerance) -> Iterator[Row]:
    """The statistics that are not the same in both, as far as the baseline has them."""
    n = samples_of(baseline)
    new = {name: value for name, value, _ in with_errors(now.stats, n)}
    for name, value, error in with_errors(baseline.stats, n):
        other = new.get(name)
        if value == other:
            continue
        allowed = tolerance.absolute + tolerance.relative * abs(value or 0.0) + tolerance.errors * error
        yield Row(name, value, other, error, allowed)


def samples_of(record: Record) -> int:
    """How many samples a run's statistics are over."""
    inputs = record.config.get("inputs")
    n = inputs.get("n") if isinstance(inputs, Mapping) else None
    return n if isinstance(n, int) and n > 0 else 100


def _label(entry: Any, number: int) -> str:
    """Verdicts by their name, layers and nodes by their number."""
    return str(entry["name"]) if isinstance(entry, Mapping) and "name" in entry else str(number)


def with_errors(content: Any, n: int, path: str = "") -> Iterator[tuple[str, float | None, float]]:
    """Every number of a tree of plain values, and every null, by its path, with its sampling error: of a mean over
    members sd/sqrt(members), of a parameter's moments that which its law declares, and of any other about
    |number|/sqrt(n) for n samples."""
    errors: dict[str, float] = {}
    if isinstance(content, Mapping):
        told = {name: each for name, each in content.items() if _is_number(each)}
        if {"sd", "n", "low"} <= set(told) and told["n"] > 0:
            errors = dict.fromkeys(("mean", "low", "high"), told["sd"] / math.sqrt(told["n"]))
        elif "mean_error" in told:
            errors = {"mean": told["mean_error"]}
            if told.get("declared_std") and "variance_error" in told:
                errors["std"] = told["variance_error"] / (2 * told["declared_std"])
        for name, each in content.items():
            here = f"{path}.{name}" if path else str(name)
            if name in errors and _is_number(each):
                yield here, each, errors[name]
            else:
                yield from with_errors(each, n, here)
    elif isinstance(content, (list, tuple)):
        for number, each in enumerate(content):
            yield from with_errors(each, n, f"{path}.{_label(each, number)}")
    elif content is None or _is_number(content):
        yield path, content, abs(content or 0.0) / math.sqrt(n)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
