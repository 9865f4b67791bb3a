"""The tables of `kan-run explain verdicts`: each verdict's meaning, number, bounds and remedy."""

from __future__ import annotations

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


def verdict_chapter() -> list[Table | str]:
    """All verdicts, ready to print."""
    lines: list[Table | str] = [INTRODUCTION]
    fields = keys(Verdicts)
    for name, notes in verdict_notes().items():
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
