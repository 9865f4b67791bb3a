"""All edge functions of a layer over one another, with quantile bands over edges and members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from kancli.figures.data import FigureData
from kancli.figures.panels import label, legend, panels, shade_off_grid
from kancli.figures.style import PALETTES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions

Array = np.ndarray

POINTS = 101
MAX_LAYERS = 12
MAX_LINES = 64  # of the first member's edges; more are an even choice of them
MAX_CURVES = 20_000  # under the bands, of all members
MIN_CURVES = 20  # for bands
BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Overlay:
    """The edge functions of one layer over the range of the values that entered it."""

    x: Array  # [p]
    curves: Array  # [m, e, p], of m members and e edges
    n_edges: int  # how many the layer has

    @property
    def bands(self) -> Array | None:
        """`[5, p]`, the quantiles `BANDS` over members and edges, where there are enough curves."""
        flat = self.curves.reshape(-1, len(self.x))
        if len(flat) < MIN_CURVES:
            return None
        with np.errstate(all="ignore"):
            return np.quantile(flat, BANDS, axis=0)


@torch.no_grad()
def overlay(data: FigureData, number: int) -> Overlay:
    """The curves of layer `number`; the range is that of the first member's samples."""
    layer = data.model.layers[number]
    finite = [each[np.isfinite(each)] for each in data.range(number)]
    low, high = (float(find(each)) if len(each) else 0.0 for find, each in zip((np.min, np.max), finite, strict=True))
    x = np.linspace(low, high, POINTS)
    n_edges = layer.n_in * layer.n_out
    chosen = np.unique(np.linspace(0, n_edges - 1, min(n_edges, MAX_CURVES)).astype(int))
    sources, targets = (torch.from_numpy(each) for each in np.unravel_index(chosen, (layer.n_in, layer.n_out)))
    places = torch.from_numpy(x).to(layer.coef).unsqueeze(1).expand(-1, len(chosen)).contiguous()
    curves = []
    for member in data.members():
        base, spline = member.layers[number].edge_parts(places, sources, targets)
        curves.append((base.double() + spline.double()).cpu().numpy().T)
        if (len(curves) + 1) * len(chosen) > MAX_CURVES:
            break
    return Overlay(x, np.stack(curves), n_edges)


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """A panel a layer."""
    palette = PALETTES[options.style]
    shown = min(len(data.ranges), MAX_LAYERS)
    figure, all_axes = panels(shown, palette, options.dpi)
    for number, axes in enumerate(all_axes):
        found = overlay(data, number)
        bands = found.bands
        if bands is not None:
            q05, q25, median, q75, q95 = bands
            colour = palette.lines[0]
            axes.fill_between(found.x, q05, q95, color=colour, alpha=0.18, linewidth=0, label="90 %")
            axes.fill_between(found.x, q25, q75, color=colour, alpha=0.3, linewidth=0, label="50 %")
            axes.plot(found.x, median, color=colour, linewidth=1.6, label="median", zorder=3)
        lines = found.curves[0][np.unique(np.linspace(0, len(found.curves[0]) - 1, MAX_LINES).astype(int))]
        faint = float(np.clip(6 / len(lines), 0.25, 0.9))
        whose = "edges of the first member" if data.n_members > 1 else "edges"
        for count, y in enumerate(lines):
            axes.plot(found.x, y, color=palette.ink, alpha=faint, linewidth=0.6, label=None if count else whose)
        if not np.isfinite(found.curves).any():
            style = {"ha": "center", "color": palette.ink, "transform": axes.transAxes}
            axes.text(0.5, 0.5, "not finite", **style)
        shade_off_grid(axes, data.first.layers[number], found.x, palette)
        if number == 0 and bands is not None:
            legend(axes, palette)
        members, edges = found.curves.shape[:2]
        of = f"{edges:,} of {found.n_edges:,}" if edges < found.n_edges else f"{edges:,}"
        whole = f" of {data.n_members:,}" if members < data.n_members else ""
        over = f", {members}{whole} members" if data.n_members > 1 else ""
        last = f" of {len(data.ranges)}" if shown < len(data.ranges) else ""
        label(axes, palette, title=f"layer {number}{last}: {of} edges{over}", x="x", y="φ(x)")
    return figure
