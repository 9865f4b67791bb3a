"""The tables of `kan-run explain verdicts`: each verdict's meaning, number, bounds and remedy."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from kancli.schema import keys
from kancli.spelling import show
from kancli.stats.false_alarms import FAILING, KNOWN, NODE_DISTANCES, NODE_INPUTS, SEEDS, WIDTHS
from kancli.stats.glossary import verdict_notes
from kancli.stats.options import Verdicts, falling
from kancli.stats.scales import COVERAGE, COVERAGE_SIZES

INTRODUCTION = (
    "A verdict compares one number of a network with two bounds, the key verdicts.NAME=[warn,fail]: it warns from the"
    " first on and fails from the second on; null is never. The worst layer counts; of an ensemble, its mean over the"
    " members. A verdict over members is undecided where a bound lies within the 95 % interval of that mean."
)
COVERED = (
    "How often these intervals hold the mean of many thousand members, for 5, 10 and 20 of them: the least over all"
    " statistics of a [2,5,1] network under the laws default and efficient_kan."
)
NODES = (
    "nodes_degenerate: the median of node_distance over 1000 seeds of [n_in, 5, 1], by n_in, and the least of its 1 %"
    " quantiles over all n_in; 100 samples of N(0, 1)."
)


def verdict_chapter(names: Sequence[str] | None = None) -> list[Table | str]:
    """Verdicts, ready to print: those of these names, or all."""
    lines: list[Table | str] = [INTRODUCTION]
    fields, all_notes = keys(Verdicts), verdict_notes()
    for name, notes in ((name, all_notes[name]) for name in names or all_notes):
        bounds = _bounds(*fields[name].default, falling(name)) if name in fields else ""
        table = Table("", "", box=box.SIMPLE, show_header=False, show_edge=False)
        for heading, text in notes.items():
            table.add_row(heading, text)
        lines += ["", f"{name}  {bounds}".rstrip(), table]
    if names:
        return lines
    return [*lines, "", COVERED, _coverage_table(), "", NODES, "", _node_table(), "", *_false_alarms()]


def _node_table() -> Table:
    """Medians of `node_distance` by preset and number of inputs, and the least of its 1 % quantiles."""
    table = Table("n_in", *map(str, NODE_INPUTS), "1 %", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for preset, (*medians, least) in NODE_DISTANCES.items():
        table.add_row(preset, *map(show, medians), show(least))
    return table


def _coverage_table() -> Table:
    table = Table("mean over members", *map(str, COVERAGE_SIZES), box=box.SIMPLE, show_edge=False)
    for scale, shares in COVERAGE.items():
        table.add_row(scale.value, *(f"{100 * share:.1f} %" for share in shares))
    return table


def _false_alarms() -> list[Table | str]:
    table = Table("preset", "width", "fails", "seeds", "", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for (preset, width), shares in FAILING.items():
        for verdict, failing in shares.items():
            known = "known" if verdict in KNOWN.get(preset, ()) else ""
            table.add_row(preset, width, verdict, f"{100 * failing:.1f} %", known)
    return [
        f"False alarms: the share of {SEEDS} seeds for which a verdict fails, of every preset of init at"
        f" {', '.join(WIDTHS)} (stats=full, 100 samples of N(0, 1)); known: what the preset is known for. No other"
        " verdict failed for any seed of any preset.",
        "",
        table,
    ]


def _bounds(warn: float | None, fail: float | None, falling: bool) -> str:
    """Such as "warns at 10 or more, fails at 1000 or more"."""
    side = "or less" if falling else "or more"
    actions = {"warns": warn, "fails": fail}
    return ", ".join(f"{action} at {show(bound)} {side}" for action, bound in actions.items() if bound is not None)
