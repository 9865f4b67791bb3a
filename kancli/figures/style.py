"""Colours, light and dark, that stay distinct in grey and for colour-blind readers; and short number formats."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.colors import Colormap

# Okabe and Ito, "Color Universal Design" (2008), without yellow, which is faint on white; on a dark background the
# bright ones come first. Dashes and markers distinguish lines in grey.
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

DASHED = (0, (3, 1.5))


@dataclass(frozen=True)
class Palette:
    """The colours of one style."""

    paper: str
    ink: str
    quiet: str  # secondary text
    ghost: str  # the faintest lines
    shade: str  # outside the grid
    bounds: tuple[str, str]  # warn and fail
    lines: tuple[str, ...] = LINES


PALETTES = {
    "light": Palette(
        paper="white", ink="black", quiet="0.35", ghost="0.8", shade="#fbe9d3", bounds=("#8f5b00", "#b33a00")
    ),
    "dark": Palette(
        paper="#111418",
        ink="#f2f2f2",
        quiet="0.7",
        ghost="0.35",
        shade="#3d3222",
        bounds=("#e69f00", "#ff7a45"),
        lines=LINES[::-1],
    ),
}


def colour_map(name: str, palette: Palette) -> Colormap:
    """A colour map whose colour for missing values is distinct from all others."""
    return mpl.colormaps[name].with_extremes(bad=palette.shade)


def format_short(value: float, digits: int = 2) -> str:
    """Format a number with a short exponent: 1.2e3, not 1.2e+03."""
    mantissa, e, exponent = f"{value:.{digits}g}".partition("e")
    return mantissa + (f"e{int(exponent)}" if e else "")


def format_plain(value: float) -> str:
    """Format a number from 0.0001 to 10,000 without an exponent, others with a short one."""
    return f"{value:.6g}" if 1e-4 <= abs(value) <= 1e4 else format_short(value, 3)
