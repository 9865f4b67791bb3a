"""`kan-run ls`: the runs and sweeps below outputs and multirun, newest first."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kancli.config.presets import Presets
    from kancli.sweeps.history import Description

MAX_ROWS = 20
MIN_TYPED = 36  # columns of a table for what was typed
GAP = 2  # blanks between columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run ls [DIR ...] [--all]"
    parser.description = (
        "List runs and sweeps, newest first: when they were written, what was typed, their\n"
        "status and their worst verdict. `latest`, `latest~1` and `latest-sweep` stand for\n"
        "these folders in other verbs."
    )
    parser.add_argument("words", nargs="*", metavar="DIR", help="where to look [outputs multirun]")
    parser.add_argument("--all", action="store_true", help=f"list all, not only the newest {MAX_ROWS}")
    parser.epilog = epilog(
        {
            "kan-run ls": "the newest runs and sweeps below the current folder",
            "kan-run report latest": "the page of the newest run",
            "kan-run diff latest~1 latest": "the last two runs",
            "kan-run resume latest-sweep": "the newest sweep",
        },
        {0: "fine", 2: "no such folder"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    from kancli.errors import ConfigError
    from kancli.sweeps.history import ROOTS, describe, find_entries

    if missing := [word for word in args.words if not Path(word).is_dir()]:
        raise ConfigError([f"ls {word}: no such folder" for word in missing])
    entries = find_entries([Path(word) for word in args.words or ROOTS])
    listed = entries if args.all else entries[:MAX_ROWS]
    rows = [describe(entry) for entry in listed]
    args.document = [dataclasses.asdict(row) for row in rows]
    if not rows:
        print(f"no runs under {', '.join(args.words or ROOTS)}")
        return 0
    from kancli.runs.console import console, show

    n_more = len(entries) - len(listed)
    more = [f"... and {n_more} more: kan-run ls --all"] if n_more else []
    show([*_format(rows, console(sys.stdout).width), *more], sys.stdout)
    return 0


def _format(rows: Sequence[Description], width: int) -> list[RenderableType]:
    """A table; on a narrow terminal two lines for each run, the second what was typed."""
    from rich import box
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from kancli.runs.console import STYLES

    titles = ("when", "status", "verdict", "folder")
    cells = [(row.when, row.status, row.verdict or "-", row.folder) for row in rows]
    typed = [row.what or "(defaults)" for row in rows]
    styles = [STYLES.get(row.verdict or "", "") for row in rows]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    if width < sum(widths) + GAP * len(widths) + MIN_TYPED:
        lines: list[RenderableType] = []
        for row, words, style in zip(cells, typed, styles, strict=True):
            line = (GAP * " ").join(f"{cell:<{size}}" for cell, size in zip(row, widths, strict=True))
            lines += [Text(line.rstrip(), style=style), Padding(words, (0, 0, 0, 2 * GAP), expand=False)]
        return lines
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for title in titles:
        table.add_column(title, no_wrap=True)
    table.add_column("what", overflow="fold")
    for row, words, style in zip(cells, typed, styles, strict=True):
        table.add_row(*row, words, style=style)
    return [table]
