"""What a run prints unless -v is given: the layers in plain words, the verdicts that warn or fail, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kancli.runs.console import STYLES, number, share, typical
from kancli.runs.summary import kept_knots
from kancli.runs.training_summary import training_lines
from kancli.stats.glossary import verdict_notes
from kancli.stats.options import BAD, NON_FINITE, falling, is_share, statement
from kancli.stats.verdicts import Verdict

CAPTION = "values: mean ± standard deviation of a node over the samples (rms over the nodes)"
SPLINE_CAPTION = (
    "; off grid: share of the values that enter outside the grid, where splines vanish; spline share: of the variance"
    " of the edges' two branches"
)
MIN_WIDTH = 80  # columns; a narrower table has two lines for each layer
Line = Table | Text | Padding | str


def short_summary(stats: Mapping[str, Any], verdicts: Sequence[Verdict], headline: str, width: int) -> list[Line]:
    """The lines of a run's summary, ready to print.

    Args:
        width: columns of the terminal.
    """
    break_ = " " if width >= MIN_WIDTH else "\n"
    layers = [] if not stats["layers"] else [*_layers(stats["layers"], break_), *kept_knots(stats["layers"]), ""]
    training = [*training_lines(stats["training"]), ""] if "training" in stats else []
    return [headline, "", *layers, *training, *judgements(verdicts)]


def _layers(layers: Sequence[Mapping[str, Any]], break_: str) -> list[Line]:
    """A row for each layer, and the meaning of the columns. `break_` stands before ± and between words of a title."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("layer", "nodes"):
        table.add_column(name, no_wrap=True)
    has_splines = "spline_share" in layers[0]  # an MLP has none
    for name in ("values in", "values out", *(("off grid", "spline share") if has_splines else ())):
        table.add_column(name.replace(" ", break_), justify="right", no_wrap=True)
    for layer in layers:
        table.add_row(
            str(layer["layer"]),
            f"{layer['n_in']} to {layer['n_out']}",
            *(_mean_and_sd(layer[name], break_) for name in ("preacts", "output")),
            *(share(typical(layer[name])) for name in ("off_grid", "spline_share") if has_splines),
        )
    of_members = "; all averaged over the networks" if isinstance(layers[0]["gain"]["rms"], Mapping) else ""
    return [table, CAPTION + (SPLINE_CAPTION if has_splines else "") + of_members]


def _mean_and_sd(entry: Mapping[str, Any], break_: str) -> str:
    return f"{number(typical(entry['mean']))}{break_}± {number(typical(entry['node_std']))}"


def judgements(verdicts: Sequence[Verdict]) -> list[Line]:
    """Each verdict that warns or fails, with its meaning and a remedy, and the number of the others."""
    notes, lines = verdict_notes(), []
    for verdict in verdicts:
        if verdict.verdict in BAD:
            lines.append(Text(_finding(verdict), style=STYLES[verdict.verdict]))
            about = notes[verdict.name]
            lines.append(Padding(f"{about['says']} Remedy: {about['remedy']}", (0, 0, 0, 6), expand=False))
    counts = {
        "passed": sum(verdict.verdict == "pass" for verdict in verdicts),
        "undecided": sum(verdict.verdict == "undecided" for verdict in verdicts),
        "not measured": sum(verdict.verdict is None for verdict in verdicts),
    }
    found = [f"{count} {'check' if count == 1 else 'checks'} {what}" for what, count in counts.items() if count]
    return [*lines, f"{', '.join(found)}; -v shows all"] if found else lines


def _finding(verdict: Verdict) -> str:
    """One line, such as `warn  splines inert: 0.05 %, layer 0; warns at 1 % or less`."""
    line = f"{verdict.verdict}  {statement(verdict.name)}: "
    if verdict.name == NON_FINITE:
        return line + verdict.detail
    side = "or less" if falling(verdict.name) else "or more"
    form = share if is_share(verdict.name) else number
    return f"{line}{form(verdict.value)}, {verdict.detail}; {verdict.verdict}s at {form(verdict.threshold)} {side}"
