"""The end of a sweep: write its table and figure, print them, and return the exit code."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.errors import SWEEP, ConfigError
from kancli.runs import signals
from kancli.runs.reader import ENDED
from kancli.sweeps.objective import objective_names
from kancli.sweeps.plan import Plan

if TYPE_CHECKING:
    from kancli.sweeps.table import Row

MAX_FAILURES = 10  # printed; summary.json has all


def run_and_finish(plan: Plan, run: Callable[[], None]) -> int:
    """Lock the plan, run its jobs, and write and print the results, after an exception or a signal too.

    Returns:
        0, or `errors.SWEEP` if a job is not complete.
    """
    with plan.lock():
        try:
            run()
        finally:
            with signals.deferred_signals():
                code = write_and_print(plan)
    return code


def write_and_print(plan: Plan) -> int:
    """Write and print the results of a sweep; return the exit code."""
    from kancli.sweeps import results  # late, with numpy and rich: a mistake is answered without them

    rows = results.gather(plan)
    if any(row.status not in ENDED for row in rows):
        print(f"kan-run: run the rest with: kan-run resume {shlex.quote(str(plan.folder))}", file=sys.stderr)
    return print_results(rows, plan.folder, plan.head["base"].get("objective"))


def collect(folders: Sequence[Path], target: Path | None) -> int:
    """Write and print one table over sweeps, from their folders alone.

    Args:
        target: the folder for the table; None for the sweep's own, if there is one sweep.

    Returns:
        0, or `errors.SWEEP` if a job is not complete.

    Raises:
        ConfigError: a folder holds no runs, or the target cannot be written.
    """
    if target is None and len(folders) > 1:
        raise ConfigError(["collect: of several sweeps; name the folder that the table goes to: -o DIR"])
    target = folders[0] if target is None else target
    from kancli.sweeps import results

    return print_results(results.collect(folders, target), target)


def print_results(rows: Sequence[Row], folder: Path, objective: str | Sequence[str] | None = None) -> int:
    """Print the table, the failures, and last the number of complete runs and the folder; return the exit code."""
    from kancli.runs.console import show
    from kancli.sweeps import results
    from kancli.sweeps.table import NO_RECORD

    show(results.format_table(rows, objective_names(objective)), sys.stdout)
    failed = [row for row in rows if row.status not in ("complete", NO_RECORD)]
    for row in failed[:MAX_FAILURES]:
        cause = f": {row.cause}" if row.cause else ""
        print(f"kan-run: {row.status}: {row.folder}{cause}\n  {row.replay}", file=sys.stderr)
    if len(failed) > MAX_FAILURES:
        print(f"kan-run: ... and {len(failed) - MAX_FAILURES} more: summary.json has them all", file=sys.stderr)
    complete = sum(row.status == "complete" for row in rows)
    print(f"{complete} of {len(rows)} runs complete: {folder}", flush=True)
    return 0 if complete == len(rows) else SWEEP
