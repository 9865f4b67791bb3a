"""Answers to options that kan-run lacks: what the person meant, in kan-run's words."""

from __future__ import annotations

import os
from collections.abc import Sequence

from kancli.cli.verbs import NOT_NEEDED
from kancli.config.catalogue import HYDRA_FOLDERS, TOP_LEVEL, catalogue
from kancli.spelling import show
from kancli.synonyms import suggest

CONFIG_OPTIONS = ("--config", "--conf", "--cfg-file", "--config-file", "--config-name", "-cn", "--config-path", "-cp")


def unknown_option_message(verb: str | None, option: str, words: Sequence[str]) -> str:
    """The answer to an option that the parser of a verb does not know.

    Args:
        verb: the verb, None for a run.
        option: the option, perhaps with its value after "=".
        words: all words after the verb, as typed.
    """
    name, equals, value = option.partition("=")
    if not equals and option in words[:-1]:
        following = words[words.index(option) + 1]
        value = "" if following.startswith("-") else following
    if name in CONFIG_OPTIONS:
        stem = os.path.splitext(os.path.basename(value))[0] or "mine"
        return f"{name}: put the file at DIR/experiment/{stem}.yaml and type --config-dir DIR experiment={stem}"
    if verb is None and name.lstrip("-") in NOT_NEEDED:
        return f"{name}: no such option; {NOT_NEEDED[name.lstrip('-')]}"
    if verb is None:
        keys = [*TOP_LEVEL, *HYDRA_FOLDERS, *(key.path for key in catalogue())]
        if (key := suggest(name.lstrip("-").replace("-", "_"), keys)) is not None:
            return f"{show(option)}: keys have no dashes; type {key}={show(value) if value else 'VALUE'}"
    help_of = f"kan-run help {verb}" if verb else "kan-run help options"
    return f"{show(option)}: {verb or 'kan-run'} has no such option; {help_of} lists them"
