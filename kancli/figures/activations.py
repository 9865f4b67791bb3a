"""The edge functions of each layer in one panel, with quantile bands over edges and members."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from kancli.figures.data import FigureData
from kancli.figures.panels import add_legend, label_panel, make_panels, shade_off_grid
from kancli.figures.style import PALETTES, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions

Array = np.ndarray

POINTS = 101
MAX_LAYERS = 12
MAX_LINES = 64  # of the first member's edges, evenly spaced
MAX_CURVES = 20_000  # of all members, for the bands
MIN_CURVES = 20  # below, no bands
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class LayerCurves:
    """The edge functions of one layer over the range of its preactivations."""

    x: Array  # [p]
    curves: Array  # [m, e, p], of m members and e edges
    n_edges: int  # of the layer

    @cached_property
    def bands(self) -> Array | None:
        """The `QUANTILES` over members and edges, `[5, p]`; None for fewer than `MIN_CURVES` curves."""
        curves = self.curves.reshape(-1, len(self.x))
        if len(curves) < MIN_CURVES:
            return None
        with np.errstate(all="ignore"):
            return np.quantile(curves, QUANTILES, axis=0)


@torch.no_grad()
def sample_layer(data: FigureData, layer_index: int) -> LayerCurves:
    """Evaluate the edge functions of a layer over the range of the first member's samples."""
    layer = data.kan.layers[layer_index]
    lows, highs = (ends[np.isfinite(ends)] for ends in data.preact_range(layer_index))
    low, high = float(lows.min()) if len(lows) else 0.0, float(highs.max()) if len(highs) else 0.0
    x = np.linspace(low, high, POINTS)
    n_edges = layer.n_in * layer.n_out
    chosen = np.unique(np.linspace(0, n_edges - 1, min(n_edges, MAX_CURVES)).astype(int))
    sources, targets = map(torch.from_numpy, np.unravel_index(chosen, (layer.n_in, layer.n_out)))
    points = torch.from_numpy(x).to(layer.coef).unsqueeze(1).expand(-1, len(chosen)).contiguous()
    curves = []
    for member in data.members():
        base, spline = member.layers[layer_index].edge_parts(points, sources, targets)
        curves.append((base.double() + spline.double()).cpu().numpy().T)
        if (len(curves) + 1) * len(chosen) > MAX_CURVES:
            break
    return LayerCurves(x, np.stack(curves), n_edges)


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """Plot one panel for each layer."""
    palette = PALETTES[options.style]
    n_shown = min(len(data.ranges), MAX_LAYERS)
    figure, all_axes = make_panels(n_shown, palette, options.dpi)
    for layer, axes in enumerate(all_axes):
        curves = sample_layer(data, layer)
        has_bands = curves.bands is not None
        if has_bands:
            _plot_bands(axes, curves, palette)
        _plot_lines(axes, curves, "edges of the first member" if data.n_members > 1 else "edges", palette)
        shade_off_grid(axes, data.first_member.layers[layer], curves.x, palette)
        if layer == 0 and has_bands:
            add_legend(axes, palette)
        of_layers = f" of {len(data.ranges)}" if n_shown < len(data.ranges) else ""
        label_panel(axes, palette, title=f"layer {layer}{of_layers}: {_format_counts(curves, data)}", x="x", y="φ(x)")
    return figure


def _plot_bands(axes: Axes, curves: LayerCurves, palette: Palette) -> None:
    assert curves.bands is not None
    q05, q25, median, q75, q95 = curves.bands
    colour = palette.lines[0]
    axes.fill_between(curves.x, q05, q95, color=colour, alpha=0.18, linewidth=0, label="90 %")
    axes.fill_between(curves.x, q25, q75, color=colour, alpha=0.3, linewidth=0, label="50 %")
    axes.plot(curves.x, median, color=colour, linewidth=1.6, label="median", zorder=3)


def _plot_lines(axes: Axes, curves: LayerCurves, label: str, palette: Palette) -> None:
    """Plot edge functions of the first member."""
    lines = curves.curves[0][np.unique(np.linspace(0, len(curves.curves[0]) - 1, MAX_LINES).astype(int))]
    alpha = float(np.clip(6 / len(lines), 0.25, 0.9))
    for number, y in enumerate(lines):
        axes.plot(curves.x, y, color=palette.ink, alpha=alpha, linewidth=0.6, label=None if number else label)
    if not np.isfinite(curves.curves).any():
        axes.text(0.5, 0.5, "not finite", ha="center", color=palette.ink, transform=axes.transAxes)


def _format_counts(curves: LayerCurves, data: FigureData) -> str:
    """The number of edges and members shown."""
    n_members, n_edges = curves.curves.shape[:2]
    edges = f"{n_edges:,} of {curves.n_edges:,}" if n_edges < curves.n_edges else f"{n_edges:,}"
    of_members = f" of {data.n_members:,}" if n_members < data.n_members else ""
    members = f", {n_members}{of_members} members" if data.n_members > 1 else ""
    return f"{edges} edges{members}"
