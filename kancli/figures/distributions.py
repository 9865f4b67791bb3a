"""Histograms of parameters against the density of their law, and of preactivations against the grid."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.panels import add_legend, label_panel, make_panels, shade_off_grid, title_margin
from kancli.figures.style import PALETTES, Palette
from kancli.inits.laws import Constant, Masked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kancli.figures.options import FigureOptions
    from kancli.inits.laws import Law
    from kancli.kan.layer import KANLayer

Array = np.ndarray

TENSORS = ("scale_base", "scale_sp", "coef", "bias")
MAX_LAYERS = 6
MAX_BINS = 60
POINTS = 400  # of a law's curve
LINE_LENGTH, N_LINES = 48, 2  # of a law in a title


def binned_density(law: Law, x: Array, bin_width: float) -> Array:
    """The density of a law, averaged over a bin centred at x: the expected height of a histogram."""
    return (law.cdf(x + bin_width / 2) - law.cdf(x - bin_width / 2)) / bin_width


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """Plot a row of panels for each layer: one for each tensor that is not constant, and one for the preactivations.

    Raises:
        NothingToDrawError: there is neither.
    """
    palette = PALETTES[options.style]
    shown = range(min(len(data.ranges), MAX_LAYERS))
    values = {name: [_entries(data, layer, name) for layer in shown] for name in TENSORS}
    names = [name for name, layers in values.items() if any(map(_varies, layers))]
    has_preacts = data.preacts(0) is not None
    if not names and not has_preacts:
        raise NothingToDrawError("figures=distributions: nothing was drawn at random and no activations were kept")
    per_row, top = len(names) + has_preacts, title_margin("\n" * N_LINES)
    figure, all_axes = make_panels(len(shown) * per_row, palette, options.dpi, per_row=per_row, top=top)
    remaining = iter(all_axes)
    of_layers = f" of {len(data.ranges)}" if len(shown) < len(data.ranges) else ""
    for layer in shown:
        title = f"layer {layer}{of_layers}"
        for name in names:
            law = _law(data, layer, name)
            axes = next(remaining)
            _draw_parameters(axes, values[name][layer], law, palette)
            full_title = f"{title}, {name}{_format_members(data)}\n{_format_law(law)}"
            label_panel(axes, palette, title=full_title, x=name, y="density")
        if (preacts := data.preacts(layer)) is not None:
            _draw_preacts(next(remaining), _finite(preacts.double().numpy()), data, layer, title, palette)
    add_legend(all_axes[0], palette)
    return figure


def _entries(data: FigureData, layer: int, name: str) -> Array:
    """The finite entries of a tensor, of all members shown."""
    tensor = getattr(data.model.layers[layer], name)
    return np.zeros(0) if tensor is None else _finite(tensor.detach().cpu().double().numpy())


def _law(data: FigureData, layer: int, name: str) -> Law | None:
    """The law of a tensor, if it has one with a distribution function: laws of plugins may lack it."""
    law = data.laws[layer].get(name) if data.laws else None
    return law if hasattr(law, "cdf") else None


def _format_law(law: Law | None) -> str:
    if law is None:
        return "no declared law"
    return "\n".join(textwrap.wrap(str(law), LINE_LENGTH, max_lines=N_LINES, placeholder=" …"))


def _format_members(data: FigureData) -> str:
    n_members = data.model.n_members or 1
    return f", {n_members} of {data.n_members:,} members" if n_members < data.n_members else ""


def _varies(values: Array) -> bool:
    return len(values) > 0 and bool(values.min() < values.max())


def _finite(values: Array) -> Array:
    return values[np.isfinite(values)]


def _draw_histogram(axes: Axes, values: Array, palette: Palette) -> Array:
    """Draw a normalised histogram and return its bin edges; the extreme values are centres of their bins."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if not high - low > 1e-9 * max(abs(low), abs(high)):  # constant
        low, high = low - 0.5, high + 0.5
    bins = int(np.clip(2 * len(values) ** (1 / 3), 8, MAX_BINS))
    half = (high / 2 - low / 2) / (bins - 1)
    counts, edges = np.histogram(values, bins, (low - half, high + half))
    style = {"color": palette.lines[0], "alpha": 0.45, "label": "drawn"}
    axes.stairs(counts / max(1, len(values)) / np.diff(edges), edges, fill=True, **style)
    return edges


def _draw_parameters(axes: Axes, values: Array, law: Law | None, palette: Palette) -> None:
    edges = _draw_histogram(axes, values, palette)
    if law is None:
        return
    style = {"color": palette.lines[1], "linewidth": 1.5, "label": "law, by bin"}
    width = edges[1] - edges[0]
    if isinstance(law, (Constant, Masked)):  # laws with point masses
        extended = np.concatenate([edges[:1] - width, edges, edges[-1:] + width])
        axes.stairs(binned_density(law, (extended[1:] + extended[:-1]) / 2, width), extended, **style)
    else:
        margin = 0.15 * (edges[-1] - edges[0])
        x = np.linspace(edges[0] - margin, edges[-1] + margin, POINTS)
        axes.plot(x, binned_density(law, x, width), **style)


def _draw_preacts(axes: Axes, values: Array, data: FigureData, layer: int, title: str, palette: Palette) -> None:
    _draw_histogram(axes, values, palette)
    _mark_grid(axes, data.first_member.layers[layer], values, palette)
    member = " of the first member" if data.n_members > 1 else ""
    label_panel(axes, palette, title=f"{title}, preacts{member}", x="x", y="density")


def _mark_grid(axes: Axes, layer: KANLayer, values: Array, palette: Palette) -> None:
    """Shade the range outside the grid, and draw the knots within the range of the values."""
    shade_off_grid(axes, layer, values, palette)
    if not layer.per_input_knots and len(values):
        knots = np.linspace(*layer.grid_range, layer.grid + 1)
        for knot in knots[(knots >= values.min()) & (knots <= values.max())]:
            axes.axvline(knot, color=palette.quiet, linewidth=0.6, linestyle=":", zorder=0.5)
