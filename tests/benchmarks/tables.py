"""How the memory of `kan-run collect` grows with the jobs of a sweep, and what a million would take.

The jobs are copies of real ones: twenty are computed, and their files linked under other numbers.
"""

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from kancli.sweeps.plan import read_plan, write_plan
from kancli.sweeps.product import MAX_JOBS
from tests.benchmarks.sweeps import UNIT
from tests.benchmarks.timing import ROOT, run, verdict

WORDS = ["-m", "init=default,linear", "noise_scale=0.1,1,2,3,4,5,6,7,8,9", "figures=none", "hydra.sweep.dir=template"]
MILLION = 10**6


def copies(template: Path, target: Path, count: int) -> None:
    """A sweep of so many jobs, each the copy of one of the template's."""
    plan = read_plan(template)
    target.mkdir()
    jobs = []
    for number in range(count):
        source = plan.jobs[number % len(plan.jobs)]
        for folder, _, names in os.walk(template / source.folder):
            copy = target / str(number) / os.path.relpath(folder, template / source.folder)
            copy.mkdir(parents=True, exist_ok=True)
            for name in names:
                os.link(os.path.join(folder, name), copy / name)
        words = [*source.words, f"seed={number // len(plan.jobs)}"]
        jobs.append(dataclasses.replace(source, number=number, folder=str(number), words=words))
    write_plan(
        dataclasses.replace(
            plan, folder=target, jobs=jobs, head={**plan.head, "swept": {**plan.head["swept"], "seed": []}}
        )
    )


def collect(folders: Sequence[Path], target: Path, count: int) -> float:
    """The bytes of the largest process of `kan-run collect`."""
    start = time.perf_counter()
    argv = [sys.executable, "-m", "kancli", "collect", *map(str, folders), "-o", str(target)]
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--jobs", type=int, default=6000, help="of a small sweep")
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:
        folder = Path(name)
        run([sys.executable, "-m", "kancli", *WORDS], name, says="20 of 20 runs complete")
        for target, count in (("one", jobs), ("two", jobs), ("three", jobs), ("large", 3 * jobs)):
            copies(folder / "template", folder / target, count)
        alone = collect([folder / "one"], folder / "a", jobs)
        joined = collect([folder / small for small in ("one", "two", "three")], folder / "b", 3 * jobs)
        large = collect([folder / "large"], folder / "c", 3 * jobs)
    of_row, of_job = (joined - alone) / (2 * jobs), (large - alone) / (2 * jobs)
    print(f"{of_row / 1000:.2f} kB a row, and {(of_job - of_row) / 1000:.2f} kB a job of the plan that is read")
    million = alone + of_row * MILLION + max(0.0, of_job - of_row) * MAX_JOBS
    return 0 if verdict("a million jobs in ten sweeps,", million / 1e9, " GB", at_most=2) else 1


if __name__ == "__main__":
    sys.exit(main())
