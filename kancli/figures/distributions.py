"""The drawn parameters against the density that their law declares, and what entered each layer against its grid."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.data import FigureData, NothingToDrawError
from kancli.figures.panels import label, legend, panels, room_for, shade_off_grid
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
FINE = 400  # points of a law's curve
LINE, LINES = 48, 2  # letters of a line of a law, and lines


def density_of(law: Law, x: Array, bin: float) -> Array:
    """What a histogram with bins of that width is expected to show at x: the law's density, averaged over a bin."""
    return (law.cdf(x + bin / 2) - law.cdf(x - bin / 2)) / bin


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """A row of panels a layer: one for each tensor that is not the same number everywhere, and one for the preacts.

    Raises:
        NothingToDrawError: there is neither.
    """
    palette = PALETTES[options.style]
    shown = range(min(len(data.ranges), MAX_LAYERS))
    drawn = {name: [_drawn(data, number, name) for number in shown] for name in TENSORS}
    columns = [name for name, layers in drawn.items() if any(map(_varies, layers))]
    kept = data.samples(0) is not None
    if not columns and not kept:
        raise NothingToDrawError("figures=distributions: nothing was drawn at random and no activations were kept")
    per_row = len(columns) + kept
    figure, all_axes = panels(len(shown) * per_row, palette, options.dpi, per_row=per_row, top=room_for("\n" * LINES))
    left = iter(all_axes)
    last = f" of {len(data.ranges)}" if len(shown) < len(data.ranges) else ""
    members = data.model.n_members or 1
    over = f", {members} of {data.n_members:,} members" if members < data.n_members else ""
    for number in shown:
        for name in columns:
            law = data.laws[number].get(name) if data.laws else None
            law = law if hasattr(law, "cdf") else None  # one that somebody else wrote may have none
            axes = next(left)
            _draw_parameters(axes, drawn[name][number], law, palette)
            told = (
                "\n".join(textwrap.wrap(str(law), LINE, max_lines=LINES, placeholder=" …"))
                if law is not None
                else "no declared law"
            )
            label(axes, palette, title=f"layer {number}{last}, {name}{over}\n{told}", x=name, y="density")
        if (samples := data.samples(number)) is not None:
            axes = next(left)
            values = _finite(samples.double().numpy())
            _histogram(axes, values, palette)
            _mark_grid(axes, data.first.layers[number], values, palette)
            whose = " of the first member" if data.n_members > 1 else ""
            label(axes, palette, title=f"layer {number}{last}, preacts{whose}", x="x", y="density")
    legend(all_axes[0], palette)
    return figure


def _drawn(data: FigureData, number: int, name: str) -> Array:
    """All entries of a tensor, of all members shown."""
    tensor = getattr(data.model.layers[number], name)
    return np.zeros(0) if tensor is None else _finite(tensor.detach().cpu().double().numpy())


def _varies(values: Array) -> bool:
    return len(values) > 0 and bool(values.min() < values.max())


def _finite(values: Array) -> Array:
    return values[np.isfinite(values)]


def _histogram(axes: Axes, values: Array, palette: Palette) -> Array:
    """Draw the density of some values, and return the edges of its bins; least and greatest value lie amid theirs."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if not high - low > 1e-9 * max(abs(low), abs(high)):  # one value
        low, high = low - 0.5, high + 0.5
    bins = int(np.clip(2 * len(values) ** (1 / 3), 8, MAX_BINS))
    half = (high / 2 - low / 2) / (bins - 1)
    counts, edges = np.histogram(values, bins, (low - half, high + half))
    style = {"color": palette.lines[0], "alpha": 0.45, "label": "drawn"}
    axes.stairs(counts / max(1, len(values)) / np.diff(edges), edges, fill=True, **style)
    return edges


def _draw_parameters(axes: Axes, values: Array, law: Law | None, palette: Palette) -> None:
    edges = _histogram(axes, values, palette)
    if law is None:
        return
    style = {"color": palette.lines[1], "linewidth": 1.5, "label": "law, by bin"}
    bin = edges[1] - edges[0]
    beyond = np.concatenate([edges[:1] - bin, edges, edges[-1:] + bin])
    if isinstance(law, (Constant, Masked)):  # some values are taken by many entries
        axes.stairs(density_of(law, (beyond[1:] + beyond[:-1]) / 2, bin), beyond, **style)
    else:
        reach = 0.15 * (edges[-1] - edges[0])
        x = np.linspace(edges[0] - reach, edges[-1] + reach, FINE)
        axes.plot(x, density_of(law, x, bin), **style)


def _mark_grid(axes: Axes, layer: KANLayer, values: Array, palette: Palette) -> None:
    """Shade what lies off the grid, and draw its knots as far as values reach."""
    shade_off_grid(axes, layer, values, palette)
    if not layer.per_input_knots and len(values):
        knots = np.linspace(*layer.grid_range, layer.grid + 1)
        for knot in knots[(knots >= values.min()) & (knots <= values.max())]:
            axes.axvline(knot, color=palette.quiet, linewidth=0.6, linestyle=":", zorder=0.5)
