"""Signal and gradient along depth: rms of the values of each layer, of the gradient by them, and the off-grid share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.panels import label, legend, line, logarithmic, panels, values
from kancli.figures.style import PALETTES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """One panel for signal and gradient, one for what lies off the grid; bands are 95 % intervals over members.

    Raises:
        NothingToDrawError: nothing was measured.
    """
    if not data.stats["layers"]:
        raise NothingToDrawError("figures=propagation: nothing was measured; take stats=basic or stats=full")
    palette = PALETTES[options.style]
    layers = data.stats["layers"]
    figure, (sizes, off) = panels(2, palette, options.dpi)
    depth = np.arange(len(layers) + 1)
    signal = values([layers[0]["preacts"]["rms"], *(layer["output"]["rms"] for layer in layers)])
    back = values([layer["gradient"]["values"] for layer in layers]) if "gradient" in layers[0] else {}
    backward = bool(back) and bool(np.isfinite(back["mean"]).any())
    signal, *gradient = logarithmic(sizes, signal, *([back] if backward else []))
    line(sizes, depth, signal, palette.lines[0], label="values")
    if backward:
        line(sizes, depth[:-1], gradient[0], palette.lines[1], label="gradient by them", marker="s")
        legend(sizes, palette)
    label(sizes, palette, title="signal and gradient" if backward else "signal", x="layer", y="rms")
    shares = {name: 100 * each for name, each in values([layer["off_grid"] for layer in layers]).items()}
    line(off, depth[:-1], shares, palette.lines[0])
    off.set_ylim(-3, 103)
    label(off, palette, title="values off the grid", x="layer they enter", y="share, %")
    for axes in (sizes, off):
        axes.set_xticks(depth[:: max(1, len(depth) // 10)])
        axes.set_xlim(-0.3, len(layers) + 0.3)
    return figure
