"""Declaration of legal keys (kind, range, unit, default, one line of help) and validation of values.

The keys themselves are declared in other rooms. This module imports neither numpy nor torch.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from kancli.spelling import show
from kancli.synonyms import nearest

T = TypeVar("T")


class FaultError(ValueError):
    """A value is not legal; the message says what is allowed."""


class Kind(Protocol):
    """A kind of value: `check` returns the value in its canonical type or raises `FaultError`."""

    def check(self, value: Any) -> Any: ...

    def describe(self) -> str: ...


@dataclasses.dataclass(frozen=True)
class Integer:
    """A whole number in [low, high]; 3.0 counts as 3."""

    low: int
    high: int

    def check(self, value: Any) -> int:
        if not isinstance(value, numbers.Real) or isinstance(value, bool) or not math.isfinite(value):
            raise FaultError(self.describe())
        whole = int(math.floor(value))  # noqa: RUF046 - a numpy integer has a floor of its own type
        if whole != value or not self.low <= whole <= self.high:
            raise FaultError(self.describe())
        return whole

    def describe(self) -> str:
        return f"integer, {self.low} to {self.high}"


@dataclasses.dataclass(frozen=True)
class Real:
    """A finite number in [low, high], or in (low, high] with `low_open`."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False

    def check(self, value: Any) -> float:
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            raise FaultError(self.describe())
        try:
            number = float(value)
        except OverflowError:
            raise FaultError(self.describe()) from None
        too_low = number <= self.low if self.low_open else number < self.low
        if not math.isfinite(number) or too_low or number > self.high:
            raise FaultError(self.describe())
        return number

    def describe(self) -> str:
        bounds = []
        if self.low != -math.inf:
            bounds.append(f"{'>' if self.low_open else '>='} {self.low:g}")
        if self.high != math.inf:
            bounds.append(f"<= {self.high:g}")
        return "finite number" + (", " + " and ".join(bounds) if bounds else "")


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several names."""

    options: tuple[str, ...]

    def check(self, value: Any) -> str:
        if value not in self.options:
            raise FaultError(self.describe() + nearest(value, self.options))
        return value

    def describe(self) -> str:
        return "one of " + ", ".join(self.options)


@dataclasses.dataclass(frozen=True)
class Truth:
    """true or false."""

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise FaultError(self.describe())
        return value

    def describe(self) -> str:
        return "true or false"


@dataclasses.dataclass(frozen=True)
class Text:
    """Non-empty text; `what` describes it in messages."""

    what: str = "text"

    def check(self, value: Any) -> str:
        if not isinstance(value, (str, int, float)) or isinstance(value, bool) or not str(value).strip():
            raise FaultError(self.describe())
        return str(value)

    def describe(self) -> str:
        return self.what


ALL = "all"


@dataclasses.dataclass(frozen=True)
class Several(Generic[T]):
    """A list of at least `at_least` and at most `at_most` entries of one kind."""

    kind: Kind
    at_least: int = 0
    example: str = ""
    bare: bool = False  # accept a bare name as a one-element list
    all_entries: tuple[Any, ...] = ()  # what the word `all` stands for
    at_most: int | None = None

    def check(self, value: Any) -> tuple[Any, ...]:
        if self.all_entries and value == ALL:
            return self.all_entries
        if self.bare and isinstance(value, str):
            value = [value]
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) < self.at_least:
            raise FaultError(self.describe())
        if self.at_most is not None and len(value) > self.at_most:
            raise FaultError(f"{self.describe()}; given: {len(value)}")
        return tuple(self._entry(position, entry) for position, entry in enumerate(value))

    def _entry(self, position: int, entry: Any) -> Any:
        try:
            return self.kind.check(entry)
        except FaultError as fault:
            raise FaultError(f"{self.describe()}; entry {position} is {show(entry)}, allowed: {fault}") from None

    def describe(self) -> str:
        count = f", {self.at_least} or more" if self.at_least else ""
        if self.at_most is not None:
            count = f" of {self.at_least} to {self.at_most}"
        return f"list{count}" + (f", such as {self.example}" if self.example else "")


@dataclasses.dataclass(frozen=True)
class Interval:
    """Two finite numbers [low, high] with low < high."""

    def check(self, value: Any) -> tuple[float, float]:
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
            raise FaultError(self.describe())
        low, high = (Real().check(entry) for entry in value)
        if not low < high or not math.isfinite(high - low):
            raise FaultError(self.describe())
        return low, high

    def describe(self) -> str:
        return "two finite numbers [low, high] with low < high"


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Bounds beyond which a number warns, and beyond which it fails; null for never.

    Args:
        falling: whether lower numbers are worse.
    """

    falling: bool = False

    def check(self, value: Any) -> tuple[float | None, float | None]:
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
            raise FaultError(self.describe())
        try:
            warn, fail = (Optional(Real()).check(entry) for entry in value)
        except FaultError:
            raise FaultError(self.describe()) from None
        if warn is not None and fail is not None and (warn < fail if self.falling else warn > fail):
            raise FaultError(self.describe())
        return warn, fail

    def describe(self) -> str:
        order = "fail not above warn" if self.falling else "fail not below warn"
        return f"[warn, fail], each a finite number or null for never, {order}"


