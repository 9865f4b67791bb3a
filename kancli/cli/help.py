"""`kan-run help`: one screen, a chapter, or the arguments of a verb."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog, load_verb
from kancli.cli.chapters import chapter, chapters, full_text, short_text
from kancli.cli.verbs import VERBS
from kancli.errors import ConfigError
from kancli.synonyms import nearest

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run help [CHAPTER | VERB]"
    parser.description = "Print one screen of help, a chapter of it, or the arguments of a verb."
    parser.add_argument("topic", nargs="?", metavar="CHAPTER", help="a group such as init, a verb, or `all`")
    parser.epilog = epilog(
        {
            "kan-run help init": "all schemes and their knobs",
            "kan-run help sweep": "sweeps, launchers and searches",
            "kan-run help check": "the arguments of a verb",
            "kan-run help all": "everything, as kan-run --help",
        },
        {0: "fine", 2: "no such chapter"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    text = text_of(args.topic, presets)
    args.document = {"text": text}
    print(text)
    return 0


def text_of(topic: str | None, presets: Presets) -> str:
    """The help on a topic: a verb, a chapter, "all", or None for one screen.

    Raises:
        ConfigError: there is no such topic.
    """
    if topic is None:
        return short_text(presets)
    if topic == "all":
        return full_text(presets)
    if topic in VERBS:
        return load_verb(topic)[1].format_help().rstrip()
    names = chapters(presets)
    if topic in names:
        return chapter(topic, presets)
    raise ConfigError(
        [f"help {topic}: allowed: a verb, or one of {', '.join(names)}{nearest(topic, [*names, *VERBS])}"]
    )
