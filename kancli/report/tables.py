"""Tables that are there without the page's script: seeds taken together, main effects, verdicts, layers of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kancli.report.data import CELL, WORDS
from kancli.report.elements import Markup, bar, grid, tag, together
from kancli.runs.console import number
from kancli.runs.files import pretty
from kancli.stats.columns import flat
from kancli.stats.glossary import meanings
from kancli.sweeps import table
from kancli.sweeps.table import LAYER_COLUMNS, Row

SYMBOLS = {"pass": "✓", "warn": "!", "fail": "✗"}
MAX_CELLS = 200
MAX_VALUES = 24  # of a key whose effects are told


def judged(word: str | None, text: str) -> Markup:
    """A verdict's number or name, with its word in colour and symbol."""
    if word not in SYMBOLS:
        return tag("span", text)
    return tag("span", f"{SYMBOLS[word]} {text}", class_=f"chip is-{word}")


def cells(data: Mapping[str, Any]) -> Markup:
    """The sweep with seeds taken together, for a reader without the page's script, which puts its own in this place."""
    places = [data["statistics"].index(name) for name in data["shown"]]
    lines = []
    for cell in data["cells"][:MAX_CELLS]:
        count = f"{cell['complete']} of {cell['jobs']}" if cell["complete"] < cell["jobs"] else str(cell["jobs"])
        keys = ["–" if key is None else str(key) for key in cell["keys"]] or ["all"]
        lines.append(
            [*keys, count, standing(data["judged"], cell["words"]), *(_cell(cell["values"][at]) for at in places)]
        )
    heads = [*(data["fixed"] or [""]), "jobs complete", "verdicts", *data["shown"]]
    shown = grid(heads, lines, "results", class_="results")
    if len(data["cells"]) > MAX_CELLS:
        more = f"... and {len(data['cells']) - MAX_CELLS} more: sweep.csv and summary.json have them all."
        return together([shown, tag("p", more)])
    return shown


def _cell(values: Sequence[float | None] | None) -> Markup:
    told = dict(zip(CELL, values or [None] * len(CELL), strict=True))
    if told["mean"] is None:
        return tag("span", "–")
    spread = "" if told["sd"] is None else f" ± {number(told['sd'])}"
    parts: list[str] = [f"{number(told['mean'])}{spread}"]
    if told["low"] is not None:
        parts.append(tag("small", f"[{number(told['low'])}, {number(told['high'])}]"))
    return tag("span", *parts, class_="number")


def standing(names: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """Which verdicts fail or warn, in how many jobs."""
    parts: list[str] = []
    for at, word in enumerate(WORDS[:2]):
        for name, each in zip(names, counts, strict=True):
            if each[at]:
                parts += [judged(word, f"{word} {name} {each[at]}/{sum(each)}"), " "]
    if parts:
        return together(parts)
    return judged("pass", "all pass") if any(map(sum, counts)) else tag("span", "–")


def effects(rows: Sequence[Row], shown: Sequence[str]) -> Markup | None:
    """What each swept key does to each statistic; None where nothing is swept but the seed."""
    parts = []
    for key, told in table.effects(rows).items():
        first = [name for name in shown if name in told]
        rest = [name for name in told if name not in first]
        parts.append(tag("h3", tag("code", key)))
        parts.append(_effect(key, {name: told[name] for name in first}))
        if rest:
            title = tag("summary", f"{len(rest)} more statistics")
            parts.append(tag("details", title, _effect(key, {name: told[name] for name in rest})))
    if not parts:
        return None
    about = (
        "The mean over all jobs at each value of a key, and the share of the statistic's variance that lies between"
        " these means (η²)."
    )
    return together([tag("p", about, class_="quiet"), *parts])


def _effect(key: str, told: Mapping[str, Mapping[str, Any]]) -> Markup:
    values = list(dict.fromkeys(value for each in told.values() for value in each["means"]))
    lines = []
    for name, each in told.items():
        share = each["share"]
        shown = "–" if share is None else together([bar(share), tag("span", f"{100 * share:.0f} %")])
        lines.append(
            [
                name,
                tag("span", shown, class_="share"),
                *(number(each["means"].get(value)) for value in values[:MAX_VALUES]),
            ]
        )
    more = [f"... {len(values) - MAX_VALUES} more"] if len(values) > MAX_VALUES else []
    heads = ["statistic", "share of variance", *(f"{key}={value}" for value in values[:MAX_VALUES]), *more]
    return grid(heads, [[*line, *("" for _ in more)] for line in lines], f"effects of {key}", class_="numbers")


def definitions(rows: Sequence[Row], config: Mapping[str, Any] | None) -> Markup | None:
    """What each verdict's number is, its bounds, and how many jobs pass; None where none was given."""
    counts: dict[str, Counter[str | None]] = {}
    for row in rows:
        for each in row.verdicts:
            counts.setdefault(each["name"], Counter())[each["verdict"]] += 1
    if not counts:
        return None
    words, bounds = meanings(), (config or {}).get("verdicts")
    lines = []
    for name, told in counts.items():
        each = bounds.get(name) if isinstance(bounds, Mapping) else None
        pair = [f"{one:g}" if isinstance(one, int | float) else "–" for one in each] if isinstance(each, list) else []
        shown = [judged(word, f"{told[word]} {word}") for word in reversed(WORDS) if told[word]]
        shown += [tag("span", f"{told[None]} not judged")] if told[None] else []
        lines.append([name, words.get(name, "not known to this kancli"), ", ".join(pair), together(_spaced(shown))])
    return grid(["verdict", "its number", "warn, fail at", "jobs"], lines, "verdicts", class_="words")


def _spaced(parts: Sequence[str]) -> list[str]:
    return [each for part in parts for each in (part, " ")]


def verdicts(found: Sequence[Mapping[str, Any]]) -> Markup:
    """The verdicts of a single run, each with its number and bound."""
    words = meanings()
    lines = []
    for each in found:
        interval = "" if each.get("low") is None else f" [{number(each['low'])}, {number(each['high'])}]"
        word = each["verdict"]
        threshold = each.get("threshold")
        lines.append(
            [
                each["name"],
                judged(word, word or "–"),
                number(each["value"]) + interval,
                number(threshold),
                str(each.get("detail", "")),
                words.get(each["name"], "not known to this kancli"),
            ]
        )
    heads = ["verdict", "", "value", "bound", "where", "its number"]
    return grid(heads, lines, "verdicts", class_="words")


def layers(found: Sequence[Mapping[str, Any]]) -> Markup:
    """The statistics of a single run, a column a layer; of an ensemble their means over members."""
    told = [flat({name: each for name, each in layer.items() if name not in ("nodes", "edges")}) for layer in found]
    lines = []
    for name in LAYER_COLUMNS:
        values = [layer.get(name, layer.get(f"{name}_mean")) for layer in told]
        if any(value is not None for value in values):
            lines.append([name, *map(number, values)])
    heads = ["statistic", *(f"layer {layer['layer']}: {layer['n_in']} to {layer['n_out']}" for layer in found)]
    return grid(heads, lines, "statistics by layer", class_="numbers")


def config(values: Mapping[str, Any]) -> Markup:
    """A run's config, folded."""
    try:
        text = pretty(values)
    except ValueError:  # a number that is none, in a damaged record
        text = json.dumps(values)
    return tag("details", tag("summary", "config"), tag("pre", text))
