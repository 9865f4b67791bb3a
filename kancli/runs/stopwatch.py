"""Seconds that each part of a computation took."""

from __future__ import annotations

import time
from collections.abc import Mapping


class Stopwatch:
    """Adds up seconds by part. Time runs from the creation, and from each lap to the next.

    Args:
        seconds: to start from, by part.
    """

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds = dict(seconds or {})
        self._last_lap = time.perf_counter()

    def lap(self, part: str) -> None:
        """Add the seconds since the last lap to a part."""
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last_lap
        self._last_lap = now

    def share(self, n: int) -> Stopwatch:
        """A new stopwatch for one of n runs that were computed together."""
        return Stopwatch({part: seconds / n for part, seconds in self.seconds.items()})
