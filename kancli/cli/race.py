"""`kan-run race`: which initialisation trains best on one task, by successive halving on held-out data."""

from __future__ import annotations

import argparse
import gc
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog
from kancli.cli.chapters import key_lines
from kancli.cli.document import print_files
from kancli.cli.spinner import progress
from kancli.errors import ConfigError
from kancli.racing.options import RaceOptions
from kancli.runs import signals

if TYPE_CHECKING:
    from kancli.config.presets import Presets
    from kancli.racing.result import RaceRecord


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run race task=TASK [KEY=VALUE,VALUE,... ...] [race.KEY=VALUE ...]"
    parser.description = "\n".join(
        [
            "Find the initialisation that trains best on a task: all schemes of different laws, or",
            "those of init=, with every value of other keys that have several, such as grid or",
            "train.lr. Few seeds and steps first; the worse half is dropped in each round, or more",
            "of many. Two finalists train to the end on fresh seeds, beside the default scheme,",
            "until one is shown to be lower, or the time is over.",
            "",
            "Samples that do not train decide: a share of the training samples selects and names",
            "the winner; the task's test samples are measured for the answer alone. For an equation",
            "the squared error against its known solution decides, not the loss, on two separate",
            "parts of the mesh. Without width= it is in-5-out. train.steps are those of the final.",
            "",
            "The folder, multirun/DATE/TIME-ID/ or hydra.sweep.dir, holds race.json (all rounds and",
            "the answer), race.csv (a row for each network and round), figures/race.png, and run.log.",
            "kan-run resume RACE goes on after Ctrl-C or a crash, from the last round that is done.",
            "",
            *key_lines("race", RaceOptions, 18),
        ]
    )
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="as of a sweep; race.KEY=VALUE")
    parser.epilog = epilog(
        {
            "kan-run race task=data.csv": "all schemes on your table",
            "kan-run race task=data.csv width=in-8-out grid=3,5,10": "and three grids",
            "kan-run race task=f2 init=default,glorot,lecun": "three schemes",
            "kan-run race task=data.csv race.minutes=30": "more time",
            "kan-run resume multirun/DATE/TIME-ID": "the rest of a race",
        },
        {0: "fine", 2: "wrong config or usage, or no time", 3: "every network diverged"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    gc.enable()
    with progress("loading"), signals.deferred_signals():
        from kancli.racing.start import begin_race
    folder, record = begin_race(args.words, presets)
    print_race(args, folder, record)
    return 0


def print_race(args: argparse.Namespace, folder: Path, record: RaceRecord) -> None:
    """Print the answer, or how to go on; the document of --json holds the record."""
    from msgspec import to_builtins

    from kancli.racing.output import format_race
    from kancli.runs.console import show as print_lines
    from kancli.sweeps.history import RACE

    args.document = {"folder": str(folder), "race": to_builtins(record)}
    if record.status == "out of time" and record.answer is None:
        more, path = 4 * record.options.minutes, shlex.quote(str(folder))
        raise ConfigError([f"race.minutes={record.options.minutes:g}: over before the first round was done; go on with:"
                           f" kan-run resume {path} race.minutes={more:g}"])  # fmt: skip
    print_lines(format_race(record), sys.stdout)
    names = (RACE, "race.csv", "figures/race.png")
    print_files(args, [folder / name for name in names if (folder / name).exists()], race=to_builtins(record))
