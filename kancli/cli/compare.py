"""`kan-run compare`: runs side by side, from folders or made now with presets of init."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import add_output, epilog
from kancli.cli.document import print_files
from kancli.cli.spinner import progress
from kancli.errors import ConfigError
from kancli.runs import signals
from kancli.synonyms import nearest

if TYPE_CHECKING:
    from kancli.config.presets import Presets
    from kancli.sweeps.jobs import ComposedJob


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run compare RUN|SWEEP|PRESET ... [KEY=VALUE ...] [-o DIR] [--overwrite]"
    parser.description = (
        "Compare runs side by side: their differences, verdicts and statistics as a table, and\n"
        "compare.csv and compare.png. A preset of init is run first, with the overrides; several\n"
        "values of a key are compared too. The files go to the folder of the first run or of the\n"
        "sweep."
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="RUN|SWEEP|PRESET",
        help="the folder of a run or of a sweep, or a preset of init; KEY=VALUE",
    )
    add_output(parser)
    parser.epilog = epilog(
        {
            "kan-run compare default glorot lecun seed='range(9)'": "three presets, nine seeds each",
            "kan-run compare RUN1 RUN2 SWEEP": "runs that exist",
            "kan-run compare noise_scale=0.1,1,10 -o noise": "values of a key; the files go to noise/",
        },
        {0: "fine", 2: "wrong config or usage", 6: "some runs failed"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    folders, names, overrides = _split(args.words, presets)
    code, target = 0, args.output
    if names or not folders:
        code, made = _sweep_over(names, overrides, folders, args.output, presets)
        target = target or made
        folders, overrides = [*folders, made], [word for word in overrides if word.startswith("figures.")]
    with progress("comparing"):
        with signals.deferred_signals():
            from kancli.compare.columns import as_document, format_tables, read_columns, write
            from kancli.runs.console import show
        columns = read_columns(folders)
        written = write(columns, overrides, presets, folders[0], target, overwrite=args.overwrite)
    show(format_tables(columns), sys.stdout)
    print_files(args, written, columns=as_document(columns))
    return code


def _split(words: list[str], presets: Presets) -> tuple[list[Path], list[str], list[str]]:
    """Split words into folders, presets of init and overrides.

    Raises:
        ConfigError: a word is both a folder and a preset, or neither.
    """
    folders = [Path(word) for word in words if Path(word).is_dir()]
    schemes = presets.options("init")
    if both := [word for word in words if word in schemes and Path(word) in folders]:
        raise ConfigError([f"{word}: a folder and a preset; type ./{word}, or init={word}" for word in both])
    names = list(dict.fromkeys(word for word in words if "=" not in word and Path(word) not in folders))
    if unknown := [name for name in names if name not in schemes]:
        raise ConfigError(
            [f"{name}: neither a folder nor a preset of init{nearest(name, schemes)}" for name in unknown]
        )
    return folders, names, [word for word in words if word not in names and Path(word) not in folders]


def _sweep_over(
    names: list[str], overrides: list[str], others: list[Path], output: Path | None, presets: Presets
) -> tuple[int, Path]:
    """Run presets of init, or what the overrides sweep over; return the exit code and the sweep's folder.

    Args:
        others: folders of runs to compare with; they are read first, so that their faults cost no runs.
    """
    if not (names or overrides):
        raise ConfigError(
            ["compare: name folders of runs or sweeps, or presets: kan-run compare default glorot width=2-8-1"]
        )
    from kancli.cli.task import task
    from kancli.compare.limits import check_count
    from kancli.config.grammar import literal
    from kancli.sweeps.sweep import sweep

    gc.enable()
    with signals.deferred_signals():
        from kancli.sweeps.reader import read_folder
    for folder in others:
        read_folder(folder)

    def check(jobs: Sequence[ComposedJob]) -> None:
        columns = {tuple(word for word in job.words if not word.startswith("seed=")) for job in jobs}
        check_count(len(columns) + len(others))

    words = [*([f"init={','.join(names)}"] if names else []), *overrides]
    where = [] if output is None else [f"hydra.sweep.dir={literal(str(output))}"]
    return sweep(presets, [*words, *where], task, check=check)
