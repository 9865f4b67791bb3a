"""Hydra's grammar of overrides: parse typed words, write plain values, and explain what cannot be parsed."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kancli.bridges.names import CHECKPOINTS
from kancli.errors import ConfigError
from kancli.spelling import show
from kancli.synonyms import suggest

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from kancli.config.presets import Presets

LIST_KEYS = (
    "grid.range",
    "figures",
    "figures.names",
    "figures.format",
    "figures.in_vars",
    "figures.out_vars",
    "inputs.columns",
    "task.columns",
)
# Bounds of a word: Hydra's parser is recursive and takes a millisecond for each value in a list.
MAX_CHARACTERS = 8000
MAX_DIGITS = 1000
MAX_DEPTH = 50
FORMULA_KEYS = ("task", "task.formula")
HYDRA_FUNCTION = re.compile(r"(choice|range|interval|glob|sort|shuffle|tag|extend_list|int|float|str|bool|json_str)\(")
PATH_KEYS = ("inputs", "inputs.path", "model", "model.path", "task.path", "hydra.run.dir", "hydra.sweep.dir")


def parse(typed: Sequence[str], presets: Presets | None = None) -> list[Override]:
    """Parse overrides.

    Args:
        presets: the options that glob(*) selects from; needed to expand the values of a sweep.

    Raises:
        ConfigError: with one line for each word that cannot be parsed.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    # The only method of a config loader that the parser calls.
    loader = SimpleNamespace(
        get_group_options=lambda group_name, *_, **__: presets.options(group_name) if presets else []
    )
    parser = OverridesParser.create(config_loader=loader)  # pyright: ignore[reportArgumentType]
    parsed, faults = [], []
    for text in typed:
        if fault := _bounds_message(text):
            faults.append(fault)
            continue
        text = _quote(text)
        try:
            (override,) = parser.parse_overrides([text])
        except HydraException:
            faults.append(_syntax_message(text, presets))
            continue
        if override.key_or_group:
            parsed.append(override)
        else:
            faults.append(_syntax_message(text, presets))
    if faults:
        raise ConfigError(faults)
    return parsed


def _quote(text: str) -> str:
    """A word with its formulas and refinements in quotes, which Hydra's grammar needs around brackets, powers, commas.

    task=exp(x)+y^2 is task='exp(x)+y^2', task=f1,max(x,y) is task=f1,'max(x,y)', and train.refine=500:6,1000:9 is
    train.refine='500:6,1000:9'.
    """
    key, equals, value = text.partition("=")
    if key.lstrip("+") == "train.refine" and re.fullmatch(r"\d+:\d+(,\d+:\d+)+", value):
        return f"{key}='{value}'"
    if key.lstrip("+") not in FORMULA_KEYS or HYDRA_FUNCTION.match(value) or set(value) & set("'\"[]{}$\\"):
        return text
    parts, depth = [""], 0
    for character in value:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return key + equals + ",".join(f"'{part}'" if set(part) & set("()^*+ ") else part for part in parts)


def _bounds_message(text: str) -> str:
    """The fault of a word that is too long, too deep or no text at all, else ''."""
    if "\0" in text:
        return f"{show(text.replace(chr(0), ' '))}: holds a NUL character; leave it out"
    if len(text) > MAX_CHARACTERS:
        size = f"has {len(text)} characters; allowed: {MAX_CHARACTERS}"
        return f"{show(text)}: {size}; put a long list into the file of an experiment"
    if re.search(rf"\d{{{MAX_DIGITS}}}", text):
        return f"{show(text)}: a number of {MAX_DIGITS} digits or more; allowed: fewer"
    depth = deepest = 0
    for bracket in re.findall(r"[\[\](){}]", text):
        depth += 1 if bracket in "[({" else -1
        deepest = max(deepest, depth)
    return f"{show(text)}: brackets {deepest} deep; allowed: {MAX_DEPTH}" if deepest > MAX_DEPTH else ""


def _syntax_message(text: str, presets: Presets | None) -> str:
    if "=" not in text:
        return f"{show(text)}: neither a verb nor KEY=VALUE; {_guess(text, presets)}"
    if text.count("[") != text.count("]"):
        return (
            f"{text}: brackets do not match; quote the whole word for the shell: 'width=[2,5,1]', or type width=2-5-1"
        )
    key, _, value = text.partition("=")
    if key and value.strip() and (key in PATH_KEYS or not set(value) & set(",[]{}()'\"")):
        word = _shell_word(f"{key}={literal(os.path.expanduser(value))}")
        return f"{text}: cannot be parsed; quote the value and the word: {word}"
    return f"{text}: cannot be parsed; allowed: KEY=VALUE; quote values with special characters: \"title='a, b'\""


def _guess(word: str, presets: Presets | None) -> str:
    """What to type for a word that stands alone: the group of a preset, or the place for a file of settings."""
    if word.lower().endswith((".yaml", ".yml")):
        name = os.path.splitext(os.path.basename(word))[0]
        return f"put the file at DIR/experiment/{name}.yaml and type --config-dir DIR experiment={name}"
    if word.lower().endswith(CHECKPOINTS):
        return f"to run the model in it type model={word}"
    groups = presets.groups_init_first() if presets else []
    if word in groups:
        return f"type {word}=VALUE; kan-run help {word} lists the values"
    if re.fullmatch(r"latest(-sweep)?(~\d+)?", word):
        return f"it stands for the folder of a run, after a verb: kan-run open {word}"
    for cutoff in (1.0, 0.8):
        for group in groups:
            if presets and (option := suggest(word, presets.options(group), cutoff)) is not None:
                return f"did you mean {group}={option}?"
    return "type for example init=linear, or kan-run --help"


def _shell_word(word: str) -> str:
    """A word in quotes for the shell."""
    return shlex.quote(word) if set(word) & set('"$`\\!') else f'"{word}"'


def multirun_message(override: Override) -> str:
    """The fault of several values in a single run."""
    text = override.input_line or ""
    if override.key_or_group == "width" and re.fullmatch(r"width=\d+(,\d+)+", text):
        nodes = text.removeprefix("width=").split(",")
        return f"{text}: several values; for one network type width={'-'.join(nodes)}, for a sweep add -m"
    if override.key_or_group in PATH_KEYS:
        key, _, value = text.partition("=")
        return f"{text}: several values; for one name type {_shell_word(f'{key}={literal(value)}')}, for a sweep add -m"
    list_hint = f", for a list type {override.key_or_group}=[...]" if override.key_or_group in LIST_KEYS else ""
    return f"{text}: several values; for a sweep add -m{list_hint}"


def literal(value: Any) -> str:
    """A plain value in the grammar of overrides."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(literal, value))}]"
    if isinstance(value, str):
        # A backslash escapes only a quote, so only those before one, or at the end, are doubled.
        escaped = re.sub(r"(\\*)('|$)", lambda match: 2 * match[1] + ("\\'" if match[2] else ""), value)
        return f"'{escaped}'"
    return repr(value)
