"""The tables of `kan-run explain verdicts`: each verdict's meaning, number, bounds and remedy."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from kancli.schema import keys, show
from kancli.stats.glossary import verdict_notes
from kancli.stats.options import Verdicts

INTRODUCTION = (
    "A verdict compares one number of a network with two bounds, the key verdicts.NAME=[warn,fail]: it warns from the"
    " first on and fails from the second on; null is never. The worst layer counts; of an ensemble, its mean over the"
    " members."
)


def verdict_chapter(names: Sequence[str] | None = None) -> list[Table | str]:
    """Verdicts, ready to print: those of these names, or all."""
    lines: list[Table | str] = [INTRODUCTION]
    fields, all_notes = keys(Verdicts), verdict_notes()
    for name, notes in ((name, all_notes[name]) for name in names or all_notes):
        bounds = _bounds(*fields[name].default, fields[name].metadata["kind"].falling) if name in fields else ""
        table = Table("", "", box=box.SIMPLE, show_header=False, show_edge=False)
        for heading, text in notes.items():
            table.add_row(heading, text)
        lines += ["", f"{name}  {bounds}".rstrip(), table]
    return lines


def _bounds(warn: float | None, fail: float | None, falling: bool) -> str:
    """Such as "warns at 10 or more, fails at 1000 or more"."""
    side = "or less" if falling else "or more"
    actions = {"warns": warn, "fails": fail}
    return ", ".join(f"{action} at {show(bound)} {side}" for action, bound in actions.items() if bound is not None)
