"""`kan-run explain`: the law of an initialisation with its numbers, or a chapter on statistics or verdicts."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog
from kancli.cli.spinner import progress
from kancli.runs import signals

if TYPE_CHECKING:
    from rich.table import Table

    from kancli.config.presets import Presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run explain [KEY=VALUE ...], or kan-run explain stats|verdicts"
    parser.description = (
        "Print the law of an initialisation with the numbers of this config, layer by layer,\n"
        "the expected size of signal and gradient, and the origin of each value. Nothing is\n"
        "run or written. `explain stats` defines each number in stats.json; `explain verdicts`\n"
        "gives each verdict's meaning, the origin of its bounds, and a remedy."
    )
    parser.add_argument(
        "words", nargs="*", metavar="KEY=VALUE", help="the config, as for a run; or the word stats or verdicts"
    )
    parser.epilog = epilog(
        {
            "kan-run explain init=glorot width=2-8-8-1 grid=20": "laws, budgets and origins",
            "kan-run explain stats": "formula and source of each statistic",
            "kan-run explain verdicts": "meaning and bounds of each verdict",
        },
        {0: "fine", 2: "wrong config or usage"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    chapter = CHAPTERS.get(args.words[0]) if len(args.words) == 1 else None
    lines = chapter() if chapter is not None else _explanation(args.words, presets)
    from kancli.runs.console import show

    show(lines, sys.stdout)
    return 0


def _definitions() -> list[Table | str]:
    from kancli.cli.glossary import glossary

    return glossary()


def _verdicts() -> list[Table | str]:
    from kancli.cli.verdict_chapter import verdict_chapter

    return verdict_chapter()


CHAPTERS = {"stats": _definitions, "verdicts": _verdicts}


def _explanation(overrides: list[str], presets: Presets) -> list[Table | str]:
    from kancli.config.compose import compose

    composed = compose(overrides, presets)
    composed.settings  # noqa: B018 - raises the faults, before torch is loaded
    with progress("loading"), signals.deferred_signals():
        from kancli.cli.explanation import explain
    return explain(composed, presets)
