"""The tables that a run prints with -v: every statistic of its layers in short, and every verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from kancli.runs.console import STYLES, interval, maximum, number, share, spread, typical
from kancli.runs.training_summary import training_lines
from kancli.stats.options import answer, statement
from kancli.stats.verdicts import Verdict

# The columns of a run's table, and the std that each shows: pooled over entries, or over samples for values, as a std
# over nodes would hide that every node has come to a constant of its own.
SPREADS = {
    "scale_base": "std", "coef": "std", "weight": "std", "preacts": "node_std", "postacts": "edge_std",
    "output": "node_std",
}  # fmt: skip
SPLINES = {"off_grid": "off-grid", "spline_share": "spline"}  # shares, of a KAN only


def summary(stats: Mapping[str, Any], verdicts: Sequence[Verdict], headline: str) -> list[Table | str]:
    """The lines of a run's summary: its headline, a table of its layers, remarks and a table of its verdicts."""
    if not stats["layers"]:
        return [headline, verdict_table(verdicts)]
    spreads, shares = ([name for name in names if name in stats["layers"][0]] for names in (SPREADS, SPLINES))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 0))
    table.add_column("layer", no_wrap=True)
    for name in (*spreads, *(SPLINES[name] for name in shares)):
        table.add_column(name, justify="right", no_wrap=True)
    for layer in stats["layers"]:
        table.add_row(
            f"{layer['layer']}\n{layer['n_in']}-{layer['n_out']}",
            *(spread(layer[name], SPREADS[name]) for name in spreads),
            *(share(typical(layer[name])) for name in shares),
        )
    lines = [f"mean, ±std (of values: over the samples, node by node{' and edge by edge' if shares else ''})"]
    if shares:
        lines.append("off-grid: share of preacts; spline: its share of the branches' variance")
    if isinstance(stats["layers"][0]["gain"]["rms"], Mapping):
        lines.append("all of them means over the members: stats.json has their sd, 95 % intervals and quantiles")
    training = training_lines(stats["training"]) if "training" in stats else []
    budgets = budget_table(stats["layers"])
    return [headline, table, *lines, *remarks(stats), *training, "", *budgets, verdict_table(verdicts)]


def budget_table(layers: Sequence[Mapping[str, Any]]) -> list[Table | str]:
    """Each layer's mean squares as its law expects them and as measured, ready to print; empty without a law."""
    names = {"square": "E[y²]", "backward": "backward"}
    found = [name for name in names if any(typical(layer.get(name, {}).get("law")) is not None for layer in layers)]
    if not found:
        return []
    table = Table("layer", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in found:
        for column in (f"{names[name]} by the law", "measured"):
            table.add_column(column, justify="right", no_wrap=True)
    for layer in layers:
        values = (number(typical(layer[name][source])) for name in found for source in ("law", "measured"))
        table.add_row(str(layer["layer"]), *values)
    backward = "; backward: sum over a layer's outputs of (dy/dx)² for one input" if "backward" in found else ""
    return [table, f"by the law: over draws of this layer, for the values that enter it{backward}", ""]


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """The statement that each verdict judges, whether it holds, its value, the bound that decided, and its location."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 0))
    for name in ("statement", "holds"):
        table.add_column(name, no_wrap=True)
    for name in ("value", "bound"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("where")
    for verdict in verdicts:
        interval = "" if verdict.low is None else f" [{number(verdict.low)}, {number(verdict.high)}]"
        table.add_row(
            statement(verdict.name),
            answer(verdict.verdict),
            number(verdict.value) + interval,
            number(verdict.threshold),
            verdict.detail,
            style=STYLES.get(verdict.verdict or ""),
        )
    return table


def remarks(stats: Mapping[str, Any]) -> list[str]:
    """Sentences on the nonlinearity of activations, growth of signal and gradient, Jacobian, kernel, adapted knots."""
    measured = [layer["nonlinearity"]["max"] for layer in stats["layers"] if "nonlinearity" in layer]
    curved = [value for number in measured if (value := maximum(number)) is not None]
    lines = []
    if curved:
        lines.append(f"nonlinearity (1 - R² of the best line) of the activations: at most {max(curved):.3g}")
    slopes = [
        f"{name} {number(typical(slope))}{interval(slope)}"
        for name in ("signal", "gradient")
        if (slope := stats["propagation"].get(name)) is not None and typical(slope) is not None
    ]
    if slopes:
        lines.append(f"growth a layer, as the slope of the log: {', '.join(slopes)}")
    for name, title, parts in (
        (
            "jacobian",
            "Jacobian",
            {"least, median and largest singular value": ("min", "median", "max"), "condition": ("condition",)},
        ),
        ("ntk", "neural tangent kernel", {"condition": ("condition",), "effective rank": ("effective_rank",)}),
    ):
        if (values := stats[name]) is not None:
            texts = (
                f"{label} {', '.join(number(typical(values[key])) for key in keys)}"
                for label, keys in parts.items()
                if any(typical(values[key]) is not None for key in keys)
            )
            lines.append(f"{title}: {'; '.join(texts)}")
    refits = [layer["refit"] for layer in stats["layers"] if "refit" in layer]
    if refits:
        condition, residual = (max(maximum(refit[name]) or 0 for refit in refits) for name in ("condition", "residual"))
        lines.append(
            f"knots adapted to the samples: the splines changed by at most {residual:.2g} of their size there,"
            f" condition {condition:.2g}"
        )
    return [*lines, *kept_knots(stats["layers"])]


def kept_knots(layers: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence on each layer whose knots `grid.adapt` could not place at the samples of all inputs."""
    kept = {layer["layer"]: maximum(layer["refit"]["kept"]) for layer in layers if "refit" in layer}
    return [
        f"{count:.0f} {'input' if count == 1 else 'inputs'} of layer {layer} kept the knots of before: at the samples,"
        " new ones would coincide (a larger grid.eps parts ties)"
        for layer, count in kept.items()
        if count
    ]
