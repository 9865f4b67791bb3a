"""Rows in a tenth of the memory: numbers in arrays, and names and words once for all rows.

A packed value behaves like the original, and builds objects on access.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from kancli.figures.data import Array, DepthProfile
    from kancli.stats.verdicts import Verdict

MAX_WHOLE = 2**53  # up to which a float64 holds a whole number

T = TypeVar("T")
_shared: dict[Any, Any] = {}


def share(value: T) -> T:
    """An equal value that was shared before, or else this one."""
    return _shared.setdefault(value, value)


class Profile(Protocol):
    """Signal and gradient by layer, see `DepthProfile`."""

    @property
    def values(self) -> Mapping[str, Mapping[str, Array]]: ...

    @property
    def slopes(self) -> Mapping[str, float | None]: ...


class PackedTexts(Mapping[str, str]):
    """Texts by name."""

    __slots__ = ("_names", "_texts")

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._names, self._texts = share(tuple(texts)), tuple(map(share, texts.values()))

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        return self._texts[self._names.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class PackedNumbers(Mapping[str, float | None]):
    """Numbers by name; NaN stands for None, which JSON has in its place."""

    __slots__ = ("_layout", "_numbers")

    def __init__(self, numbers: Mapping[str, float | None]) -> None:
        whole = frozenset(name for name, number in numbers.items() if type(number) is int)
        self._layout = _layout(share((tuple(numbers), whole)))
        self._numbers = _pack(numbers.values())

    def __getitem__(self, name: str) -> float | None:
        index, whole = self._layout
        return _unpack(self._numbers[index[name]], whole=name in whole)

    def get(self, name: str, default: Any = None) -> Any:
        index, whole = self._layout
        place = index.get(name)
        if place is None:
            return default
        number = self._numbers[place]
        if number != number:  # NaN: without a call, as tables ask for each number several times
            return None
        return int(number) if name in whole else number

    def __contains__(self, name: object) -> bool:
        return name in self._layout[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layout[0])

    def __len__(self) -> int:
        return len(self._numbers)


class PackedVerdicts(Sequence["Verdict"]):
    """Verdicts, whose words are those of many rows."""

    __slots__ = ("_kinds", "_numbers")

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self._kinds = share(tuple(share(_kind(verdict)) for verdict in verdicts))
        self._numbers = _pack(number for verdict in verdicts for number in _numbers_of(verdict))

    @overload
    def __getitem__(self, index: int) -> Verdict: ...

    @overload
    def __getitem__(self, index: slice) -> list[Verdict]: ...

    def __getitem__(self, index: int | slice) -> Verdict | list[Verdict]:
        return list(self)[index]

    def __iter__(self) -> Iterator[Verdict]:
        from kancli.stats.verdicts import Verdict

        numbers = iter(self._numbers)
        for name, threshold, verdict, detail, n, is_whole in self._kinds:
            value = _unpack(next(numbers), whole=is_whole)
            ends = () if n is None else (_unpack(next(numbers)), _unpack(next(numbers)))
            yield Verdict(name, value, threshold, verdict, detail, *ends, n=n)

    def __len__(self) -> int:
        return len(self._kinds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]


class PackedProfile:
    """A `Profile`."""

    __slots__ = ("_layout", "_numbers")

    def __init__(self, profile: DepthProfile) -> None:
        ends = tuple((name, end, len(row)) for name, rows in profile.values.items() for end, row in rows.items())
        self._layout = share((ends, tuple(profile.slopes)))
        rows = (number for rows in profile.values.values() for row in rows.values() for number in row.tolist())
        self._numbers = _pack([*rows, *profile.slopes.values()])

    @property
    def values(self) -> dict[str, dict[str, Array]]:
        import numpy as np

        values: dict[str, dict[str, Array]] = {}
        start = 0
        for name, end, length in self._layout[0]:
            values.setdefault(name, {})[end] = np.array(self._numbers[start : start + length])
            start += length
        return values

    @property
    def slopes(self) -> dict[str, float | None]:
        names = self._layout[1]
        return dict(zip(names, map(_unpack, self._numbers[len(self._numbers) - len(names) :]), strict=True))


def pack_numbers(numbers: Mapping[str, float | None]) -> Mapping[str, float | None]:
    """Numbers in an array; as they are where one is no float64."""
    return PackedNumbers(numbers) if all(map(_fits, numbers.values())) else numbers


def pack_verdicts(verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
    """Verdicts in an array; as they are where a number is no float64."""
    numbers = (number for verdict in verdicts for number in _numbers_of(verdict))
    return PackedVerdicts(verdicts) if all(map(_fits, numbers)) else verdicts


def _fits(number: Any) -> bool:
    if type(number) is int:
        return abs(number) <= MAX_WHOLE
    return number is None or (type(number) is float and not math.isnan(number))


def _pack(numbers: Iterable[float | None]) -> array[float]:
    return array("d", [math.nan if number is None else number for number in numbers])


def _unpack(number: float, *, whole: bool = False) -> float | None:
    if math.isnan(number):
        return None
    return int(number) if whole else number


def _layout(names_and_whole: tuple[tuple[str, ...], frozenset[str]]) -> tuple[dict[str, int], frozenset[str]]:
    """The place of each name, and the names of whole numbers; one object for all rows of these names."""
    if names_and_whole not in _layouts:
        names, whole = names_and_whole
        _layouts[names_and_whole] = {name: place for place, name in enumerate(names)}, whole
    return _layouts[names_and_whole]


_layouts: dict[Any, tuple[dict[str, int], frozenset[str]]] = {}


def _kind(verdict: Verdict) -> tuple[Any, ...]:
    is_whole = type(verdict.value) is int
    return verdict.name, verdict.threshold, verdict.verdict, verdict.detail, verdict.n, is_whole


def _numbers_of(verdict: Verdict) -> tuple[float | None, ...]:
    return (verdict.value,) if verdict.n is None else (verdict.value, verdict.low, verdict.high)
