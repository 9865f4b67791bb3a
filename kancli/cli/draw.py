"""`kan-run draw`: figures of finished runs, from their folders alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import add_output, epilog, split_folders
from kancli.cli.document import print_files
from kancli.cli.spinner import progress
from kancli.errors import ConfigError
from kancli.runs import signals

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run draw RUN ... [figures=...] [-o DIR] [--overwrite]"
    parser.description = (
        "Draw the figures of a finished run from its folder; nothing is computed again.\n"
        "Several runs, or the runs of a sweep, are drawn side by side on shared axes:\n"
        "compare.png, and sweep.png with the statistics against the keys that differ. Of a\n"
        "sweep, a panel shows each combination of swept keys: of several seeds the one whose\n"
        "output std is the median. The files go to the folder of the run, of the first of\n"
        "several runs, or of the sweep."
    )
    parser.add_argument("words", nargs="*", metavar="RUN", help="the folder of a run or of a sweep; figures.KEY=VALUE")
    add_output(parser)
    parser.epilog = epilog(
        {
            "kan-run draw outputs/DATE/TIME-ID figures=all": "every figure of one run",
            "kan-run draw outputs/DATE/TIME-ID figures.style=dark -o dark": "the same figures in dark",
            "kan-run draw RUN1 RUN2": "two runs on shared axes",
            "kan-run draw multirun/DATE/TIME-ID": "the runs of a sweep",
        },
        {0: "fine; the paths of the figures are on stdout", 2: "wrong usage, or a run that cannot be read"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    words, overrides = split_folders(args.words)
    folders = [Path(word) for word in words]
    if not folders:
        raise ConfigError(
            ["draw: name the folder of a run, several folders, or a sweep: kan-run draw RUN [figures=all]"]
        )
    with progress("drawing"):
        with signals.deferred_signals():
            from kancli.compare.figures import draw_runs
            from kancli.runs.redraw import draw_again
            from kancli.sweeps.reader import is_sweep
        if len(folders) == 1 and not is_sweep(folders[0]):
            written = draw_again(folders[0], overrides, presets, target=args.output, overwrite=args.overwrite)
        else:
            written = draw_runs(folders, overrides, presets, target=args.output, overwrite=args.overwrite)
    print_files(args, written)
    return 0
