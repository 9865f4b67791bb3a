"""`kan-run bless`: keep a run's record as a small file, a baseline for `kan-run check`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog
from kancli.cli.document import print_files
from kancli.cli.spinner import progress
from kancli.errors import ConfigError
from kancli.runs import signals

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run bless RUN -o FILE, or kan-run bless --update FILE ... [--force]"
    parser.description = (
        "Write the record of a run (config, hashes, statistics, environment) as a small file\n"
        "to review, commit and check. --update runs the configs of such files again and\n"
        "replaces the files."
    )
    parser.add_argument("words", nargs="*", metavar="RUN", help="the folder of a finished run; with --update, files")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file to write")
    parser.add_argument("--update", action="store_true", help="repeat the runs of blessed files and replace the files")
    parser.add_argument("--force", action="store_true", help="allow --update under CI=true")
    parser.epilog = epilog(
        {
            "kan-run bless outputs/DATE/TIME-ID -o linear.json": "a new baseline",
            "kan-run bless --update 'baselines/*.json'": "accept what the code computes now",
        },
        {0: "fine; the paths of the files are on stdout", 2: "wrong usage", 5: "a record is missing or damaged"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    _check_usage(args)
    if args.update and os.environ.get("CI", "").lower() == "true" and not args.force:
        raise ConfigError(["bless --update: not under CI=true, where baselines are checked, not changed; or --force"])
    with progress("blessing"):
        with signals.deferred_signals():
            from kancli.compare import check
        if args.update:
            written = check.expand_patterns(args.words)
            for path in written:
                check.update(path)
        else:
            written = [args.output]
            check.bless(Path(args.words[0]), args.output)
    print_files(args, written)
    return 0


def _check_usage(args: argparse.Namespace) -> None:
    if not args.words:
        raise ConfigError(["bless: name a run and a file: kan-run bless RUN -o FILE, or bless --update FILE ..."])
    words = " ".join(args.words)
    if args.update and args.output:
        raise ConfigError([f"bless -o {args.output}: --update replaces the files it is given: leave -o out"])
    if not args.update and not args.output:
        raise ConfigError([f"bless {words}: name the file to write: kan-run bless {args.words[0]} -o FILE"])
    if args.output and len(args.words) > 1:
        raise ConfigError([f"bless {words}: allowed: one run for one file: kan-run bless {args.words[0]} -o FILE"])
