"""The eigenvalues of the neural tangent kernel, and the singular values of the Jacobian from inputs to outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.panels import label, line, logarithmic, panels, values
from kancli.figures.style import PALETTES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """Eigenvalues in falling order, those below 1e-9 of the largest left out, and the singular values' spread.

    Raises:
        NothingToDrawError: neither was measured.
    """
    ntk, jacobian = data.stats["ntk"], data.stats["jacobian"]
    if ntk is None:
        raise NothingToDrawError("figures=spectrum: the kernel was not measured; take stats=full")
    palette = PALETTES[options.style]
    figure, (left, right) = panels(2, palette, options.dpi)
    told = values(ntk["eigenvalues"] if isinstance(ntk["eigenvalues"], list) else _rows(ntk["eigenvalues"]))
    (told,) = logarithmic(left, told)
    singular = values([jacobian[name] for name in ("min", "median", "max")])
    if not np.isfinite(told["mean"]).any() and not np.isfinite(singular["mean"]).any():
        raise NothingToDrawError("figures=spectrum: kernel and Jacobian are not finite")
    left.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    kept = np.nan_to_num(told["mean"]) > 1e-9 * np.nanmax(told["mean"], initial=0.0)
    rank = np.arange(1, len(kept) + 1)
    line(left, rank[kept], {name: each[kept] for name, each in told.items()}, palette.lines[0], markersize=2)
    label(left, palette, title="neural tangent kernel", x="rank", y="eigenvalue")
    (spread,) = logarithmic(right, singular)
    ends = np.abs([spread["mean"] - spread["low"], spread["high"] - spread["mean"]]) if "low" in spread else None
    right.errorbar([0, 1, 2], spread["mean"], ends, color=palette.lines[1], fmt="o", markersize=5, capsize=3)
    right.set_xticks([0, 1, 2], ["least", "median", "greatest"])
    right.set_xlim(-0.5, 2.5)
    label(right, palette, title="Jacobian", x="over samples and values", y="singular value")
    return figure


def _rows(columns: dict[str, list[float | None]]) -> list[dict[str, float | None]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
