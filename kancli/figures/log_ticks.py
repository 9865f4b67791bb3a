"""Ticks of logarithmic axes, labelled with plain numbers: 0.9, not 9×10⁻¹."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import Formatter, Locator, LogLocator, MaxNLocator, NullFormatter

from kancli.figures.style import format_plain

MAX_TICKS = 6


class LogTickLocator(Locator):
    """Powers of ten over several decades, also their doubles and fives over two, and round numbers below one."""

    def __call__(self) -> np.ndarray:
        assert self.axis is not None
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:
        low, high = sorted((vmin, vmax))
        if low <= 0:
            return np.asarray(LogLocator(numticks=MAX_TICKS).tick_values(vmin, vmax))
        decades = math.log10(high) - math.log10(low)
        if decades < 1:
            ticks = MaxNLocator(MAX_TICKS, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        else:
            subs = (1, 2, 5) if decades < 2 else (1,)
            ticks = LogLocator(subs=subs, numticks=MAX_TICKS).tick_values(low, high)
        ticks = np.asarray(ticks)
        return ticks[(ticks >= low * (1 - 1e-9)) & (ticks <= high * (1 + 1e-9))]


class LogTickFormatter(Formatter):
    """Plain numbers."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return format_plain(x)


def set_log_ticks(axis: Axis) -> None:
    """Replace the ticks of an axis that is logarithmic already."""
    axis.set_major_locator(LogTickLocator())
    axis.set_major_formatter(LogTickFormatter())
    axis.set_minor_formatter(NullFormatter())
