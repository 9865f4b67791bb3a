"""`kan-run check`: repeat recorded runs and compare the results."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog
from kancli.cli.spinner import progress
from kancli.errors import ConfigError
from kancli.runs import signals

if TYPE_CHECKING:
    from kancli.compare.check import CheckResult
    from kancli.config.presets import Presets

log = logging.getLogger("kancli")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run check BASELINE ... [--junit FILE] [--jobs N]"
    parser.description = (
        "Repeat each recorded run and compare the results: bit for bit in the environment of\n"
        "the record, within a tolerance in another one. On drift the answer names the first\n"
        "stage that differs and the statistics that differ most."
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="BASELINE",
        help="a file of kan-run bless, a run's folder, or a pattern such as '*.json'",
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit XML too, for CI")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that share the work [1]")
    parser.epilog = epilog(
        {
            "kan-run check linear.json": "one baseline",
            "kan-run check 'baselines/*.json' --junit check.xml": "in CI",
        },
        {
            0: "all results match",
            2: "wrong usage",
            4: "drift: a result differs",
            5: "inconclusive: a baseline is missing, damaged or not comparable",
        },
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    if not args.words:
        raise ConfigError(["check: name a blessed file or the folder of a run: kan-run check BASELINE"])
    if args.jobs < 1:
        raise ConfigError([f"--jobs {args.jobs}: allowed: 1 or more processes"])
    with progress("checking"):
        with signals.deferred_signals():
            from kancli.compare import check, check_output

        paths = check.expand_patterns(args.words)
        results = []
        for result in check.check_all(paths, jobs=args.jobs):
            results.append(result)
            if result.warning is not None:
                log.warning("%s", result.warning)
            print("\n".join(check_output.format_lines(result)), flush=True)
    if args.junit is not None:
        check.write(args.junit, check_output.as_junit(results).decode())
    _append_github_summary(results)
    args.document = check_output.as_document(results)
    return check.exit_code(results)


def _append_github_summary(results: list[CheckResult]) -> None:
    """Append a table to the summary page of a GitHub job, if this is one."""
    from kancli.compare import check_output

    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    try:
        with open(summary, "a", encoding="utf-8") as file:
            file.write(check_output.as_markdown(results))
    except OSError as error:  # the result of the check does not depend on it
        log.warning("GITHUB_STEP_SUMMARY=%s: cannot be written: %s", summary, error.strerror)
