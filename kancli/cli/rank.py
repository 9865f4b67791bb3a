"""`kan-run rank`: which initialisation trains better, over tasks, from the folders of sweeps."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import add_output, epilog, split_folders
from kancli.cli.chapters import key_lines, wrap
from kancli.cli.document import print_files
from kancli.cli.spinner import progress
from kancli.errors import ConfigError
from kancli.ranking.options import METRICS, RankOptions, parse_options
from kancli.runs import signals

if TYPE_CHECKING:
    from kancli.config.presets import Presets
    from kancli.ranking.result import Ranking


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run rank SWEEP ... [rank.KEY=VALUE ...] [-o DIR] [--overwrite]"
    metrics = ", ".join(METRICS)
    parser.description = "\n".join(
        [
            "Rank the initialisations of a sweep over init, task and seed, or of several sweeps:",
            "the ratio of each to a baseline, paired by seed and by every other swept key, with",
            "95 % intervals; per task, over all runs, and over tasks as blocks, with what so many",
            "tasks can show at all. Writes ranking.csv and ranking.json with all metrics, and the",
            "figure ranking of one of them, to the folder of the first sweep. kan-run explain rank",
            "has the formulas.",
            "",
            *key_lines("rank", RankOptions, 16),
            wrap(f"  {'metrics':<16}{metrics}"),
        ]
    )
    parser.add_argument("words", nargs="*", metavar="SWEEP", help="the folder of a sweep; rank.KEY=VALUE")
    add_output(parser)
    parser.epilog = epilog(
        {
            "kan-run rank latest-sweep": "the last sweep",
            "kan-run rank SWEEP rank.baseline=glorot": "ratios to glorot",
            "kan-run rank SWEEP rank.metric=train_loss": "another metric in table and figure",
            "kan-run rank SWEEP1 SWEEP2 -o both": "one ranking over two sweeps",
        },
        {0: "fine", 2: "wrong usage, or nothing to rank"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    folders, words = split_folders(args.words)
    options = parse_options(words)
    if not folders:
        raise ConfigError(["rank: name the folder of a sweep over init and task: kan-run rank latest-sweep"])
    gc.enable()
    ranking, written = _rank(list(map(Path, folders)), options, args.output, overwrite=args.overwrite)
    from msgspec import to_builtins

    print_files(args, written, ranking=to_builtins(ranking))
    return 0


def rank_study(folder: Path) -> None:
    """Rank the runs of a sweep that has ended, if `study.rank` says so. What cannot be ranked is answered on stderr."""
    from kancli.sweeps.plan import has_plan, read_head

    if not has_plan(folder) or not read_head(folder)["base"].get("study", {}).get("rank"):
        return
    try:
        _, written = _rank([folder], RankOptions(), None, overwrite=True)
    except ConfigError as error:
        print(f"kan-run: no ranking: {error}", file=sys.stderr)
        return
    print("\n".join(map(str, written)))
    print(f"kan-run report {folder} makes a page of it", file=sys.stderr)


def _rank(
    folders: list[Path], options: RankOptions, target: Path | None, *, overwrite: bool
) -> tuple[Ranking, list[Path]]:
    """Rank the runs of sweeps, print the ranking and write its files; return both."""
    with progress("ranking"):
        with signals.deferred_signals():
            from kancli.ranking.outcomes import read_outcomes
            from kancli.ranking.output import format_ranking
            from kancli.ranking.rank import rank
            from kancli.ranking.write import write
            from kancli.runs.console import show as print_lines
        ranking = rank(read_outcomes(folders), options)
        written = write(ranking, folders[0], target, overwrite=overwrite)
    print_lines(format_ranking(ranking), sys.stdout)
    return ranking, written
