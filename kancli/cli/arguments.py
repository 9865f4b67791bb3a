"""The argument parsers of the verbs: one appearance of their help, on any terminal and version of Python."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from kancli.errors import ConfigError

WIDTH = 88


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help of a fixed width, so that it does not depend on the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=WIDTH)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """The form of Python 3.13, `-o, --output DIR`, on earlier versions too."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose errors are answered as all others, in one line and in the document of --json."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError([f"{message}; {self.prog} -h shows what is allowed"])


def load_verb(verb: str | None) -> tuple[ModuleType, argparse.ArgumentParser]:
    """The module of a verb, or of a run without a verb, and its parser."""
    prog = f"kan-run {verb}" if verb else "kan-run"
    module = import_module(f"kancli.cli.{verb or 'run'}")
    parser = ArgumentParser(prog, allow_abbrev=False, formatter_class=HelpFormatter)
    module.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return module, parser


def parse_words(verb: str | None, words: Sequence[str]) -> tuple[ModuleType, argparse.Namespace]:
    """The module of a verb, or of a run without one, and its parsed arguments.

    Raises:
        ConfigError: an option is unknown.
    """
    module, parser = load_verb(verb)
    aliases = getattr(module, "ALIASES", {})
    args, unknown = parser.parse_known_intermixed_args([aliases.get(word, word) for word in words])
    if unknown:
        from kancli.cli.guesses import unknown_option_message

        raise ConfigError([unknown_option_message(verb, unknown[0], words)])
    return module, args


def epilog(examples: Mapping[str, str], exit_codes: Mapping[int, str]) -> str:
    """The end of a verb's help: examples with their meaning, and exit codes."""
    column = min(max(map(len, examples)), 44) + 2
    lines = ["examples:"]
    for command, meaning in examples.items():
        if len(command) + 2 > column:
            lines += [f"  {command}", f"  {'':<{column}}{meaning}"]
        else:
            lines.append(f"  {command:<{column}}{meaning}")
    lines += ["", "exit codes:", *(f"  {code}  {meaning}" for code, meaning in exit_codes.items())]
    lines += ["", "--config-dir DIR and allow_code=true are allowed too; see kan-run --help."]
    return "\n".join(lines)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options of a verb that writes files derived from finished runs."""
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="the folder to write to")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there with other content")


def split_folders(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split words into folders and overrides. A word with `=` is an override unless a folder has that name."""
    folders = [word for word in words if "=" not in word or Path(word).is_dir()]
    return folders, [word for word in words if word not in folders]
