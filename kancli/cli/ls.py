"""`kan-run ls`: the runs and sweeps below outputs and multirun, newest first."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog

if TYPE_CHECKING:
    from kancli.config.presets import Presets

MAX_ROWS = 20


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
    from rich import box
    from rich.table import Table

    from kancli.runs.console import STYLES, show

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for title in ("when", "status", "verdict", "folder"):
        table.add_column(title, no_wrap=True)
    table.add_column("what", overflow="fold")
    for row in rows:
        style = STYLES.get(row.verdict or "")
        table.add_row(row.when, row.status, row.verdict or "-", row.folder, row.what or "(defaults)", style=style)
    n_more = len(entries) - len(listed)
    show([table, *([f"... and {n_more} more: kan-run ls --all"] if n_more else [])], sys.stdout)
    return 0
