"""How alike the nodes of each hidden layer are: their correlations over the samples, first member."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.panels import BAR, colour_bar, label, panels, write_cells
from kancli.figures.style import PALETTES, colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions

MAX_LAYERS = 12


def correlations(data: FigureData) -> dict[int, np.ndarray]:
    """The correlation matrix of each layer's values that has several nodes, by layer; NaN for a node that is still."""
    found = {}
    names = [f"layers.{number}.preacts" for number in range(1, len(data.ranges))] + ["output"]
    for number, name in enumerate(names):
        if name in data.activations and data.model.width[number + 1] > 1:
            values = data.activations[name].double().numpy()
            with np.errstate(all="ignore"):
                deviation = values - values.mean(axis=0)
                scale = np.sqrt((deviation**2).sum(axis=0))
                found[number] = deviation.T @ deviation / (scale[:, None] * scale)
    return found


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """A square for each layer of several nodes, from -1 to 1.

    Raises:
        NothingToDrawError: no activations were kept, or no layer has several nodes.
    """
    if not data.activations:
        raise NothingToDrawError("figures=symmetry: no activations were kept; leave out activations.n=0")
    found = correlations(data)
    if not found:
        raise NothingToDrawError("figures=symmetry: no layer has several nodes")
    if not any(np.isfinite(each).any() for each in found.values()):
        raise NothingToDrawError("figures=symmetry: no node's values vary, or none are finite")
    palette = PALETTES[options.style]
    shown = list(found)[:MAX_LAYERS]
    figure, all_axes = panels(len(shown), palette, options.dpi, per_row=4, right=BAR)
    for axes, number in zip(all_axes, shown, strict=True):
        image = axes.imshow(found[number], vmin=-1, vmax=1, cmap=colours("cividis", palette), interpolation="nearest")
        write_cells(axes, image)
        ticks = np.arange(0, len(found[number]), max(1, len(found[number]) // 5))
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
        last = f" of {len(data.ranges)}" if len(shown) < len(found) else ""
        whose = ", first member" if data.n_members > 1 else ""
        title = f"layer {number + 1}{last}: {len(found[number])} nodes{whose}"
        label(axes, palette, title=title, x="node", y="node")
        colour_bar(figure, axes, image, palette, "correlation over samples")
    return figure
