"""`kan-run collect`: one table over several sweeps, from their folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog
from kancli.errors import ConfigError

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run collect SWEEP ... [-o DIR]"
    parser.description = (
        "Write the table of one or more sweeps from the folders of their runs. Nothing is\ncomputed again."
    )
    parser.add_argument("words", nargs="*", metavar="SWEEP", help="the folder of a sweep, or any folder of runs")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="the folder to write to; required for several sweeps"
    )
    parser.epilog = epilog(
        {
            "kan-run collect multirun/DATE/TIME-ID": "the table of one sweep",
            "kan-run collect SWEEP1 SWEEP2 -o both": "one table over two sweeps",
        },
        {0: "all jobs are complete", 2: "wrong usage", 6: "some jobs are not complete"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    if not args.words:
        raise ConfigError(["collect: name the folders of sweeps: kan-run collect SWEEP ..."])
    if missing := [word for word in args.words if not Path(word).is_dir()]:
        raise ConfigError([f"{word}: no such folder; name that of a sweep: kan-run collect SWEEP" for word in missing])
    from kancli.cli.document import document_of_sweep
    from kancli.sweeps.finish import collect

    code = collect(list(map(Path, args.words)), args.output)
    if args.json:
        args.document = document_of_sweep(args.output or Path(args.words[0]))
    return code
