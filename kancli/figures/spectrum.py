"""The eigenvalues of the neural tangent kernel, and the singular values of the input-output Jacobian."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.panels import label_panel, make_panels, mean_and_interval, plot_mean, set_log_scale
from kancli.figures.style import PALETTES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions

MIN_RELATIVE = 1e-9  # eigenvalue, as a share of the largest


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """Plot the eigenvalues above 1e-9 of the largest, in descending order, and the spread of the singular values.

    Raises:
        NothingToDrawError: neither was measured.
    """
    ntk, jacobian = data.stats["ntk"], data.stats["jacobian"]
    if ntk is None:
        raise NothingToDrawError("figures=spectrum: the kernel was not measured; take stats=full")
    palette = PALETTES[options.style]
    figure, (left, right) = make_panels(2, palette, options.dpi)
    entries = ntk["eigenvalues"] if isinstance(ntk["eigenvalues"], list) else _rows(ntk["eigenvalues"])
    (eigenvalues,) = set_log_scale(left, mean_and_interval(entries))
    singular = mean_and_interval([jacobian[name] for name in ("min", "median", "max")])
    if not np.isfinite(eigenvalues["mean"]).any() and not np.isfinite(singular["mean"]).any():
        raise NothingToDrawError("figures=spectrum: kernel and Jacobian are not finite")
    left.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    is_shown = np.nan_to_num(eigenvalues["mean"]) > MIN_RELATIVE * np.nanmax(eigenvalues["mean"], initial=0.0)
    rank = np.arange(1, len(is_shown) + 1)
    shown = {name: values[is_shown] for name, values in eigenvalues.items()}
    plot_mean(left, rank[is_shown], shown, palette.lines[0], markersize=2)
    label_panel(left, palette, title="neural tangent kernel", x="rank", y="eigenvalue")
    (spread,) = set_log_scale(right, singular)
    ends = np.abs([spread["mean"] - spread["low"], spread["high"] - spread["mean"]]) if "low" in spread else None
    right.errorbar([0, 1, 2], spread["mean"], ends, color=palette.lines[1], fmt="o", markersize=5, capsize=3)
    right.set_xticks([0, 1, 2], ["least", "median", "greatest"])
    right.set_xlim(-0.5, 2.5)
    label_panel(right, palette, title="Jacobian", x="over samples and values", y="singular value")
    return figure


def _rows(columns: dict[str, list[float | None]]) -> list[dict[str, float | None]]:
    """Turn arrays of mean, low and high into one entry for each eigenvalue."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
