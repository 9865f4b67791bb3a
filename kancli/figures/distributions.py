"""Histograms of parameters against the density of their law, and of preactivations against the grid."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.panels import add_legend, label_panel, make_panels, shade_off_grid, title_margin
from kancli.figures.style import PALETTES, Palette
from kancli.inits.laws import Constant, Masked, Uniform

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
MIN_DRAWS = 20  # of a histogram
POINTS = 400  # of a law's curve
BINNED = "law, by bin"
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
    label = "drawn" if any(data.laws) else "values"  # of a checkpoint, whose law is unknown
    of_layers = f" of {len(data.ranges)}" if len(shown) < len(data.ranges) else ""
    for layer in shown:
        title = f"layer {layer}{of_layers}"
        for name in names:
            law = _law(data, layer, name)
            axes = next(remaining)
            _draw_parameters(axes, values[name][layer], law, palette, label)
            full_title = f"{title}, {name}{_format_members(data)}\n{_format_law(law)}"
            has_density = law is not None or len(values[name][layer]) >= MIN_DRAWS
            _label(axes, full_title, name, palette, has_density=has_density)
        if (preacts := data.preacts(layer)) is not None:
            _draw_preacts(next(remaining), _finite(preacts.double().numpy()), data, layer, title, palette)
    add_legend(all_axes[0], palette)
    return figure


def _entries(data: FigureData, layer: int, name: str) -> Array:
    """The finite entries of a tensor, of all members shown."""
    tensor = getattr(data.kan.layers[layer], name)
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


def _bin_edges(values: Array, law: Law | None = None) -> Array:
    """Edges of bins: those of a uniform law's box, or with the extreme values as centres of the outer ones."""
    bins = int(np.clip(2 * len(values) ** (1 / 3), 8, MAX_BINS))
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if _is_box(law):
        return np.linspace(min(law.low, low), max(law.high, high), bins + 1)
    if not high - low > 1e-9 * max(abs(low), abs(high)):  # constant
        low, high = low - 0.5, high + 0.5
    half = (high / 2 - low / 2) / (bins - 1)
    return np.histogram_bin_edges([], bins, (low - half, high + half))


def _draw_values(axes: Axes, values: Array, edges: Array, palette: Palette, label: str) -> None:
    """Draw a normalised histogram; of fewer than `MIN_DRAWS` values, a dot for each at the foot of the panel."""
    style = {"color": palette.lines[0], "alpha": 0.45, "label": label}
    if len(values) < MIN_DRAWS:
        height = np.full(len(values), 0.04)
        axes.plot(values, height, "o", markersize=5, transform=axes.get_xaxis_transform(), **style)
        return
    counts, _ = np.histogram(values, edges)
    axes.stairs(counts / len(values) / np.diff(edges), edges, fill=True, **style)


def _draw_parameters(axes: Axes, values: Array, law: Law | None, palette: Palette, label: str) -> None:
    edges = _bin_edges(values, law)
    _draw_values(axes, values, edges, palette, label)
    if law is None:
        return
    style = {"color": palette.lines[1], "linewidth": 1.5}
    width, margin = edges[1] - edges[0], 0.15 * (edges[-1] - edges[0])
    if _is_box(law):
        density = 1 / (law.high - law.low)
        x = [edges[0] - margin, law.low, law.low, law.high, law.high, edges[-1] + margin]
        axes.plot(x, [0, 0, density, density, 0, 0], label="law", **style)
    elif isinstance(law, (Constant, Masked)):  # laws with point masses
        extended = np.concatenate([edges[:1] - width, edges, edges[-1:] + width])
        axes.stairs(binned_density(law, (extended[1:] + extended[:-1]) / 2, width), extended, label=BINNED, **style)
    else:
        reach = 0.0 if len(values) >= MIN_DRAWS else 3 * law.std
        x = np.linspace(min(edges[0] - margin, law.mean - reach), max(edges[-1] + margin, law.mean + reach), POINTS)
        is_binned = len(values) >= MIN_DRAWS
        density = binned_density(law, x, width if is_binned else (x[1] - x[0]))
        axes.plot(x, density, label=BINNED if is_binned else "law", **style)


def _is_box(law: Law | None) -> TypeGuard[Uniform]:
    return isinstance(law, Uniform) and law.low < law.high


def _draw_preacts(axes: Axes, values: Array, data: FigureData, layer: int, title: str, palette: Palette) -> None:
    _draw_values(axes, values, _bin_edges(values), palette, "values")
    _mark_grid(axes, data.first_member.layers[layer], values, palette)
    member = " of the first member" if data.n_members > 1 else ""
    _label(axes, f"{title}, preacts{member}", "x", palette, has_density=len(values) >= MIN_DRAWS)


def _label(axes: Axes, title: str, x: str, palette: Palette, *, has_density: bool) -> None:
    """Label a panel; without a scale where its height has no meaning, as there are only dots."""
    label_panel(axes, palette, title=title, x=x, y="density" if has_density else "")
    axes.set_ylim(bottom=0)
    if not has_density:
        axes.set_yticks([])


def _mark_grid(axes: Axes, layer: KANLayer, values: Array, palette: Palette) -> None:
    """Shade the range outside the grid, and draw the knots within the range of the values."""
    shade_off_grid(axes, layer, values, palette)
    if not layer.per_input_knots and len(values):
        knots = np.linspace(*layer.grid_range, layer.grid + 1)
        for knot in knots[(knots >= values.min()) & (knots <= values.max())]:
            axes.axvline(knot, color=palette.quiet, linewidth=0.6, linestyle=":", zorder=0.5)
