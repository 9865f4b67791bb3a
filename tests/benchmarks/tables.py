"""How the memory of `kan-run collect` grows with the jobs of a sweep, and what a million would take.

The jobs are copies of real ones: twenty are computed, and their files linked under other numbers. With `--whole`, a
table of sweeps of 100,000 such jobs is written to its end; the files of the twenty are read once for all.
"""

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from kancli.cli.dispatch import main as kan_run
from kancli.runs.reader import RecordedRun
from kancli.sweeps import table
from kancli.sweeps.plan import Job, Plan, read_plan, write_plan
from kancli.sweeps.product import MAX_JOBS
from tests.benchmarks.sweeps import UNIT
from tests.benchmarks.timing import ROOT, run, verdict

WORDS = ["-m", "init=default,linear", "noise_scale=0.1,1,2,3,4,5,6,7,8,9", "figures=none", "hydra.sweep.dir=template"]
MILLION = 10**6
MAX_GB = 2  # GB, a million jobs


def make_copies(
    template: Path, target: Path, count: int, first: int = 0, linked: Collection[int] | None = None
) -> None:
    """A sweep of so many jobs, each the copy of one of the template's.

    Args:
        first: its first seed.
        linked: the numbers of the jobs that have files; None for all.
    """
    plan = read_plan(template)
    target.mkdir()
    jobs = []
    for number in range(count):
        source = plan.jobs[number % len(plan.jobs)]
        if linked is None or number in linked:
            link(template / source.folder, target / str(number))
        words = [*source.words, f"seed={first + number // len(plan.jobs)}"]
        jobs.append(dataclasses.replace(source, number=number, folder=str(number), words=words))
    write_plan(
        dataclasses.replace(
            plan, folder=target, jobs=jobs, head={**plan.head, "swept": {**plan.head["swept"], "seed": []}}
        )
    )


def link(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        copy = target / os.path.relpath(folder, source)
        copy.mkdir(parents=True, exist_ok=True)
        for name in names:
            os.link(os.path.join(folder, name), copy / name)


def collect(folders: Sequence[Path], target: Path, count: int, program: Sequence[str] = ("-m", "kancli")) -> float:
    """The bytes of the largest process of `kan-run collect`."""
    start = time.perf_counter()
    argv = [sys.executable, *program, "collect", *map(str, folders), "-o", str(target)]
    child = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE)
    assert child.stdout is not None
    out = child.stdout.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    if status or f"{count} of {count} runs complete" not in out:
        raise RuntimeError(out)
    peak = usage.ru_maxrss * UNIT
    seconds = time.perf_counter() - start
    print(f"{count} jobs in {len(folders)} sweeps: {seconds:.1f} s, the largest process took {peak / 1e6:.0f} MB")
    return peak


def kan_run_on_copies(template: Path, words: Sequence[str]) -> int:
    """`kan-run` on sweeps of copies, whose files are not read but those of the template, once."""
    plan = read_plan(template)
    runs = [table._read_planned(plan, job) for job in plan.jobs]
    statistics = {id(run): table._read_statistics(run) for run, _ in runs if run is not None}

    def read_planned(_: Plan, job: Job):
        return runs[job.number % len(runs)]

    def read_statistics(run: RecordedRun):
        return statistics[id(run)]

    table._read_planned, table._read_statistics = read_planned, read_statistics
    return kan_run(words)


def check_whole_table(folder: Path, count: int) -> bool:
    """Whether a table of so many jobs, in sweeps of `MAX_JOBS`, written to its end, stays below the bound."""
    sweeps = [folder / str(number) for number in range(count // MAX_JOBS)]
    for number, sweep in enumerate(sweeps):
        seeds = MAX_JOBS // len(read_plan(folder / "template").jobs)
        make_copies(folder / "template", sweep, MAX_JOBS, number * seeds, linked=(0, MAX_JOBS - 1))
    program = ["-m", "tests.benchmarks.tables", "--template", str(folder / "template")]
    peak = collect(sweeps, folder / "table", count, program)
    return verdict(f"{count} jobs in {len(sweeps)} sweeps,", peak / 1e9, " GB", at_most=MAX_GB)


def check_estimate(folder: Path, jobs: int) -> bool:
    """Whether a million jobs would stay below the bound, by the growth of small tables."""
    for target, count in (("one", jobs), ("two", jobs), ("three", jobs), ("large", 3 * jobs)):
        make_copies(folder / "template", folder / target, count)
    alone = collect([folder / "one"], folder / "a", jobs)
    joined = collect([folder / small for small in ("one", "two", "three")], folder / "b", 3 * jobs)
    large = collect([folder / "large"], folder / "c", 3 * jobs)
    of_row, of_job = (joined - alone) / (2 * jobs), (large - alone) / (2 * jobs)
    print(f"{of_row / 1000:.2f} kB a row, and {(of_job - of_row) / 1000:.2f} kB a job of the plan that is read")
    peak = alone + of_row * MILLION + max(0.0, of_job - of_row) * MAX_JOBS
    return verdict("a million jobs in ten sweeps, estimated,", peak / 1e9, " GB", at_most=MAX_GB)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--jobs", type=int, default=6000, help="of a small sweep")
    parser.add_argument(
        "--whole", type=int, metavar="JOBS", help="write the table of so many, a million in eight minutes"
    )
    parser.add_argument("--template", type=Path, help=argparse.SUPPRESS)
    args, words = parser.parse_known_args()
    if args.whole and args.whole % MAX_JOBS:
        parser.error(f"--whole {args.whole}: allowed: a multiple of {MAX_JOBS}")
    if args.template:
        return kan_run_on_copies(args.template, words)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:
        run([sys.executable, "-m", "kancli", *WORDS], name, says="20 of 20 runs complete")
        folder = Path(name)
        kept = check_whole_table(folder, args.whole) if args.whole else check_estimate(folder, args.jobs)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
