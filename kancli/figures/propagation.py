"""Signal and gradient by layer: the rms of the values, the rms of the loss gradient, and the off-grid share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.panels import add_legend, label_panel, make_panels, mean_and_interval, plot_mean, set_log_scale
from kancli.figures.style import PALETTES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """Plot a panel for signal and gradient, and one for the off-grid share; bands are 95 % intervals over members.

    Raises:
        NothingToDrawError: no statistics were measured.
    """
    if not data.stats["layers"]:
        raise NothingToDrawError("figures=propagation: nothing was measured; take stats=basic or stats=full")
    palette = PALETTES[options.style]
    layers = data.stats["layers"]
    figure, (sizes, off) = make_panels(2, palette, options.dpi)
    depth = np.arange(len(layers) + 1)
    signal = mean_and_interval([layers[0]["preacts"]["rms"], *(layer["output"]["rms"] for layer in layers)])
    gradient = mean_and_interval([layer["gradient"]["values"] for layer in layers]) if "gradient" in layers[0] else {}
    has_gradient = bool(gradient) and bool(np.isfinite(gradient["mean"]).any())
    signal, *gradients = set_log_scale(sizes, signal, *([gradient] if has_gradient else []))
    plot_mean(sizes, depth, signal, palette.lines[0], label="values")
    if has_gradient:
        plot_mean(sizes, depth[:-1], gradients[0], palette.lines[1], label="gradient by them", marker="s")
        add_legend(sizes, palette)
    label_panel(sizes, palette, title="signal and gradient" if has_gradient else "signal", x="layer", y="rms")
    off_grid = mean_and_interval([layer["off_grid"] for layer in layers])
    shares = {name: 100 * values for name, values in off_grid.items()}
    plot_mean(off, depth[:-1], shares, palette.lines[0])
    off.set_ylim(-3, 103)
    label_panel(off, palette, title="values off the grid", x="layer they enter", y="share, %")
    for axes in (sizes, off):
        axes.set_xticks(depth[:: max(1, len(depth) // 10)])
        axes.set_xlim(-0.3, len(layers) + 0.3)
    return figure
