"""One job of a sweep. A million fit into memory: numbers lie in one array, names and words are kept once for all rows.

The array has the number of the job, its seconds, the statistics, the profile, and those numbers of verdicts that are
none of these.
"""

from __future__ import annotations

import functools
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from kancli.figures.data import Array, DepthProfile
    from kancli.stats.verdicts import Verdict

MAX_WHOLE = 2**53  # up to which a float64 holds a whole number
PLAIN = {int, float, type(None)}  # types of numbers
FIRST = 2  # place of the first statistic

T = TypeVar("T")
_shared: dict[Any, Any] = {}


class Row:
    """One job of a sweep. Mappings, verdicts and the profile are built on access."""

    __slots__ = ("_judgements", "_layout", "_numbers", "_texts")

    def __init__(
        self,
        number: int,
        folder: str,
        status: str,
        cause: str | None,
        replay: str,
        keys: Mapping[str, str],
        verdicts: Sequence[Verdict],
        statistics: Mapping[str, float | None],
        seconds: float | None,
        profile: DepthProfile | None = None,
    ) -> None:
        """The arguments are those of the properties."""
        whole = frozenset(name for name, value in statistics.items() if type(value) is int)
        curves = [] if profile is None else [
            (name, end, curve.tolist()) for name, by_end in profile.values.items() for end, curve in by_end.items()
        ]  # fmt: skip
        slopes = {} if profile is None else profile.slopes
        lengths = tuple((name, end, len(curve)) for name, end, curve in curves)
        self._layout = _layout(tuple(keys), tuple(statistics), whole, lengths, tuple(slopes))
        self._texts = (folder, _share(status), cause, replay, *map(_share, keys.values()))
        numbers = [number, seconds, *statistics.values()]
        numbers += [value for *_, curve in curves for value in curve]
        numbers += slopes.values()
        self._judgements = _share(tuple(_share(_judge(verdict, self._layout, numbers)) for verdict in verdicts))
        self._numbers = _pack(numbers)

    @property
    def number(self) -> int:
        """Of the job in its sweep, or of the row in a table over several."""
        return int(self._numbers[0])

    @property
    def folder(self) -> str:
        """Relative to the folder of the table."""
        return self._texts[0]

    @property
    def status(self) -> str:
        """As in run.json, or "missing" or "damaged"."""
        return self._texts[1]

    @property
    def cause(self) -> str | None:
        """Of the failure."""
        return self._texts[2]

    @property
    def replay(self) -> str:
        """The command that runs this job alone."""
        return self._texts[3]

    @property
    def keys(self) -> dict[str, str]:
        """The swept keys, as typed."""
        return dict(zip(self._layout.keys, self._texts[4:], strict=True))

    @property
    def statistics(self) -> Mapping[str, float | None]:
        """The statistics that are columns of the table."""
        return _Statistics(self._layout, self._numbers)

    def statistic(self, name: str) -> float:
        """One of the statistics; NaN where the job lacks it."""
        place = self._layout.places.get(name)
        value = None if place is None else self._numbers[place]
        return math.nan if value is None else value

    @property
    def verdict_words(self) -> dict[str, str | None]:
        """The word of each verdict, such as "pass"."""
        return {judgement.name: judgement.verdict for judgement in self._judgements}

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts; tables of many rows take `verdict_words`, which are there already."""
        from kancli.stats.verdicts import Verdict

        verdicts = []
        for name, threshold, verdict, detail, n, whole, place, interval in self._judgements:
            value = _unpack(self._numbers[place], whole)
            low, high = (None, None) if n is None else map(_unpack, self._numbers[interval : interval + 2])
            verdicts.append(Verdict(name, value, threshold, verdict, detail, low, high, n))
        return verdicts

    @property
    def seconds(self) -> float | None:
        """That the job took."""
        return _unpack(self._numbers[1])

    @property
    def depth(self) -> int:
        """The length of the curves of the profile, one more than the layers; 0 without a profile."""
        return self._layout.curves[0][2] if self._layout.curves else 0

    @property
    def profile(self) -> DepthProfile | None:
        """Signal and gradient by layer, where they were measured."""
        import numpy as np

        from kancli.figures.data import DepthProfile

        if not self._layout.curves:
            return None
        values: dict[str, dict[str, Array]] = {}
        start = FIRST + len(self._layout.places)
        for name, end, length in self._layout.curves:
            values.setdefault(name, {})[end] = np.array(self._numbers[start : start + length])
            start += length
        slopes = map(_unpack, self._numbers[start:])
        return DepthProfile("", values, dict(zip(self._layout.slopes, slopes, strict=False)))


class _Layout(NamedTuple):
    """Where the numbers and texts of rows lie."""

    keys: tuple[str, ...]
    places: dict[str, int]  # of the statistics
    whole: frozenset[str]  # of the statistics, those that are whole numbers
    curves: tuple[tuple[str, str, int], ...]  # of the profile: "signal" or "gradient", "middle" or another, length
    slopes: tuple[str, ...]


class _Judgement(NamedTuple):
    """What a verdict has besides its numbers, and their places."""

    name: str
    threshold: float | None
    verdict: str | None
    detail: str
    n: int | None
    whole: bool
    place: int  # of the value; that of a statistic which is the same
    interval: int  # place of its low end


class _Statistics(Mapping[str, float | None]):
    """Statistics by name."""

    __slots__ = ("_layout", "_numbers")

    def __init__(self, layout: _Layout, numbers: Sequence[Any]) -> None:
        self._layout, self._numbers = layout, numbers

    def get(self, name: str, default: Any = None) -> Any:
        place = self._layout.places.get(name)  # without an exception, as tables ask for each name of each row
        return default if place is None else _unpack(self._numbers[place], name in self._layout.whole)

    def __getitem__(self, name: str) -> float | None:
        return _unpack(self._numbers[self._layout.places[name]], name in self._layout.whole)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layout.places)

    def __len__(self) -> int:
        return len(self._layout.places)


def _share(value: T) -> T:
    """An equal value that was shared before, or else this one."""
    return _shared.setdefault(value, value)


@functools.cache
def _layout(
    keys: tuple[str, ...],
    statistics: tuple[str, ...],
    whole: frozenset[str],
    curves: tuple[tuple[str, str, int], ...],
    slopes: tuple[str, ...],
) -> _Layout:
    """The same object for all rows of one layout."""
    return _Layout(keys, {name: place for place, name in enumerate(statistics, FIRST)}, whole, curves, slopes)


def _judge(verdict: Verdict, layout: _Layout, numbers: list[Any]) -> _Judgement:
    """Append the numbers of a verdict that are not there yet."""
    place = layout.places.get(verdict.name)
    if place is None or numbers[place] != verdict.value:
        place = len(numbers)
        numbers.append(verdict.value)
    interval = len(numbers)
    if verdict.n is not None:
        numbers += [verdict.low, verdict.high]
    is_whole = type(verdict.value) is int
    words = verdict.name, verdict.threshold, verdict.verdict, verdict.detail
    return _Judgement(*words, verdict.n, is_whole, place, interval)


def _pack(numbers: list[Any]) -> array[float] | list[Any]:
    """An array, in which NaN stands for None, as JSON has no NaN; the list itself where an entry is no float64."""
    wholes = [value for value in numbers if type(value) is int]
    if not set(map(type, numbers)) <= PLAIN or max(map(abs, wholes)) > MAX_WHOLE:
        return numbers
    return array("d", [math.nan if value is None else value for value in numbers])


def _unpack(value: Any, whole: bool = False) -> float | None:
    if value != value:  # NaN, without a call
        return None
    return int(value) if whole else value
