"""Colours, light and dark, readable in grey and by colour-blind eyes; and numbers where room is short."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.colors import Colormap

# Okabe and Ito, "Color Universal Design" (2008), without the yellow, which fades on paper; on dark
# paper the bright ones first. In grey, lines are told apart by their dashes and markers.
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

DASHED = (0, (3, 1.5))


@dataclass(frozen=True)
class Palette:
    """What is drawn in which colour."""

    paper: str
    ink: str
    quiet: str  # text that explains
    ghost: str  # what is hardly there
    shade: str  # off the grid
    lines: tuple[str, ...] = LINES


PALETTES = {
    "light": Palette(paper="white", ink="black", quiet="0.35", ghost="0.8", shade="#fbe9d3"),
    "dark": Palette(paper="#111418", ink="#f2f2f2", quiet="0.7", ghost="0.35", shade="#3d3222", lines=LINES[::-1]),
}


def colours(name: str, palette: Palette) -> Colormap:
    """A colour map in which what has no value looks like none of its colours."""
    return mpl.colormaps[name].with_extremes(bad=palette.shade)


def short(value: float, digits: int = 2) -> str:
    """A number in few letters: 1.2e3, not 1.2e+03."""
    mantissa, e, exponent = f"{value:.{digits}g}".partition("e")
    return mantissa + (f"e{int(exponent)}" if e else "")
