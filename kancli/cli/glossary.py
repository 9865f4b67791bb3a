"""The tables of `kan-run explain stats`: the definition of each number in stats.json."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from kancli.schema import keys, show
from kancli.stats.glossary import OVER_MEMBERS, SECTIONS, is_named
from kancli.stats.options import Verdicts


def glossary() -> list[Table | str]:
    """All definitions, section by section, ready to print."""
    verdicts = {f"{name} {show(field.default)}": field.metadata["help"] for name, field in keys(Verdicts).items()}
    return [
        OVER_MEMBERS,
        *_tables({**SECTIONS, "verdicts [warn, fail]: the worst layer counts; over members, the mean": verdicts}),
    ]


def definitions(name: str) -> list[Table | str]:
    """The definitions of the statistics of one name, such as spline_share, output.std or rms, ready to print."""
    found = {
        title: {row: text for row, text in entries.items() if is_named(row, name)}
        for title, entries in SECTIONS.items()
    }
    return _tables({title: entries for title, entries in found.items() if entries})


def _tables(sections: Mapping[str, Mapping[str, str]]) -> list[Table | str]:
    lines: list[Table | str] = []
    for title, entries in sections.items():
        table = Table("", "", box=box.SIMPLE, show_header=False, show_edge=False, pad_edge=False)
        for row, text in entries.items():
            table.add_row(row, text)
        lines += ["", title, table]
    return lines
