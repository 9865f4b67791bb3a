"""`kan-run export`: the network of a run as a file that another library loads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.bridges.names import LIBRARIES
from kancli.cli.arguments import epilog
from kancli.cli.spinner import progress
from kancli.errors import ConfigError
from kancli.runs import signals

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run export RUN --to LIBRARY -o FILE [--member N] [--initial]"
    parser.description = (
        "Write the network of a run, trained where the run trained, or of a checkpoint, by the\n"
        "names of another library, and print the lines of Python that load it. FILE is in\n"
        "torch's format, or in that of safetensors if its name ends so; for jaxkan .npz."
    )
    parser.add_argument("words", nargs="*", metavar="RUN", help="the folder of a finished run, or a checkpoint")
    parser.add_argument("--to", metavar="LIBRARY", help=", ".join(LIBRARIES[:-1]))
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file to write")
    parser.add_argument("--member", type=int, metavar="N", help="which of several networks, from 0")
    parser.add_argument("--initial", action="store_true", help="the parameters before training")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there with other content")
    parser.epilog = epilog(
        {
            "kan-run export latest --to pykan -o model.pt": "for MultKAN of pykan 0.2.8",
            "kan-run export latest --to jaxkan -o model.npz": "arrays for jaxKAN 0.3",
            "kan-run export RUN --to inkan --member 2 -o m2.safetensors": "one network of several",
        },
        {0: "fine; the file and the lines that load it are on stdout", 2: "wrong usage, or no place for a tensor"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    if len(args.words) != 1 or args.to is None or args.output is None:
        raise ConfigError(
            ["export: name one run, a library and a file: kan-run export RUN --to pykan -o model.pt; libraries:"
             f" {', '.join(LIBRARIES[:-1])}"]
        )  # fmt: skip
    with progress("exporting"):
        with signals.deferred_signals():
            from kancli.runs.derived import write_derived
            from kancli.runs.export import export
        made = export(Path(args.words[0]), args.to, args.output, member=args.member, initial=args.initial)
        write_derived(args.output.parent, {args.output.name: made.content}, overwrite=args.overwrite)
    args.document = {"file": str(args.output), "what": made.what, "lines": made.lines}
    print(f"{args.output}: {made.what}, for {args.to}", *made.lines, sep="\n")
    return 0
