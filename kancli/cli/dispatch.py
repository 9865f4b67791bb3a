"""The entry point of kan-run: split the command line, call the verb, answer errors. Nothing heavy is imported here."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from kancli import errors
from kancli.cli.arguments import parse_words
from kancli.cli.verbs import NOT_NEEDED, VERBS
from kancli.config.presets import Presets, preset_folders
from kancli.errors import ConfigError, KanError, WriteError
from kancli.runs import signals
from kancli.runs.process_limit import fit_threads, process_limit
from kancli.runs.terminal import OutputStream
from kancli.spelling import shorten
from kancli.synonyms import suggest

log = logging.getLogger("kancli")

ALLOW_CODE = "allow_code"
JSON = "--json"
LONG_WORD = re.compile(r"(?!/)\S*=\S{200,}")  # an echo of what was typed
SIMILAR = 0.8  # ratio of difflib: `chek` is like check; the preset `coarse` is not like compare


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    os.environ["MPLBACKEND"] = "agg"  # a notebook that calls kan-run may use another one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the caller closed it
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    fit_threads()
    gc.disable()  # importing torch makes millions of objects and no garbage: saves 0.3 s; sweeps enable it again
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)  # or the collector looks through them all as Python ends: 0.3 s
    known: dict[str, Any] = {}  # of the document of --json, at an error
    with _streams() as output:
        try:
            with signals.signal_handlers():
                code = _dispatch(argv, known)
            output.flush()
        except BaseException as error:
            message, code = _answer(error)
            _print_error(message, code)
            if JSON in argv:
                from kancli.cli.document import print_error_document

                print_error_document(known, message, code)
        return _answer_lost_output(output, code)


def _answer_lost_output(output: OutputStream, code: int) -> int:
    """Print why output was lost, as on a full disk, and return the exit code: not 0."""
    output.flush()
    if output.error is None:
        return code
    return _print_error(str(WriteError("standard output", output.error)), code or WriteError.exit_code)


def _answer(error: BaseException) -> tuple[str, int]:
    """The message on the error that ended the program, and the exit code. Raises it if it is none to answer."""
    if (number := signals.pending_signal(error)) is not None:
        return f"interrupted by {signal.Signals(number).name}", errors.SIGNALLED + number
    if isinstance(error, KanError):
        return str(error), error.exit_code
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":  # CPython's, without a class
        return f"{error}: {process_limit() or 'the limit on processes is reached'}; raise it", errors.USAGE
    library = type(error).__module__.split(".")[0]
    if library == "yaml":  # a user's file for a part of Hydra
        return " ".join(str(error).split()), errors.USAGE
    if library in ("hydra", "omegaconf"):  # an override or a file that Hydra refuses
        return str(error).strip().splitlines()[0], errors.USAGE
    if not isinstance(error, Exception) or os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise error
    return f"internal error: {errors.one_line(error)}; HYDRA_FULL_ERROR=1 shows where", errors.INTERNAL


def _print_error(message: str, code: int) -> int:
    for line in message.splitlines():
        short = LONG_WORD.sub(lambda word: shorten(word[0]), line)
        print(f"kan-run: {short}", file=sys.stderr)
    return code


def _check_utf8(argv: Sequence[str]) -> None:
    """Refuse names that no JSON or YAML file can hold.

    Raises:
        ConfigError: a word, or the current folder's path, is not UTF-8.
    """
    with contextlib.suppress(OSError):  # the folder was removed
        argv = [*argv, os.getcwd()]
    for word in argv:
        errors.check_utf8(word)


def _dispatch(argv: list[str], known: dict[str, Any]) -> int:
    _check_utf8(argv)
    try:
        os.getcwd()
    except OSError:
        raise ConfigError(["the current folder was removed; go to another and type the command again"]) from None
    config_dir, allow_code, words = _split_trust(argv)
    verb, words = _split_verb(words)
    if any(word in ("-h", "--help") for word in words):
        return _print_text(_help(verb, words, Presets(preset_folders(config_dir))), words)
    if "--version" in words:
        from kancli._version import __version__

        return _print_text(f"kan-run {__version__}", words)
    return _call(verb, words, Presets(preset_folders(config_dir)), allow_code, known)


def _print_text(text: str, words: Sequence[str]) -> int:
    """Print a text, or a document that holds it; return the exit code."""
    if JSON in words:
        from kancli.cli.document import print_json

        print_json({"text": text})
    else:
        print(text)
    return 0


def _call(verb: str | None, words: Sequence[str], presets: Presets, allow_code: bool, known: dict[str, Any]) -> int:
    """Parse the words of a verb, or of a run without one, and do what they say; return the exit code."""
    module, args = parse_words(verb, words)
    if verb is not None and "words" in args:
        args.words = [_path_of(word) for word in args.words]

    from kancli.inits.plugins import CodePolicy, use_policy

    with use_policy(CodePolicy(presets.own, allow_code)):
        if not args.json:
            return module.run(args, presets)
        from kancli.cli.document import print_document

        return print_document(module.run, args, presets, known)


def _path_of(word: str) -> str:
    """A word of a verb, with `latest` replaced by the folder that it stands for."""
    if not word.startswith("latest"):
        return word
    from kancli.sweeps.history import resolve_latest

    return resolve_latest(word)


def _help(verb: str | None, words: Sequence[str], presets: Presets) -> str:
    """The help of a verb; without one, a screen for -h and everything for --help."""
    from kancli.cli.help import text_of

    return text_of(verb or ("all" if "--help" in words else None), presets)


def _split_trust(argv: Sequence[str]) -> tuple[str | None, bool, list[str]]:
    """Take out --config-dir and allow_code, which hold for every verb; return them and the other words.

    Only the command line has them: they decide which files and which code are read at all.

    Raises:
        ConfigError: one of them lacks its value.
    """
    config_dir, allow_code, rest, words = None, False, [], iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name == ALLOW_CODE:
            if value.lower() not in ("true", "false"):
                raise ConfigError([f"{word}: allowed: true or false"])
            allow_code = value.lower() == "true"
        elif name in ("-cd", "--config-dir"):
            config_dir = value if equals else next(words, "")
            if not config_dir or config_dir.startswith("-"):
                raise ConfigError([f"{name}: name a folder that holds init/, experiment/, ..."])
        else:
            rest.append(word)
    return config_dir, allow_code, rest


def _split_verb(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Take out the verb: the first word that is neither an option nor its value.

    Raises:
        ConfigError: the first word is almost a verb, or means one in other programs.
    """
    for place, word in enumerate(words):
        if word in VERBS:
            return word, [*words[:place], *words[place + 1 :]]
        is_option = word.startswith("-")
        follows_option = place > 0 and words[place - 1].startswith("-")
        if not is_option and ("=" in word or not follows_option):
            break
    first = words[0] if words and not words[0].startswith("-") else ""
    if first in NOT_NEEDED:
        raise ConfigError([f"{first}: no such verb; {NOT_NEEDED[first]}"])
    if first and (verb := suggest(first, VERBS, cutoff=SIMILAR)):
        raise ConfigError([f"{first}: no such verb; did you mean {verb}? kan-run help lists all"])
    return None, list(words)


@contextlib.contextmanager
def _streams() -> Iterator[OutputStream]:
    """Context manager, of stdout: prints warnings of kancli on stderr, and replaces characters that the terminal lacks
    or obeys."""
    streams = sys.stdout, sys.stderr
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.stdout, sys.stderr = output, _ = OutputStream(streams[0]), OutputStream(streams[1])  # pyright: ignore
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("kan-run: %(message)s"))
    handler.addFilter(lambda record: record.levelno == logging.WARNING)  # errors are printed once, at the end
    log.setLevel(logging.INFO)
    logging.raiseExceptions = False  # no traceback for a log line that cannot be written, as on a full disk
    log.propagate = False  # launchers add a handler to the root logger
    log.addHandler(handler)
    try:
        yield output
    finally:
        log.removeHandler(handler)
        output.flush()
        sys.stdout, sys.stderr = streams
