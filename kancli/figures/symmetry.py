"""Correlations over the samples between the nodes of each layer, of the first member."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.diagram.canvas import truncate
from kancli.figures.panels import COLOUR_BAR_MARGIN, add_colour_bar, label_panel, make_panels, write_cell_values
from kancli.figures.style import PALETTES, colour_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions

MAX_LAYERS = 12
MAX_NAMES, MAX_NAME_LENGTH = 16, 6
MAX_ROW_LENGTH = 30  # characters of all names along an axis; beyond, they are upright


def correlations(data: FigureData) -> dict[int, np.ndarray]:
    """The correlation matrix of each layer with several nodes, by layer; NaN for a node of constant value."""
    matrices = {}
    names = [f"layers.{number}.preacts" for number in range(1, len(data.model.layers))] + ["output"]
    for number, name in enumerate(names):
        if name in data.activations and data.model.width[number + 1] > 1:
            values = data.activations[name].double().numpy()
            with np.errstate(all="ignore"):
                deviation = values - values.mean(axis=0)
                scale = np.sqrt((deviation**2).sum(axis=0))
                matrices[number] = deviation.T @ deviation / (scale[:, None] * scale)
    return matrices


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """Plot a colour map from -1 to 1 for each layer with several nodes.

    Raises:
        NothingToDrawError: no activations were kept, or no layer has several nodes.
    """
    if not data.activations:
        raise NothingToDrawError("figures=symmetry: no activations were kept; leave out activations.n=0")
    matrices = correlations(data)
    if not matrices:
        raise NothingToDrawError("figures=symmetry: no layer has several nodes")
    if not any(np.isfinite(matrix).any() for matrix in matrices.values()):
        raise NothingToDrawError("figures=symmetry: no node's values vary, or none are finite")
    palette = PALETTES[options.style]
    shown = list(matrices)[:MAX_LAYERS]
    figure, all_axes = make_panels(len(shown), palette, options.dpi, per_row=4, right=COLOUR_BAR_MARGIN)
    for axes, number in zip(all_axes, shown, strict=True):
        matrix = matrices[number]
        image = axes.imshow(matrix, vmin=-1, vmax=1, cmap=colour_map("cividis", palette), interpolation="nearest")
        write_cell_values(axes, image, ".2f")
        _name_nodes(axes, number, matrix, data, options)
        of_layers = f" of {len(data.model.layers)}" if len(shown) < len(matrices) else ""
        member = ", first member" if data.n_members > 1 else ""
        title = f"layer {number + 1}{of_layers}: {len(matrix)} nodes{member}"
        label_panel(axes, palette, title=title, x=f"node of layer {number + 1}", y=f"node of layer {number + 1}")
        add_colour_bar(figure, axes, image, palette, "correlation over samples")
    return figure


def _name_nodes(axes: Axes, number: int, matrix: np.ndarray, data: FigureData, options: FigureOptions) -> None:
    """Label the rows and columns by the numbers of their nodes, or by the names of the outputs; of many, some."""
    names = [str(node) for node in range(len(matrix))]
    if options.out_vars and number == len(data.model.layers) - 1:
        names = [truncate(name, MAX_NAME_LENGTH) for name in options.out_vars]
    ticks = range(0, len(matrix), -(-len(matrix) // MAX_NAMES))
    labels = [names[tick] for tick in ticks]
    is_upright = sum(map(len, labels)) > MAX_ROW_LENGTH
    axes.set_xticks(ticks, labels, rotation=90 if is_upright else 0)
    axes.set_yticks(ticks, labels)
