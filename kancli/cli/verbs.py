"""The other jobs of kan-run, `kan-run VERB ...`: what each is given, and what it prints. torch is loaded late."""

from __future__ import annotations

import argparse
import gc
import logging
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.spinner import progress
from kancli.errors import DRIFT, ConfigError
from kancli.runs import signals
from kancli.schema import nearest

if TYPE_CHECKING:
    from kancli.config.presets import Presets

log = logging.getLogger("kancli")


def explain(typed: list[str], presets: Presets) -> int:
    """The law with its numbers, or what each statistic is."""
    words = _words("explain [KEY=VALUE ...]", typed)
    from kancli.runs.console import show

    if words == ["stats"]:
        from kancli.cli.explain import glossary

        show(glossary(), sys.stdout)
        return 0
    with progress("loading"), signals.deferred_signals():
        from kancli.cli.explain import explain
    show(explain(words, presets), sys.stdout)
    return 0


def draw(typed: list[str], presets: Presets) -> int:
    """A finished run's figures anew; or several runs side by side."""
    words = _words("draw RUN ... [figures=...]", typed)
    folders = [Path(word) for word in words if "=" not in word or Path(word).is_dir()]
    overrides = [word for word in words if Path(word) not in folders]
    if not folders:
        raise ConfigError(["draw: name the folder of a run, several, or a sweep's: kan-run draw RUN [figures=all]"])
    with progress("drawing"):
        with signals.deferred_signals():
            from kancli.compare.figures import draw_runs
            from kancli.runs.redraw import draw_again
            from kancli.sweeps.reader import is_sweep
        if len(folders) == 1 and not is_sweep(folders[0]):
            written = draw_again(folders[0], overrides, presets)
        else:
            written = draw_runs(folders, overrides, presets)
    for path in written:
        print(path)
    return 0


def check(typed: list[str], presets: Presets) -> int:
    """Baselines' runs made again and compared."""
    parser = _parser("check BASELINE ... [--json] [--junit FILE] [--jobs N]")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--junit", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_intermixed_args(typed)
    if not args.words:
        raise ConfigError(["check: name a baseline, a run's folder or a blessed file: kan-run check BASELINE"])
    if args.jobs < 1:
        raise ConfigError([f"--jobs {args.jobs}: allowed: 1 or more processes"])
    with progress("checking"):
        with signals.deferred_signals():
            from kancli.compare import check as checking
        from kancli.compare import check_output as check_report

        paths = checking.paths_of(args.words)
        checks = []
        for each in checking.check_all(paths, jobs=args.jobs):
            checks.append(each)
            if not args.json:
                print("\n".join(check_report.lines(each)), flush=True)
    if args.junit is not None:
        checking.write(args.junit, check_report.as_junit(checks).decode())
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with open(summary, "a", encoding="utf-8") as file:
                file.write(check_report.as_markdown(checks))
        except OSError as error:  # the answer does not depend on it
            log.warning("GITHUB_STEP_SUMMARY=%s: cannot be written: %s", summary, error.strerror)
    if args.json:
        print(check_report.as_json(checks))
    return checking.exit_code(checks)


def bless(typed: list[str], presets: Presets) -> int:
    """A run's record as a file to be kept; or such files made anew."""
    parser = _parser("bless RUN -o FILE, or bless --update FILE ... [--force]")
    parser.add_argument("words", nargs="*")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--force", action="store_true")
    args = parser.parse_intermixed_args(typed)
    if args.update == (args.output is not None) or not args.words or (args.output and len(args.words) > 1):
        raise ConfigError(["bless: kan-run bless RUN -o FILE, or kan-run bless --update FILE ..."])
    if args.update and os.environ.get("CI", "").lower() == "true" and not args.force:
        raise ConfigError(["bless --update: not under CI=true, where a baseline judges and is not judged; or --force"])
    with progress("blessing"):
        with signals.deferred_signals():
            from kancli.compare import check as checking
        if args.update:
            written = checking.paths_of(args.words)
            for path in written:
                checking.update(path)
        else:
            written = [args.output]
            checking.bless(Path(args.words[0]), args.output)
    for path in written:
        print(path)
    return 0


def diff(typed: list[str], presets: Presets) -> int:
    """What differs between two runs."""
    parser = _parser("diff A B [--json]")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_intermixed_args(typed)
    if len(args.words) != 2:
        raise ConfigError(["diff: name two runs' folders or blessed files: kan-run diff A B"])
    with signals.deferred_signals():
        from kancli.compare import diff as differences
    found = differences.diff(*map(Path, args.words))
    if args.json:
        print(differences.as_json(found))
    else:
        print("\n".join(differences.lines(found)))
    return DRIFT if found.differs else 0


