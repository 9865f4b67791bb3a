"""`kan-run` and `kan-run -m` without a verb: one run, a sweep, or its config."""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.spinner import progress
from kancli.cli.verbs import VERBS
from kancli.errors import ConfigError
from kancli.runs import signals
from kancli.runs.process_limit import is_near, process_limit
from kancli.schema import show

if TYPE_CHECKING:
    from kancli.config.compose import ComposedConfig
    from kancli.config.hydra import Hydra
    from kancli.config.presets import Presets

log = logging.getLogger("kancli")

# Replaced before parsing, so that the run's record has the words in the order in which they were typed.
ALIASES = {"--deterministic": "deterministic=true"}

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")  # what Hydra describes

EXIT_CODES = {
    0: "fine",
    1: "internal error",
    2: "wrong config or usage",
    3: "non-finite values",
    4: "a verdict failed with strict=true",
    6: "some jobs of a sweep failed",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run [-m] [KEY=VALUE ...]; kan-run --help"
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="a key or a group, and its value")
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `kan-run` and `kan-run rerun` share."""
    parser.add_argument("-m", "--multirun", action="store_true", help="sweep over keys that have several values")
    parser.add_argument("-v", "--verbose", action="store_true", help="print all tables of a run, not its summary")
    parser.add_argument("--dry-run", action="store_true", help="with -m: print the plan of the sweep, and stop")
    parser.add_argument(
        "-c", "--cfg", choices=("job", "hydra", "all"), help="print the config that a run would have, and stop"
    )
    parser.add_argument("-p", "--package", metavar="NAME", help="with --cfg: this section alone, such as init")
    parser.add_argument("--resolve", action="store_true", help="with --cfg: with values in place of ${...}")
    parser.add_argument("--info", nargs="?", const="all", metavar="WHAT", help="Hydra's own description, and stop")
    parser.add_argument("-sc", "--shell-completion", action="store_true", help="shell completion; see kan-run --help")


def run(args: argparse.Namespace, presets: Presets) -> int:
    """Run once or sweep, or print what the options ask for."""
    if args.shell_completion:
        from kancli.config.hydra import CompletionLoader, create_hydra

        with _shown_text(args):
            return _complete(create_hydra(presets, CompletionLoader), args)
    if args.multirun and (args.cfg or args.info):
        raise ConfigError(["-m: --cfg and --info show one run: leave -m out and give one value each"])
    if args.multirun:
        with _worker_server(args):
            from kancli.cli.document import document_of_sweep
            from kancli.cli.rank import rank_study
            from kancli.cli.task import task
            from kancli.sweeps.sweep import sweep

            gc.enable()
            code, folder = sweep(presets, args.overrides, task, dry_run=args.dry_run)
        if not args.dry_run:
            rank_study(folder)
        if args.json:
            args.document = document_of_sweep(folder)
        return code
    if args.dry_run:
        raise ConfigError(["--dry-run: prints the plan of a sweep; add -m"])
    draft = _compose_without_hydra(args, presets)
    from kancli.config.hydra import create_hydra

    hydra = create_hydra(presets)
    if args.cfg or args.info:
        with _shown_text(args):
            return _show(hydra, args)
    return _run(hydra, draft, args)


def _worker_server(args: argparse.Namespace) -> contextlib.AbstractContextManager[None]:
    """Context manager: torch is being loaded for the workers of a sweep, unless it needs none."""
    names = ("sweep.workers=0", "hydra/launcher=", "hydra/sweeper=")
    if args.dry_run or any(word.lstrip("+").startswith(names) for word in args.overrides):
        return contextlib.nullcontext()
    if is_near(process_limit()):  # it is counted before anything is started
        return contextlib.nullcontext()
    from kancli.runs.fork_server import fork_server
    from kancli.sweeps import WORKER

    return fork_server([WORKER])


def _compose_without_hydra(args: argparse.Namespace, presets: Presets) -> ComposedConfig:
    """Compose without Hydra, so that mistakes are answered in milliseconds.

    Raises:
        ConfigError: with all faults.
    """
    from kancli.config.compose import compose
    from kancli.sweeps.knobs import open_keys

    draft = compose(args.overrides, presets)
    if (swept := open_keys(draft, args.overrides)) and not (args.cfg or args.info):
        line = f"{' '.join(args.overrides)}: this experiment is a sweep over {', '.join(swept)}; add -m"
        raise ConfigError([*draft.resolved.faults, line])
    if draft.plain:
        draft.settings  # noqa: B018 - raises the faults
    return draft


@contextlib.contextmanager
def _shown_text(args: argparse.Namespace) -> Iterator[None]:
    """Context manager: what Hydra prints is the document of --json too."""
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        yield
    args.document = {"text": shown.getvalue()}
    print(shown.getvalue(), end="")


def _complete(hydra: Hydra, args: argparse.Namespace) -> int:
    from kancli.config.compose import CONFIG_NAME

    if any(word.startswith("query=") for word in args.overrides):
        for verb in _verbs_to_complete():
            print(verb)
    try:
        hydra.shell_completion(CONFIG_NAME, args.overrides)
    except ValueError as error:
        raise ConfigError(
            [f'--shell-completion: {error}; type for example: eval "$(kan-run -sc install=bash)"']
        ) from None
    except Exception:
        log.debug("nothing to offer", exc_info=True)  # a half-typed word is no mistake
    return 0


def _verbs_to_complete() -> list[str]:
    """The verbs that begin like the word that is being typed, where that is the first one."""
    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    if len(words) > 2 or (len(words) == 2 and line.endswith(" ")):
        return []
    begun = words[1] if len(words) == 2 else ""
    return [verb for verb in VERBS if verb.startswith(begun)]


def _show(hydra: Hydra, args: argparse.Namespace) -> int:
    from kancli.config.compose import CONFIG_NAME

    if args.info:
        if args.info not in INFO:
            raise ConfigError([f"--info {args.info}: allowed: one of {', '.join(INFO)}"])
        hydra.show_info(args.info, CONFIG_NAME, args.overrides)
        return 0
    try:
        hydra.show_cfg(CONFIG_NAME, args.overrides, args.cfg, args.package, args.resolve)
    except (SystemExit, IndexError):  # of Hydra and OmegaConf
        hint = "no such part of the config; type for example -p init or -p grid.size"
        raise ConfigError([f"-p {show(args.package)}: {hint}"]) from None
    return 0


def _run(hydra: Hydra, draft: ComposedConfig, args: argparse.Namespace) -> int:
    """Compose, check everything that can fail before the run computes or writes, then run the job."""
    from kancli.cli.document import document_of_run
    from kancli.cli.task import run_job
    from kancli.config.hydra import compose_run, run_single
    from kancli.runs.files import unwritable_message
    from kancli.runs.fresh import check_fresh
    from kancli.runs.superseded import put_back_superseded
    from kancli.sweeps.objective import objective_faults

    config, settings = compose_run(hydra, draft)
    if settings.objective and (faults := objective_faults(settings)):
        raise ConfigError(faults)
    put_back_superseded(Path(config.hydra.run.dir))
    check_fresh(Path(config.hydra.run.dir), overwrite=settings.overwrite)
    with progress("loading"), signals.deferred_signals():
        from kancli.runs.build import device_of
    device_of(settings.device)
    style = "none" if args.json else "verbose" if args.verbose else "short"
    try:
        job = run_single(hydra, config, functools.partial(run_job, settings, style=style))
    except OSError as error:  # from creating the folder; `job` holds the errors of the task
        raise ConfigError([unwritable_message(config.hydra.run.dir, error)]) from None
    if args.json and (Path(config.hydra.run.dir) / "run.json").exists():  # else the job's error says why
        args.document = document_of_run(Path(config.hydra.run.dir))
    with contextlib.redirect_stderr(io.StringIO()):  # Hydra prints a line of its own before it raises
        job.return_value  # noqa: B018
    return 0
