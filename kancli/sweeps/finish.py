"""The end of a sweep: write its table and figure, print them, and return the exit code."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.errors import SWEEP, ConfigError, WriteError
from kancli.runs import signals
from kancli.runs.process_limit import is_near, process_limit
from kancli.runs.reader import ENDED
from kancli.sweeps.objective import objective_names
from kancli.sweeps.plan import Plan

if TYPE_CHECKING:
    from kancli.sweeps.row import Row

MAX_FAILURES = 10  # printed; summary.json has all


def run_and_finish(plan: Plan, run: Callable[[], Mapping[int, str]]) -> int:
    """Run the jobs of a plan, and write and print the results, after an exception or a signal too.

    Args:
        run: runs them and returns the causes of the failures, by number of the job.

    Returns:
        0, or `errors.SWEEP` if a job is not complete.
    """
    causes: Mapping[int, str] = {}
    try:
        with signals.deferred_signals():
            _load_libraries(plan)
        causes = run()
    finally:
        with signals.deferred_signals():
            code = write_and_print(plan, causes)
    return code


def _load_libraries(plan: Plan) -> None:
    """Load what is needed at the end, while the server of the workers loads torch; its threads may leave no room."""
    if is_near(process_limit()):
        return
    from kancli.sweeps import results

    results.load_libraries(plan)


def write_and_print(
    plan: Plan, causes: Mapping[int, str] | None = None, directions: Sequence[str] | None = None
) -> int:
    """Write and print the results of a sweep; return the exit code.

    Args:
        causes: why jobs failed, by number; for those whose folder does not say so, as on a full disk.
        directions: of a search, "minimize" or "maximize" for each objective; its best jobs are printed, not all.
    """
    from kancli.sweeps import results, table  # late, with numpy and rich: a mistake is answered without them

    rows = table.with_causes(table.read_rows(plan), causes or {})
    write_code = 0
    try:
        results.write_results(plan, rows)
    except WriteError as error:
        print(f"kan-run: {error}", file=sys.stderr)
        write_code = error.exit_code
    if any(row.status not in ENDED for row in rows):
        print(f"kan-run: run the rest with: kan-run resume {shlex.quote(str(plan.folder))}", file=sys.stderr)
    return print_results(rows, plan.folder, plan.head["base"].get("objective"), directions) or write_code


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


def print_results(
    rows: Sequence[Row],
    folder: Path,
    objective: str | Sequence[str] | None = None,
    directions: Sequence[str] | None = None,
) -> int:
    """Print the table, the failures, and last the number of complete runs and the folder; return the exit code."""
    from kancli.runs.console import show
    from kancli.sweeps import results
    from kancli.sweeps.best import best_rows
    from kancli.sweeps.table import NO_RECORD

    names = objective_names(objective)
    best = None if directions is None else best_rows(rows, names, directions)
    show(results.format_table(rows if best is None else best, names), sys.stdout)
    if best:
        values = ", ".join(f"{name} {best[0].statistics[name]:.6g}" for name in names)
        print(f"best of {len(rows)}: job {best[0].number}, {values}\n  {best[0].replay}")
    _print_failures([row for row in rows if row.cause or row.status not in ("complete", NO_RECORD)])
    complete = sum(row.status == "complete" for row in rows)
    print(f"{complete} of {len(rows)} runs complete: {folder}", flush=True)
    return 0 if complete == len(rows) else SWEEP


def _print_failures(failed: Sequence[Row]) -> None:
    """Print the failures; those of one cause once, with the number of its jobs."""
    by_cause: dict[tuple[str, str | None], list[Row]] = {}
    for row in failed:
        by_cause.setdefault((row.status, _without_folder(row)), []).append(row)
    for rows in list(by_cause.values())[:MAX_FAILURES]:
        cause = f": {rows[0].cause}" if rows[0].cause else ""
        others = f" (and {len(rows) - 1} more of this cause)" if len(rows) > 1 else ""
        print(f"kan-run: {rows[0].status}: {rows[0].folder}{cause}{others}\n  {rows[0].replay}", file=sys.stderr)
    if (rest := len(by_cause) - MAX_FAILURES) > 0:
        print(f"kan-run: ... and {rest} more causes: summary.json has them all", file=sys.stderr)


def _without_folder(row: Row) -> str | None:
    """The cause without the path of the file that the job wrote."""
    return None if row.cause is None else re.sub(r"\S*/\S*", "", row.cause)
