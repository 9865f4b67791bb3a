"""`kan-run explain`: the law of an initialisation with its numbers, or a chapter on statistics or verdicts."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from kancli.cli.arguments import epilog
from kancli.cli.spinner import progress
from kancli.errors import ConfigError
from kancli.runs import signals
from kancli.schema import keys
from kancli.spelling import show
from kancli.stats.options import Verdicts
from kancli.synonyms import nearest

if TYPE_CHECKING:
    from rich.table import Table

    from kancli.config.presets import Presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run explain [KEY=VALUE ...], or explain stats|verdicts|rank|study|NAME"
    parser.description = (
        "Print the law of an initialisation with the numbers of this config, layer by layer,\n"
        "the expected size of signal and gradient, and the origin of each value. Nothing is\n"
        "run or written. `explain stats` defines each number in stats.json; `explain verdicts`\n"
        "gives each verdict's meaning, the origin of its bounds, and a remedy; `explain rank` the\n"
        "formulas of a ranking and their sources; `explain study` what studies repeat."
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="KEY=VALUE",
        help="the config, as for a run; a preset; stats, verdicts, rank, study, or the name of a statistic or verdict",
    )
    parser.add_argument(
        "--code", metavar="FOR", help="print a function that fills a model by this law: torch, pykan, efficient_kan"
    )
    parser.epilog = epilog(
        {
            "kan-run explain init=glorot width=2-8-8-1 grid=20": "laws, budgets and origins",
            "kan-run explain glorot": "a preset by its bare name",
            "kan-run explain glorot --code pykan": "the law as a function in plain torch",
            "kan-run explain burgers": "a task: formula, domain, data and source",
            "kan-run explain stats": "formula and source of each statistic",
            "kan-run explain verdicts": "meaning and bounds of each verdict",
            "kan-run explain rank": "formulas and sources of kan-run rank",
            "kan-run explain study": "the studies and what they correct",
            "kan-run explain spline_inert": "one verdict, or one statistic",
        },
        {0: "fine", 2: "wrong config or usage"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    if args.code is not None:
        code = _code(args.words, args.code, presets)
        args.document = {"code": code}
        print(code)
        return 0
    lines, args.document = _lines_of(args.words, presets)
    from kancli.runs import console

    console.show(lines, sys.stdout)
    return 0


def _lines_of(words: list[str], presets: Presets) -> tuple[list[Table | str], dict[str, Any]]:
    """What to print, and the document of --json."""
    if len(words) == 1 and words[0] in CHAPTERS:
        return CHAPTERS[words[0]]()
    if len(words) == 1 and words[0] in keys(Verdicts):  # experiment=off_grid is a preset, off_grid the verdict
        return _definition(words[0], presets)
    overrides = [_with_group(word, presets) for word in words]
    if len(overrides) == 1 and overrides[0].startswith("task="):
        return _task(overrides[0], presets)
    if len(words) == 1 and overrides[0].replace(".", "").isidentifier():
        return _definition(words[0], presets)
    return _explanation(overrides, presets)


def _with_group(word: str, presets: Presets) -> str:
    """A word, as GROUP=WORD where it is the name of a preset; of those of init first."""
    groups = presets.groups_init_first()
    return next((f"{group}={word}" for group in groups if word in presets.options(group)), word)


def _definition(name: str, presets: Presets) -> tuple[list[Table | str], dict[str, Any]]:
    """A verdict, the statistics or the keys of this name.

    Raises:
        ConfigError: there is none.
    """
    from kancli.cli.chapters import describe_keys
    from kancli.cli.glossary import section_tables
    from kancli.cli.verdict_chapter import verdict_chapter
    from kancli.config.catalogue import catalogue
    from kancli.stats.glossary import named, statistics, verdict_notes

    if name in (notes := verdict_notes()):
        return verdict_chapter([name]), {name: notes[name]}
    if found := named(name):
        return section_tables(found), found
    if found := {key.path: key for key in catalogue() if name in (key.path, key.path.partition(".")[0])}:
        return list(describe_keys(found.values())), {path: key.help for path, key in found.items()}
    options = [*CHAPTERS, *presets.options("init"), *verdict_notes(), *statistics()]
    raise ConfigError(
        [f"explain {show(name)}: no preset, verdict, statistic or key of this name{nearest(name, options)}"]
    )


def _definitions() -> tuple[list[Table | str], dict[str, Any]]:
    from kancli.cli.glossary import glossary
    from kancli.stats.glossary import SECTIONS

    return glossary(), SECTIONS


def _verdicts() -> tuple[list[Table | str], dict[str, Any]]:
    from kancli.cli.verdict_chapter import verdict_chapter
    from kancli.stats.glossary import verdict_notes

    return verdict_chapter(), verdict_notes()


def _ranking() -> tuple[list[Table | str], dict[str, Any]]:
    from kancli.cli.chapters import describe_facts
    from kancli.ranking.explanation import COVERED, RANKING, coverage_table

    return [*describe_facts(RANKING), "", COVERED, coverage_table()], RANKING


def _study() -> tuple[list[Table | str], dict[str, Any]]:
    from kancli.cli.chapters import describe_facts
    from kancli.ranking.study import CHAPTER

    return list(describe_facts(CHAPTER)), CHAPTER


CHAPTERS = {"stats": _definitions, "verdicts": _verdicts, "rank": _ranking, "study": _study}


def _task(word: str, presets: Presets) -> tuple[list[Table | str], dict[str, Any]]:
    """What a task is, whether or not the default width fits it.

    Raises:
        ConfigError: the word has a fault.
    """
    from kancli.cli.chapters import describe_facts
    from kancli.config.compose import compose
    from kancli.config.validation import read_task

    composed = compose([word], presets)
    if composed.resolved.faults:
        raise ConfigError(composed.resolved.faults)
    facts = read_task(composed.config).facts()
    return list(describe_facts(facts)), facts


def _code(words: list[str], target: str, presets: Presets) -> str:
    from kancli.config.compose import compose

    settings = compose([_with_group(word, presets) for word in words], presets).settings
    with progress("loading"), signals.deferred_signals():
        from kancli.cli.code import initialisation_code
    return initialisation_code(settings, target)


def _explanation(overrides: list[str], presets: Presets) -> tuple[list[Table | str], dict[str, Any]]:
    from kancli.config.compose import compose
    from kancli.config.models import CheckpointModel

    composed = compose(overrides, presets)
    if isinstance(model := composed.settings.model, CheckpointModel):  # the settings raise the faults, without torch
        raise ConfigError([f"explain: what law drew {model.path} is unknown; kan-run model={model.path} measures it"])
    with progress("loading"), signals.deferred_signals():
        from kancli.cli.explanation import explain, explanation_document
    return explain(composed, presets), explanation_document(composed, presets)
