"""The tables of `kan-run explain stats`: the definition of each number in stats.json."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from kancli.schema import keys
from kancli.spelling import show
from kancli.stats.glossary import OVER_MEMBERS, SECTIONS, scales
from kancli.stats.options import Verdicts


def glossary() -> list[Table | str]:
    """All definitions, section by section, ready to print."""
    verdicts = {f"{name} {show(field.default)}": field.metadata["help"] for name, field in keys(Verdicts).items()}
    title = "verdicts [warn, fail]: the worst layer counts; over members, the mean"
    return [OVER_MEMBERS, *section_tables({**SECTIONS, title: verdicts, "over members, by column": scales()})]


def section_tables(sections: Mapping[str, Mapping[str, str]]) -> list[Table | str]:
    """A table for each section of definitions."""
    lines: list[Table | str] = []
    for title, entries in sections.items():
        table = Table("", "", box=box.SIMPLE, show_header=False, show_edge=False, pad_edge=False)
        for row, text in entries.items():
            table.add_row(row, text)
        lines += ["", title, table]
    return lines
