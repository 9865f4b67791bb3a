"""`kan-run report`: a sweep, a race, a folder of runs or a run as one HTML page."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import add_output, epilog
from kancli.cli.document import print_files
from kancli.cli.spinner import progress
from kancli.errors import ConfigError

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run report DIR [-o DIR] [--overwrite]"
    parser.description = (
        "Write a sweep, a race, any folder of runs, or one run as one HTML page, report.html in\n"
        "that folder or in the one of -o. The page needs neither network nor server, and prints."
    )
    parser.add_argument(
        "words", nargs="*", metavar="DIR", help="the folder of a sweep, of a race, of runs, or of a run"
    )
    add_output(parser)
    parser.epilog = epilog(
        {
            "kan-run report multirun/DATE/TIME-ID": "a sweep",
            "kan-run report outputs/DATE/TIME-ID -o pages": "a run; the page goes to pages/",
        },
        {0: "fine; the path of the page is on stdout", 2: "wrong usage, or a folder without runs"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    if len(args.words) != 1:
        words = " ".join(["report", *args.words])
        raise ConfigError([f"{words}: name the folder of a sweep or of a run: kan-run report multirun/DATE/TIME-ID"])
    from kancli.report.write import write_report

    gc.enable()
    with progress("reading"):
        path = write_report(Path(args.words[0]), target=args.output, overwrite=args.overwrite)
    print_files(args, [path])
    return 0
