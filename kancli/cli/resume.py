"""`kan-run resume`: run the jobs of a sweep that are missing, from its plan; or go on with a run's training."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog, split_folders
from kancli.errors import ConfigError

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run resume SWEEP|RUN|RACE [--only failed|3,7] [sweep.KEY=VALUE ...]"
    parser.description = (
        "Run the jobs of a sweep that are missing: after Ctrl-C, a crash, or --dry-run.\n"
        "The jobs come from the plan in the sweep's folder; presets that were edited since do\n"
        "not change them.\n"
        "Or go on with the training of a run that was interrupted or killed, from the state that\n"
        "it saved: it ends as if it had not been. So does a race, from the last round that is\n"
        "done; race.minutes=10 gives it more time."
    )
    parser.add_argument(
        "words", nargs="*", metavar="SWEEP", help="the folder of the sweep; sweep.KEY=VALUE, hydra/launcher=NAME"
    )
    parser.add_argument(
        "--only", metavar="JOBS", help="failed: the failed jobs, again; or numbers of jobs, such as 3,7"
    )
    parser.epilog = epilog(
        {
            "kan-run resume multirun/DATE/TIME-ID": "all jobs that have not ended",
            "kan-run resume multirun/DATE/TIME-ID --only failed": "the failed jobs, again",
            "kan-run resume SWEEP sweep.workers=2": "with two processes",
            "kan-run resume outputs/DATE/TIME-ID": "the training of a run",
            "kan-run resume RACE race.minutes=10": "a race, with more time",
        },
        {0: "all jobs are complete", 2: "wrong usage", 6: "some jobs failed"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    folders, overrides = split_folders(args.words)
    if len(folders) != 1:
        words = " ".join(["resume", *folders])
        raise ConfigError([f"{words}: name the folder of one sweep or run: kan-run resume multirun/DATE/TIME-ID"])
    if (Path(folders[0]) / "run.json").exists():
        return _resume_run(Path(folders[0]), overrides, args)
    from kancli.sweeps.history import RACE

    if (Path(folders[0]) / RACE).exists():
        return _resume_race(Path(folders[0]), overrides, args, presets)
    from kancli.cli.document import document_of_sweep
    from kancli.cli.rank import rank_study
    from kancli.cli.task import task
    from kancli.sweeps.resume import resume

    gc.enable()
    code = resume(Path(folders[0]), args.only, overrides, presets, task)
    rank_study(Path(folders[0]))
    if args.json:
        args.document = document_of_sweep(Path(folders[0]))
    return code


def _resume_race(folder: Path, overrides: list[str], args: argparse.Namespace, presets: Presets) -> int:
    if args.only:
        raise ConfigError([f"--only {args.only}: of a sweep; a race goes on as it was: kan-run resume {folder}"])
    from kancli.cli.race import print_race
    from kancli.cli.spinner import progress
    from kancli.runs import signals

    gc.enable()
    with progress("loading"), signals.deferred_signals():
        from kancli.racing.start import resume_race
    print_race(args, folder, resume_race(folder, overrides, presets))
    return 0


def _resume_run(folder: Path, overrides: list[str], args: argparse.Namespace) -> int:
    if overrides or args.only:
        given = overrides[0] if overrides else f"--only {args.only}"
        raise ConfigError([f"{given}: of a sweep; a run goes on as it was: kan-run resume {folder}"])
    from kancli.cli.document import document_of_run
    from kancli.cli.spinner import progress, training_bar
    from kancli.runs import signals

    with progress("loading"), signals.deferred_signals():
        from kancli.runs.resume import resume_run
    resume_run(folder, style="none" if args.json else "short", progress=progress, bar=training_bar)
    args.document = document_of_run(folder)
    return 0
