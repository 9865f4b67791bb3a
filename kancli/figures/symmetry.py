"""How alike the nodes of each hidden layer are: their correlations over the samples, first member."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.panels import BAR, colour_bar, label, panels, write_cells
from kancli.figures.scene import NothingToDrawError, Scene
from kancli.figures.style import PALETTES, colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures.options import Figures

MOST_LAYERS = 12


def correlations(scene: Scene) -> dict[int, np.ndarray]:
    """The correlation matrix of each layer's values that has several nodes, by layer; NaN for a node that is still."""
    found = {}
    names = [f"layers.{number}.preacts" for number in range(1, len(scene.scopes))] + ["output"]
    for number, name in enumerate(names):
        if name in scene.activations and scene.model.width[number + 1] > 1:
            values = scene.activations[name].double().numpy()
            with np.errstate(all="ignore"):
                deviation = values - values.mean(axis=0)
                scale = np.sqrt((deviation**2).sum(axis=0))
                found[number] = deviation.T @ deviation / (scale[:, None] * scale)
    return found


def draw(scene: Scene, look: Figures) -> Figure:
    """A square for each layer of several nodes, from -1 to 1.

    Raises:
        NothingToDrawError: no activations were kept, or no layer has several nodes.
    """
    if not scene.activations:
        raise NothingToDrawError("figures=symmetry: no activations were kept; leave out activations.n=0")
    found = correlations(scene)
    if not found:
        raise NothingToDrawError("figures=symmetry: no layer has several nodes")
    if not any(np.isfinite(each).any() for each in found.values()):
        raise NothingToDrawError("figures=symmetry: no node's values vary, or none are finite")
    palette = PALETTES[look.style]
    shown = list(found)[:MOST_LAYERS]
    figure, all_axes = panels(len(shown), palette, look.dpi, per_row=4, right=BAR)
    for axes, number in zip(all_axes, shown, strict=True):
        image = axes.imshow(found[number], vmin=-1, vmax=1, cmap=colours("cividis", palette), interpolation="nearest")
        write_cells(axes, image)
        ticks = np.arange(0, len(found[number]), max(1, len(found[number]) // 5))
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
        last = f" of {len(scene.scopes)}" if len(shown) < len(found) else ""
        whose = ", first member" if scene.n_members > 1 else ""
        title = f"layer {number + 1}{last}: {len(found[number])} nodes{whose}"
        label(axes, palette, title=title, x="node", y="node")
        colour_bar(figure, axes, image, palette, "correlation over samples")
    return figure