@dataclasses.dataclass(frozen=True)
class Optional:
    """A value of `kind`, or null."""

    kind: Kind

    def check(self, value: Any) -> Any:
        return None if value is None else self.kind.check(value)

    def describe(self) -> str:
        return self.kind.describe() + ", or null"


REQUIRED = dataclasses.MISSING


def key(
    default: Any, kind: Kind, help: str, unit: str = "", typed: str = "",
    *, identity: bool = True, omit_default: bool = False, notes: Mapping[str, str] | None = None,
) -> Any:  # fmt: skip
    """Declare a dataclass field as a legal key.

    Args:
        default: value of the key if none is given, or `REQUIRED`.
        kind: legal values.
        help: one line for `kan-run --help`.
        unit: unit of the number, if it has one.
        typed: spelling on the command line, if it differs from the path.
        identity: whether the value is part of a run's identity, as all are that change parameters or activations.
        omit_default: leave the default out of the identity: for a key younger than runs whose numbers it keeps.
        notes: longer text by its heading, for a chapter of `kan-run explain`.
    """
    metadata = {
        "kind": kind, "help": help, "unit": unit, "typed": typed,
        "identity": identity, "omit_default": omit_default, "notes": notes or {},
    }  # fmt: skip
    return dataclasses.field(default=default, metadata=metadata)


def derived(default: Any) -> Any:
    """Declare a dataclass field that validation computes from other settings: neither a key nor in the config."""
    return dataclasses.field(default=default, repr=False, metadata={"derived": True})


def section(declared: type, *, identity: bool = True, omit_default: bool = False) -> Any:
    """Declare a dataclass field as a section of keys, with their defaults.

    Args:
        declared: the dataclass that declares the keys.
        identity: whether its values are part of a run's identity.
        omit_default: leave the section out of the identity where all its values are the defaults.
    """
    metadata = {"identity": identity, "omit_default": omit_default}
    return dataclasses.field(default_factory=declared, metadata=metadata)


@functools.cache
def keys(declared: type) -> Mapping[str, dataclasses.Field[Any]]:
    """The legal keys that a dataclass declares with `key`, in order."""
    return {field.name: field for field in dataclasses.fields(declared) if "kind" in field.metadata}


def read(declared: type[T], given: Mapping[str, Any], prefix: str, faults: list[str]) -> T | None:
    """Build `declared` from the keys in `given`, adding a line to `faults` for every value that is not legal.

    Args:
        declared: a dataclass; its fields that `key` did not make keep their defaults.
        given: plain values by key; unknown keys are ignored.
        prefix: prefix of the keys in messages, such as "grid.".
        faults: collects the messages.

    Returns:
        The object, or None if any value is not legal.
    """
    values, before = {}, len(faults)
    for name, field in keys(declared).items():
        if name not in given:
            if field.default is REQUIRED:
                faults.append(f"{prefix}{name} is missing; allowed: {field.metadata['kind'].describe()}")
            continue
        try:
            values[name] = field.metadata["kind"].check(given[name])
        except FaultError as fault:
            typed = field.metadata["typed"] or prefix + name
            faults.append(f"{typed}={show(given[name])}: allowed: {fault}")
    return declared(**values) if len(faults) == before else None
