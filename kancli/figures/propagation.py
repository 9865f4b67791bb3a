"""Signal and gradient against depth, with the bounds of their verdicts: of one run, or a line for each of several."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures.bounds import Bounds, draw_bounds
from kancli.figures.data import DepthProfile, FigureData, NothingToDrawError, depth_profile
from kancli.figures.diagram.canvas import text_width
from kancli.figures.panels import (
    HEIGHT,
    LEFT,
    TOP,
    label_panel,
    make_panels,
    mean_and_interval,
    plot_mean,
    set_log_scale,
)
from kancli.figures.style import PALETTES, Palette, format_short
from kancli.stats.glossary import quantities

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from kancli.figures.options import FigureOptions

STYLES = (
    ("-", "o"),
    ((0, (4, 2)), "s"),
    ((0, (1, 1.5)), "^"),
)  # in turn with the colours, so that a line shows under another
Y_LABEL_LENGTH = 34
NAME_SIZES, NAME_WIDTH = (7.5, 6.5, 5.5, 4.5), 3.3  # points, the largest that has room; inches


def plot(data: FigureData, options: FigureOptions) -> Figure:
    """Plot a panel for the signal, one for the gradient where it was measured, and one for the off-grid share.

    Bands are 5 to 95 % of the members of an ensemble; of the share, 95 % intervals of the mean.

    Raises:
        NothingToDrawError: no statistics were measured, or by a kancli that did not record them by layer.
    """
    if not data.stats["layers"]:
        raise NothingToDrawError("figures=propagation: nothing was measured; take stats=basic or stats=full")
    profile = depth_profile(data.stats)
    if profile is None:
        raise NothingToDrawError(
            "figures=propagation: an earlier kancli measured no signal by layer; repeat the run with kan-run rerun"
        )
    palette = PALETTES[options.style]
    layers, measured = data.stats["layers"], _measured([profile])
    has_grid = "off_grid" in layers[0]  # an MLP has none
    n_panels = len(measured) + has_grid
    figure, panels = make_panels(n_panels, palette, options.dpi, left=LEFT + 0.16, top=TOP + 0.2)
    for axes, quantity in zip(panels, measured, strict=not has_grid):
        _draw(axes, quantity, [profile], data.bounds, palette)
        if (slope := profile.slopes.get(quantity)) is not None:
            axes.set_title(f"slope of the log: {format_short(slope)} a layer", fontsize=10, color=palette.ink,
                           loc="left", y=1.07)  # fmt: skip
    if not has_grid:
        return figure
    off = panels[-1]
    shares = mean_and_interval([layer["off_grid"] for layer in layers])
    plot_mean(off, np.arange(len(layers)), shares, palette.lines[0])
    off.set_ylim(-0.03, 1.03)
    draw_bounds(off, {name: bounds for name, bounds in data.bounds.items() if name == "off_grid"}, palette)
    label_panel(off, palette, title="", x="layer that the values enter", y=_y_label("off_grid"))
    _set_ticks(off, len(layers))
    return figure


def plot_profiles(
    profiles: Sequence[DepthProfile],
    options: FigureOptions,
    bounds: Mapping[str, Bounds],
    remarks: Sequence[str] = (),
) -> Figure:
    """Plot a line for each profile, with a band over seeds, in a panel for the signal and one for the gradient; beside
    them, their names and slopes.

    Args:
        bounds: of the verdicts, by name.
        remarks: lines below the names.
    """
    palette = PALETTES[options.style]
    measured = _measured(profiles)
    figure, (*panels, names) = make_panels(len(measured) + 1, palette, options.dpi, left=LEFT + 0.16)
    for axes, quantity in zip(panels, measured, strict=True):
        _draw(axes, quantity, profiles, bounds, palette)
    has_bands = any("low" in values for profile in profiles for values in profile.values.values())
    notes = [*remarks, *(["line: median of the seeds; band: 5 to 95 % of them"] if has_bands else [])]
    _draw_names(names, panels[0].get_lines()[: len(profiles)], profiles, measured, notes, palette)
    return figure


def _draw_names(
    axes: Axes,
    lines: Sequence[Line2D],
    profiles: Sequence[DepthProfile],
    measured: Sequence[str],
    notes: Sequence[str],
    palette: Palette,
) -> None:
    """Fill a panel with the names and slopes of the lines, and the notes above them."""
    slopes = f"slope of the log a layer: {', '.join(measured)}"
    for size in NAME_SIZES:
        length = int(NAME_WIDTH / text_width("x", size))
        entries = ["\n".join(textwrap.wrap(_entry(profile, measured), length)) for profile in profiles]
        title = "\n".join(line for note in (*notes, slopes) for line in textwrap.wrap(note, length))
        n_lines = sum(text.count("\n") + 1 for text in (*entries, title))
        if size * (1.3 * n_lines + 0.5 * len(entries)) / 72 < HEIGHT - 0.2:
            break
    axes.set_axis_off()
    legend = axes.legend(lines, entries, title=title, loc="upper left", bbox_to_anchor=(-0.2, 1.1), alignment="left",
                         fontsize=size, title_fontsize=size, labelcolor=palette.ink, handlelength=3,
                         frameon=False)  # fmt: skip
    legend.get_title().set_color(palette.ink)


def _measured(profiles: Sequence[DepthProfile]) -> list[str]:
    return [quantity for quantity in ("signal", "gradient") if any(quantity in profile.values for profile in profiles)]


def _draw(
    axes: Axes, quantity: str, profiles: Sequence[DepthProfile], bounds: Mapping[str, Bounds], palette: Palette
) -> None:
    shown = [profile.values.get(quantity, {"middle": np.full(1, np.nan)}) for profile in profiles]
    series = set_log_scale(axes, *({"mean" if end == "middle" else end: array for end, array in values.items()}
                                   for values in shown))  # fmt: skip
    for number, stats in enumerate(series):
        line, marker = STYLES[(number + number // len(palette.lines)) % len(STYLES)]
        colour = palette.lines[number % len(palette.lines)]
        plot_mean(axes, np.arange(len(stats["mean"])), stats, colour, linestyle=line, marker=marker)
    draw_bounds(axes, {name: bounds[name] for name in _verdicts(quantity) if name in bounds}, palette)
    label_panel(axes, palette, title="", x="layer of the nodes, 0 for the inputs", y=_y_label(_verdicts(quantity)[0]))
    _set_ticks(axes, max(len(stats["mean"]) for stats in series))


def _verdicts(quantity: str) -> tuple[str, str]:
    return f"{quantity}_vanishes", f"{quantity}_explodes"


def _y_label(verdict: str) -> str:
    return "\n".join(textwrap.wrap(quantities()[verdict], Y_LABEL_LENGTH))


def _set_ticks(axes: Axes, count: int) -> None:
    axes.set_xticks(range(0, count, -(-count // 10)))
    axes.set_xlim(-0.3, max(count - 1, 1) + 0.3)


def _entry(profile: DepthProfile, measured: Sequence[str]) -> str:
    """The name of a line and its slopes."""
    slopes = [profile.slopes.get(quantity) for quantity in measured]
    texts = ["–" if slope is None else format_short(slope) for slope in slopes]
    return f"{profile.name or 'all seeds'}: {', '.join(texts)}"
