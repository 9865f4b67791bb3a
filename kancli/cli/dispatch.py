"""kan-run: reads the command line, answers mistakes, and hands the work to Hydra. No torch is loaded before a run."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from kancli import errors
from kancli.cli.run import _compose_and_run
from kancli.cli.verbs import VERBS
from kancli.errors import ConfigError, KanError
from kancli.runs import signals

log = logging.getLogger("kancli")

ALLOW_CODE = "allow_code"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    os.environ["MPLBACKEND"] = "agg"  # whatever a notebook that called us uses
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    gc.disable()  # loading torch makes millions of objects and no garbage: 0.3 s less; a sweep turns it on again
    try:
        with _streams(), signals.signal_handlers():
            return _dispatch(argv)
    except BaseException as error:
        return _answer(error)


def _answer(error: BaseException) -> int:
    """Say in one line what ended the program, and return the exit code."""
    if (number := signals.pending_signal(error)) is not None:
        return _say(f"interrupted by {signal.Signals(number).name}", errors.SIGNALLED + number)
    if isinstance(error, KanError):
        return _say(str(error), error.exit_code)
    if isinstance(error, BrokenPipeError):  # whoever read our output has gone; the run was finished and recorded
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    library = type(error).__module__.split(".")[0]
    if library == "yaml":  # a file of the user's for a part of Hydra's
        return _say(" ".join(str(error).split()), errors.USAGE)
    if library in ("hydra", "omegaconf"):  # what was typed or read is not to its liking
        return _say(str(error).strip().splitlines()[0], errors.USAGE)
    if not isinstance(error, Exception) or os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise error
    return _say(f"internal error: {errors.one_line(error)}; HYDRA_FULL_ERROR=1 shows where", errors.INTERNAL)


def _say(message: str, code: int) -> int:
    with contextlib.suppress(OSError):
        for line in message.splitlines():
            print(f"kan-run: {line}", file=sys.stderr)
    return code


def _dispatch(argv: list[str]) -> int:
    from kancli.config.presets import Presets, builtin_folder, preset_folders

    if any(flag in ("-h", "--help") for flag in argv):
        from kancli.cli.help import help_text

        own = argv[argv.index("--config-dir") + 1 :][:1] if "--config-dir" in argv else []
        print(help_text(Presets([builtin_folder(), *map(Path, own)])))
        return 0
    if "--version" in argv:
        from kancli._version import __version__

        print(f"kan-run {__version__}")
        return 0
    verb = VERBS.get(argv[0]) if argv else None
    own, allow_code, rest = _split_trust(argv if verb is None else argv[1:])

    from kancli.inits.plugins import CodePolicy, use_policy

    presets = Presets(preset_folders(own))
    with use_policy(CodePolicy(presets.own, allow_code)):
        return verb(rest, presets) if verb is not None else _compose_and_run(rest, presets)


def _split_trust(argv: Sequence[str]) -> tuple[str | None, bool, list[str]]:
    """What the user has of his own: the folder of --config-dir or -cd, if it is given, and whether allow_code is true;
    and the other words. What there is to read depends on it, so that no file can say it."""
    folder, allow_code, rest, words = None, False, [], iter(argv)
    for word in words:
        name, given, value = word.partition("=")
        if name == ALLOW_CODE:
            if value.lower() not in ("true", "false"):
                raise ConfigError([f"{word}: allowed: true or false"])
            allow_code = value.lower() == "true"
            continue
        if name not in ("-cd", "--config-dir"):
            rest.append(word)
            continue
        folder = value if given else next(words, None)
        if not folder:
            raise ConfigError([f"{name}: name a folder that holds init/, experiment/, ..."])
    return folder, allow_code, rest


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Warnings of kancli on stderr, and no failure over a character that the terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("kan-run: %(message)s"))
    handler.addFilter(lambda record: record.levelno == logging.WARNING)  # an error is told once, at the end
    log.setLevel(logging.INFO)
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, is not worth a traceback
    log.propagate = False  # a launcher gives the root logger a handler of its own
    log.addHandler(handler)
    try:
        yield
        sys.stdout.flush()
    finally:
        log.removeHandler(handler)
