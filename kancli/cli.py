"""kan-run: reads the command line, answers mistakes, and hands the work to Hydra. No torch is loaded before a run."""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kancli import errors, signals
from kancli.errors import ConfigError, KanError
from kancli.progress import progress
from kancli.verbs import VERBS

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra

    from kancli.presets import Presets

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
        with _streams(), signals.noted():
            return _dispatch(argv)
    except BaseException as error:
        return _answer(error)


def _answer(error: BaseException) -> int:
    """Say in one line what ended the program, and return the exit code."""
    if (number := signals.received(error)) is not None:
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
    from kancli.presets import Presets, builtin_folder

    if any(flag in ("-h", "--help") for flag in argv):
        from kancli.help import help_text

        own = argv[argv.index("--config-dir") + 1 :][:1] if "--config-dir" in argv else []
        print(help_text(Presets([builtin_folder(), *map(Path, own)])))
        return 0
    if "--version" in argv:
        from kancli import __version__

        print(f"kan-run {__version__}")
        return 0
    verb = VERBS.get(argv[0]) if argv else None
    own, allow_code, rest = _split_trust(argv if verb is None else argv[1:])

    from kancli import hydra_shell
    from kancli.inits.outside import Trust, trusting

    presets = Presets(hydra_shell.folders(own))
    with trusting(Trust(presets.own, allow_code)):
        return verb(rest, presets) if verb is not None else _compose_and_run(rest, presets)


def _compose_and_run(words: list[str], presets: Presets) -> int:
    """What is no verb's business: a run, a sweep, or a look at what it would be made from."""
    from kancli import hydra_shell

    words = ["deterministic=true" if word == "--deterministic" else word for word in words]
    if words and words[0] == "rerun":
        from kancli.rerun import words_of

        words = words_of(words[1:], presets)
    args = _parser().parse_intermixed_args(words)
    if args.shell_completion:
        return _complete(hydra_shell.create(presets, hydra_shell.CompletionLoader), args)
    if args.multirun and (args.cfg or args.info):
        raise ConfigError(["-m: --cfg and --info show one run: leave -m out and give one value each"])
    if args.multirun:
        from kancli.sweeps.command import sweep
        from kancli.task import task

        gc.enable()
        return sweep(presets, args.overrides, task, dry_run=args.dry_run)[0]
    if args.dry_run:
        raise ConfigError(["--dry-run: shows the plan of a sweep; add -m"])
    _answer_mistakes(args, presets)
    hydra = hydra_shell.create(presets)
    if args.cfg or args.info:
        return _show(hydra, args)
    return _run(hydra, args.overrides)


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "kan-run", add_help=False, allow_abbrev=False, usage="kan-run [-m] [KEY=VALUE ...]; kan-run --help"
    )
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("-c", "--cfg", choices=("job", "hydra", "all"))
    parser.add_argument("-p", "--package")
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--info", nargs="?", const="all")
    parser.add_argument("-sc", "--shell-completion", action="store_true")
    return parser


def _answer_mistakes(args: argparse.Namespace, presets: Presets) -> None:
    """Find what can be found without Hydra.

    Raises:
        ConfigError: with all faults.
    """
    from kancli.compose import draft

    made = draft(args.overrides, presets)
    if made.plain and (faults := made.faults()):
        raise ConfigError(faults)
    if (swept := made.settled.swept_by_experiment) and not (args.cfg or args.info):
        raise ConfigError([f"{' '.join(args.overrides)}: this experiment is a sweep over {', '.join(swept)}; add -m"])


def _complete(hydra: Hydra, args: argparse.Namespace) -> int:
    from kancli.compose import CONFIG_NAME

    try:
        hydra.shell_completion(CONFIG_NAME, args.overrides)
    except ValueError as error:
        raise ConfigError(
            [f'--shell-completion: {error}; type for example: eval "$(kan-run -sc install=bash)"']
        ) from None
    except Exception:
        log.debug("nothing to offer", exc_info=True)  # half-typed words are no mistakes
    return 0


def _show(hydra: Hydra, args: argparse.Namespace) -> int:
    from kancli.compose import CONFIG_NAME

    if args.info:
        hydra.show_info(args.info, CONFIG_NAME, args.overrides)
    else:
        hydra.show_cfg(CONFIG_NAME, args.overrides, args.cfg, args.package, args.resolve)
    return 0


def _run(hydra: Hydra, overrides: list[str]) -> int:
    """One run: compose, check all that can be checked before anything is computed or written, then run the job."""
    from hydra._internal.callbacks import Callbacks
    from hydra.core.utils import run_job
    from hydra.types import HydraContext, RunMode

    from kancli.compose import CONFIG_NAME
    from kancli.run_folder import check_fresh, unwritable
    from kancli.task import task

    config = hydra.compose_config(CONFIG_NAME, overrides, run_mode=RunMode.RUN, with_log_configuration=False)
    check_fresh(Path(config.hydra.run.dir), overwrite=bool(config.overwrite))
    with progress("loading"), signals.held():
        from kancli import experiment
    experiment.device_of(config.device)
    callbacks = Callbacks(config)
    callbacks.on_run_start(config=config, config_name=CONFIG_NAME)
    try:
        job = run_job(
            hydra_context=HydraContext(config_loader=hydra.config_loader, callbacks=callbacks),
            task_function=task,
            config=config,
            job_dir_key="hydra.run.dir",
            job_subdir_key=None,
            configure_logging=False,
        )
    except OSError as error:  # of making the folder: what the task itself raises is kept in the job
        raise ConfigError([unwritable(config.hydra.run.dir, error)]) from None
    callbacks.on_run_end(config=config, config_name=CONFIG_NAME, job_return=job)
    with contextlib.redirect_stderr(io.StringIO()):  # Hydra prints a line of its own before it raises
        job.return_value  # noqa: B018
    return 0


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