def resume(typed: list[str], presets: Presets) -> int:
    """What is missing of a sweep, run from its plan."""
    parser = _parser("resume SWEEP [--only failed|3,7] [sweep.KEY=VALUE ...]")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--only")
    args = parser.parse_intermixed_args(typed)
    folders = [word for word in args.words if "=" not in word or Path(word).is_dir()]
    if len(folders) != 1:
        raise ConfigError(["resume: name the folder of a sweep: kan-run resume multirun/DATE/TIME-ID"])
    from kancli.cli.task import task
    from kancli.sweeps import sweep as command

    gc.enable()
    overrides = [word for word in args.words if word not in folders]
    return command.resume(Path(folders[0]), args.only, overrides, presets, task)


def collect(typed: list[str], presets: Presets) -> int:
    """The table of sweeps, made from their folders."""
    parser = _parser("collect SWEEP ... [-o DIR]")
    parser.add_argument("words", nargs="*")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_intermixed_args(typed)
    if not args.words:
        raise ConfigError(["collect: name the folders of sweeps: kan-run collect SWEEP ..."])
    from kancli.sweeps import sweep as command

    return command.collect(list(map(Path, args.words)), args.output)


def compare(typed: list[str], presets: Presets) -> int:
    """Runs side by side: those of folders, or made for it, one for each preset of init that is named."""
    parser = _parser("compare RUN|SWEEP|PRESET ... [KEY=VALUE ...] [-o DIR]")
    parser.add_argument("words", nargs="*")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_intermixed_args(typed)
    folders = [Path(word) for word in args.words if Path(word).is_dir()]
    schemes = presets.options("init")
    if both := [word for word in args.words if word in schemes and Path(word) in folders]:
        raise ConfigError([f"{word}: a folder and a preset; type ./{word}, or init={word}" for word in both])
    names = [word for word in args.words if "=" not in word and Path(word) not in folders]
    if strange := [name for name in names if name not in schemes]:
        raise ConfigError(
            [f"{name}: neither a folder nor a preset of init{nearest(name, schemes)}" for name in strange]
        )
    overrides = [word for word in args.words if word not in names and Path(word) not in folders]
    code, target = 0, args.output or Path()
    if names or not folders:
        code, target = _sweep_over(names, overrides, folders, args.output, presets)
        folders, overrides = [*folders, target], [word for word in overrides if word.startswith("figures.")]
    with progress("comparing"):
        with signals.deferred_signals():
            from kancli.compare import columns as side_by_side
            from kancli.runs.console import show
        columns = side_by_side.columns_of(folders)
        written = side_by_side.write(columns, overrides, presets, target)
    show(side_by_side.show(columns), sys.stdout)
    for path in written:
        print(path)
    return code


def _sweep_over(
    names: list[str], overrides: list[str], beside: list[Path], output: Path | None, presets: Presets
) -> tuple[int, Path]:
    """Runs of some presets of init, or of what the overrides sweep over; the exit code and the sweep's folder."""
    if not (names or overrides):
        raise ConfigError(
            ["compare: name folders of runs, a sweep's, or presets: kan-run compare default glorot width=2-8-1"]
        )
    from kancli.cli.task import task
    from kancli.config.overrides import literal
    from kancli.sweeps import sweep as command
    from kancli.sweeps.jobs import product_of

    gc.enable()
    words = [*([f"init={','.join(names)}"] if names else []), *overrides]
    swept = product_of(words, presets).swept
    kinds = math.prod(len(values) for key, values in swept.items() if key != "seed")
    with signals.deferred_signals():
        from kancli.compare import columns as side_by_side
        from kancli.sweeps.reader import read_folder
    side_by_side.check_count(kinds + len(beside))  # before they are made
    for folder in beside:
        read_folder(folder)
    where = [] if output is None else [f"hydra.sweep.dir={literal(str(output))}"]
    return command.sweep(presets, [*words, *where], task)


def report(typed: list[str], presets: Presets) -> int:
    """A page about a sweep, a folder of runs or a run."""
    words = _words("report DIR", typed)
    if len(words) != 1:
        raise ConfigError(["report: name the folder of a sweep or of a run: kan-run report multirun/DATE/TIME-ID"])
    from kancli.report.write import write_report

    gc.enable()
    with progress("reading"):
        path = write_report(Path(words[0]))
    print(path)
    return 0


VERBS: dict[str, Callable[[list[str], Presets], int]] = {
    "explain": explain,
    "draw": draw,
    "check": check,
    "bless": bless,
    "diff": diff,
    "resume": resume,
    "collect": collect,
    "compare": compare,
    "report": report,
}


def _words(usage: str, typed: list[str]) -> list[str]:
    """What is typed for a verb without options of its own."""
    parser = _parser(usage)
    parser.add_argument("words", nargs="*")
    return parser.parse_intermixed_args(typed).words


def _parser(usage: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser("kan-run", add_help=False, allow_abbrev=False, usage=f"kan-run {usage}")
