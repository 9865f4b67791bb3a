"""Content of the tables that need no script: results averaged over seeds, main effects, verdicts, layers of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kancli.report.data import SUMMARY
from kancli.runs import console
from kancli.runs.json_files import pretty
from kancli.stats.columns import flat
from kancli.stats.glossary import meanings
from kancli.stats.options import WORST_FIRST, answer, statement
from kancli.sweeps.row import Row
from kancli.sweeps.summary import main_effects
from kancli.sweeps.table import LAYER_COLUMNS, MISSING

if TYPE_CHECKING:
    from kancli.stats.verdicts import Verdict

MAX_CELLS = 200
MAX_VALUES = 24  # of a key in the table of its effects
BUDGET_COLUMNS = ("square_law", "square_measured", "backward_law", "backward_measured")
UNKNOWN = "unknown to this version of kancli"


def format_number(value: float | None) -> str:
    """Format a number with three significant digits; None as a dash."""
    return MISSING if value is None else console.number(value)


def results(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of results averaged over seeds, and the options of its controls.

    Args:
        data: from `page_data`.
    """
    indices = [data["statistics"].index(name) for name in data["shown"]]
    lines = [
        {
            "keys": [MISSING if key is None else str(key) for key in cell["keys"]] or ["all"],
            "jobs": f"{cell['complete']} of {cell['jobs']}" if cell["complete"] < cell["jobs"] else str(cell["jobs"]),
            "verdicts": verdict_chips(data["judged"], cell["words"]),
            "values": [_format_summary(cell["values"][index]) for index in indices],
        }
        for cell in data["cells"][:MAX_CELLS]
    ]
    columns = [*(data["fixed"] or [""]), "jobs complete", "verdicts", *map(statement, data["shown"])]
    return {
        "columns": columns,
        "lines": lines,
        "n_more": max(len(data["cells"]) - MAX_CELLS, 0),
        "statuses": sorted({job["status"] for job in data["jobs"]}),
        "bad_verdicts": [(name, statement(name)) for name in data["shown"] if name in data["judged"]],
        "statistics": [(name, statement(name)) for name in data["statistics"]],
        "has_seeds": len(data["cells"]) < len(data["jobs"]),
    }


def _format_summary(values: Sequence[float | None] | None) -> tuple[str, str] | None:
    """Format a mean with its sd, and its interval, which is empty if there is none; None without a mean."""
    summary = dict(zip(SUMMARY, values or [None] * len(SUMMARY), strict=True))
    if summary["mean"] is None:
        return None
    sd = "" if summary["sd"] is None else f" ± {format_number(summary['sd'])}"
    return f"{format_number(summary['mean'])}{sd}", _format_interval(summary["low"], summary["high"])


def _format_interval(low: float | None, high: float | None) -> str:
    return "" if low is None else f"[{format_number(low)}, {format_number(high)}]"


def verdict_chips(names: Sequence[str], counts: Sequence[Sequence[int]]) -> list[tuple[str, str]]:
    """Return verdict and text for each statistic that does not pass, with its number of jobs.

    Args:
        counts: of jobs by verdict, in the order of `WORST_FIRST`, for each name.
    """
    chips = [
        (verdict, f"{verdict}: {statement(name)} {count[index]}/{sum(count)}")
        for index, verdict in enumerate(WORST_FIRST)
        for name, count in zip(names, counts, strict=True)
        if count[index] and verdict != "pass"
    ]
    return chips or ([("pass", "all pass")] if any(map(sum, counts)) else [])


def effects(rows: Sequence[Row], shown: Sequence[str]) -> dict[str, Any] | None:
    """Return the main effects of each swept key; None if only the seed is swept.

    Args:
        shown: the statistics that come first; the others are folded.
    """
    keys = []
    for key, statistics in main_effects(rows).items():
        first = {name: statistics[name] for name in shown if name in statistics}
        rest = {name: effect for name, effect in statistics.items() if name not in first}
        keys.append({"key": key, "first": _effects_table(key, first), "rest": _effects_table(key, rest)})
    return {"keys": keys} if keys else None


def _effects_table(key: str, effects: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    values = list(dict.fromkeys(value for effect in effects.values() for value in effect["means"]))
    listed, n_more = values[:MAX_VALUES], max(len(values) - MAX_VALUES, 0)
    lines = [
        {
            "name": statement(name),
            "share": None if effect["share"] is None else 100 * effect["share"],  # in percent
            "reason": effect.get("reason"),
            "means": [format_number(effect["means"].get(value)) for value in listed] + [""] * bool(n_more),
        }
        for name, effect in effects.items()
    ]
    rest = [f"... {n_more} more"] if n_more else []
    return {
        "columns": ["statistic", "share of variance", *(f"{key}={value}" for value in listed), *rest],
        "lines": lines,
    }


def verdict_summary(rows: Sequence[Row], config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return each verdict's meaning, bounds and number of jobs by outcome; None if there are no verdicts."""
    counts: dict[str, Counter[str | None]] = {}
    for row in rows:
        for name, word in row.verdict_words.items():
            counts.setdefault(name, Counter())[word] += 1
    if not counts:
        return None
    descriptions, bounds = meanings(), (config or {}).get("verdicts")
    lines = [
        {
            "name": statement(name),
            "meaning": descriptions.get(name, UNKNOWN),
            "bounds": _format_bounds(bounds.get(name) if isinstance(bounds, Mapping) else None),
            "chips": [(verdict, f"{count[verdict]} {verdict}") for verdict in reversed(WORST_FIRST) if count[verdict]],
            "n_not_judged": count[None],
        }
        for name, count in counts.items()
    ]
    return {"lines": lines}


def _format_bounds(bounds: Any) -> str:
    if not isinstance(bounds, list):
        return ""
    return ", ".join(f"{bound:g}" if isinstance(bound, int | float) else MISSING for bound in bounds)


def run_verdicts(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the verdicts of a single run, each with its value and bound."""
    descriptions = meanings()
    lines = [
        {
            "name": statement(verdict.name),
            "verdict": verdict.verdict,
            "holds": answer(verdict.verdict),
            "value": format_number(verdict.value),
            "interval": _format_interval(verdict.low, verdict.high),
            "threshold": format_number(verdict.threshold),
            "detail": verdict.detail,
            "meaning": descriptions.get(verdict.name, UNKNOWN),
        }
        for verdict in verdicts
    ]
    return {"lines": lines, "has_intervals": any(line["interval"] for line in lines)}


def layers(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the statistics of a single run by layer; of an ensemble, their means over members."""
    flat_layers = [
        flat({name: entry for name, entry in layer.items() if name not in ("nodes", "edges")}) for layer in layers
    ]
    lines = []
    for name in (*LAYER_COLUMNS, *BUDGET_COLUMNS):
        values = [layer.get(name, layer.get(f"{name}_mean")) for layer in flat_layers]
        if any(value is not None for value in values):
            lines.append([name, *map(format_number, values)])
    columns = ["statistic", *(f"layer {layer['layer']}: {layer['n_in']} to {layer['n_out']}" for layer in layers)]
    return {
        "columns": columns,
        "lines": lines,
        "has_members": any(isinstance(layer["gain"]["rms"], Mapping) for layer in layers),
    }


def format_config(values: Mapping[str, Any]) -> str:
    """Format a config as indented JSON."""
    try:
        return pretty(values)
    except ValueError:  # NaN or infinity in a damaged record
        return json.dumps(values)
