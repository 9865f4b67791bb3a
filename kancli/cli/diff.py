"""`kan-run diff`: the differences between two runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog
from kancli.errors import DRIFT, ConfigError
from kancli.runs import signals

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run diff A B"
    parser.description = "Print the differences between two runs: config, environment, hashes, statistics."
    parser.add_argument("words", nargs="*", metavar="A B", help="two folders of runs, or files of kan-run bless")
    parser.epilog = epilog(
        {
            "kan-run diff RUN1 RUN2": "two runs",
            "kan-run diff linear.json RUN --json": "a baseline and a run, for a program",
        },
        {0: "no difference", 2: "wrong usage", 4: "the runs differ", 5: "a record is missing or damaged"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    if len(args.words) != 2:
        raise ConfigError(
            [f"{' '.join(['diff', *args.words])}: name two folders of runs or blessed files: kan-run diff A B"]
        )
    with signals.deferred_signals():
        from kancli.compare import diff
    differences = diff.diff(*map(Path, args.words))
    args.document = diff.as_document(differences)
    print("\n".join(diff.format_lines(differences)))
    return DRIFT if differences.differs else 0
