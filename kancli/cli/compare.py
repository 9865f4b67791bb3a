"""`kan-run compare`: runs side by side, from folders or made now with presets of init."""

from __future__ import annotations

import argparse
import gc
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kancli.bridges.names import CHECKPOINTS
from kancli.cli.arguments import add_output, epilog
from kancli.cli.document import print_files
from kancli.cli.spinner import progress
from kancli.config.models import CheckpointModel
from kancli.errors import ConfigError
from kancli.runs import signals
from kancli.synonyms import nearest

if TYPE_CHECKING:
    from kancli.config.presets import Presets
    from kancli.config.settings import Settings
    from kancli.sweeps.jobs import ComposedJob


PLAIN = re.compile(r"[\w./~-]+")  # a path that needs no quotes in an override


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run compare RUN|SWEEP|PRESET|FILE ... [KEY=VALUE ...] [-o DIR] [--overwrite]"
    parser.description = (
        "Compare runs side by side: their differences, verdicts and statistics as a table, and\n"
        "compare.csv and compare.png. A preset of init is run first, with the overrides; several\n"
        "values of a key are compared too. A checkpoint is examined first; presets beside it get\n"
        "its width, grid, k and base function. The files go to the folder of the first run or of\n"
        "the sweep."
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="RUN|SWEEP|PRESET|FILE",
        help="folder of a run or sweep, preset of init, or checkpoint of a model; KEY=VALUE",
    )
    add_output(parser)
    parser.epilog = epilog(
        {
            "kan-run compare default glorot lecun seed='range(9)'": "three presets, nine seeds each",
            "kan-run compare RUN1 RUN2 SWEEP": "runs that exist",
            "kan-run compare trained_state glorot inputs=x.csv": "a model of pykan, and another init",
            "kan-run compare noise_scale=0.1,1,10 -o noise": "values of a key; the files go to noise/",
        },
        {0: "fine", 2: "wrong config or usage", 6: "some runs failed"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    words = _split(args.words, presets)
    code, target, folders, overrides = 0, args.output, words.folders, words.overrides
    if sweeps := _sweeps_of(words, presets):
        code, made = _run_sweeps(sweeps, words.folders, args.output, presets)
        target = target or made[0]
        folders, overrides = [*folders, *made], [word for word in overrides if word.startswith("figures.")]
    with progress("comparing"):
        with signals.deferred_signals():
            from kancli.compare.columns import as_document, format_tables, read_columns, write
            from kancli.runs.console import show
        columns = read_columns(folders)
        written = write(columns, overrides, presets, folders[0], target, overwrite=args.overwrite)
    show(format_tables(columns), sys.stdout)
    print_files(args, written, columns=as_document(columns))
    return code


class Words(NamedTuple):
    """The words of the command line by what they are."""

    folders: list[Path]  # of runs and sweeps
    checkpoints: list[str]  # their paths
    names: list[str]  # of presets of init
    overrides: list[str]


def _split(words: list[str], presets: Presets) -> Words:
    """Split words into folders, checkpoints, presets of init and overrides.

    Raises:
        ConfigError: a word is both a folder and a preset, or nothing of all.
    """
    folders = [Path(word) for word in words if Path(word).is_dir()]
    schemes = presets.options("init")
    if both := [word for word in words if word in schemes and Path(word) in folders]:
        raise ConfigError([f"{word}: a folder and a preset; type ./{word}, or init={word}" for word in both])
    bare = list(dict.fromkeys(word for word in words if "=" not in word and Path(word) not in folders))
    checkpoints = [word for word in bare if word not in schemes and word.lower().endswith(CHECKPOINTS)]
    names = [word for word in bare if word not in checkpoints]
    if unknown := [name for name in names if name not in schemes]:
        raise ConfigError(
            [f"{name}: neither a folder nor a preset of init{nearest(name, schemes)}" for name in unknown]
        )
    overrides = [word for word in words if word not in bare and Path(word) not in folders]
    return Words(folders, checkpoints, names, overrides)


def _sweeps_of(words: Words, presets: Presets) -> dict[str, list[str]]:
    """The words of each sweep to run, by the name of its folder.

    Presets beside checkpoints have the sizes and the base function of the first one. Knobs of init are for presets
    alone, keys of model for checkpoints.
    """
    from kancli.config.catalogue import TOP_LEVEL
    from kancli.config.grammar import literal
    from kancli.sweeps.knobs import all_knobs

    if not words.checkpoints:
        if words.names or not words.folders:
            return {"": [*_init(words.names), *words.overrides]}
        return {}
    keys = {word: word.partition("=")[0].lstrip("+") for word in words.overrides}
    of_init = [
        word
        for word, key in keys.items()
        if key.partition(".")[0] == "init" or (f"init.{key}" in all_knobs() and key not in TOP_LEVEL)
    ]
    of_model = [word for word, key in keys.items() if key.startswith("model.")]
    shared = [word for word in words.overrides if word not in (*of_init, *of_model)]
    spelled = [word if PLAIN.fullmatch(word) else literal(word) for word in words.checkpoints]
    sweeps = {"checkpoints": [f"model={','.join(spelled)}", *of_model, *shared]}
    if words.names or of_init:
        from kancli.config.compose import compose

        first, default = (
            _sizes(compose(words, presets).settings) for words in ([f"model={spelled[0]}", *of_model], [])
        )
        sizes = [f"{key}={literal(value)}" for key, value in first.items() if value != default[key]]
        sweeps["presets"] = [*_init(words.names), *sizes, *shared, *of_init]
    return sweeps


def _sizes(settings: Settings) -> dict[str, Any]:
    """What a model was built with, as keys; not the range of a grid that was updated, which each input has its own."""
    sizes = {"width": settings.width, "grid": settings.grid.size, "k": settings.k}
    sizes |= {"base_fun": settings.base_fun, "dtype": settings.dtype}
    model = settings.model
    is_updated = isinstance(model, CheckpointModel) and model.checkpoint().network.layers[0].per_input_knots
    return sizes if is_updated else {**sizes, "grid.range": settings.grid.range}


def _init(names: Sequence[str]) -> list[str]:
    return [f"init={','.join(names)}"] if names else []


def _run_sweeps(
    sweeps: Mapping[str, list[str]], others: Sequence[Path], output: Path | None, presets: Presets
) -> tuple[int, list[Path]]:
    """Run sweeps; return the worst exit code and their folders.

    Args:
        others: folders of runs to compare with; they are read first, so that their faults cost no runs.
        output: the folder for the sweep, or for the folders of several.
    """
    if not any(sweeps.values()):
        raise ConfigError(
            ["compare: name folders of runs or sweeps, or presets: kan-run compare default glorot width=2-8-1"]
        )
    from kancli.cli.task import task
    from kancli.compare.limits import check_count
    from kancli.config.grammar import literal
    from kancli.sweeps.sweep import jobs_of, sweep

    gc.enable()
    with signals.deferred_signals():
        from kancli.sweeps.reader import read_folder
    for folder in others:
        read_folder(folder)

    def count(jobs: Sequence[ComposedJob]) -> int:
        return len({tuple(word for word in job.words if not word.startswith("seed=")) for job in jobs})

    n_others = len(others)
    if len(sweeps) > 1:  # all are checked before the first is run
        n_others += sum(count(jobs_of(presets, words)) for words in sweeps.values())
        check_count(n_others)
    codes, made = [], []
    for name, words in sweeps.items():
        folder = output and (output / name if len(sweeps) > 1 else output)
        where = [] if folder is None else [f"hydra.sweep.dir={literal(str(folder))}"]
        check = None if len(sweeps) > 1 else lambda jobs: check_count(count(jobs) + n_others)
        code, path = sweep(presets, [*words, *where], task, check=check)
        codes.append(code)
        made.append(path)
    return max(codes), made
