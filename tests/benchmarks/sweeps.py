"""How long a sweep takes, files and table, against Hydra's basic launcher: with an empty task, and with the same jobs;
and whether memory grows with their number."""

import argparse
import resource
import sys
import tempfile
from functools import partial

from tests.benchmarks.timing import ROOT, compare, run, verdict

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of ru_maxrss
LAWS = ["init=default,linear", "noise_scale=0.1,1,2,3,4,5,6,7,8,9"]

# kancli's config, composed by Hydra alone, for a task that does nothing.
EMPTY = """
import hydra, sys

@hydra.main(version_base=None, config_path=sys.argv.pop(1), config_name="config")
def task(config):
    pass

task()
"""
BASIC = ["hydra/launcher=basic", "hydra/job_logging=default", "hydra.sweep.dir=sweep"]


def sweep(jobs, *words):
    """Seconds of a sweep of so many jobs, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "kancli", "-m", *LAWS, f"seed=range({jobs // 20})", *words]
        return run(argv, folder, says=f"{jobs} of {jobs} runs complete")[0]


def empty(jobs):
    """Seconds of as many jobs of Hydra's own that do nothing."""
    with tempfile.TemporaryDirectory() as folder:
        words = [LAWS[0], f"init.{LAWS[1]}", f"seed=range({jobs // 20})", *BASIC]
        argv = [sys.executable, "-c", EMPTY, str(ROOT / "configs"), "-m", *words]
        return run(argv, folder, says=f"#{jobs - 1}")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--jobs", type=int, default=1000, help="of the sweep that both make; 0 for none")
    parser.add_argument("--runs", type=int, default=3, help="of each side with an empty task")
    args = parser.parse_args()
    sweep(20)  # once, for the caches of the file system
    kept = []
    for count, least in ((100, 15), (300, 25)):
        sides = {"Hydra's basic launcher, empty task": partial(empty, count), "kan-run -m": partial(sweep, count)}
        kept.append(compare(f"{count} jobs", sides, args.runs, at_least=least))
    if args.jobs:
        kept += [_memory(args.jobs), _same_jobs(args.jobs)]
    return 0 if all(kept) else 1


def _memory(jobs):
    peaks = []
    for count in (jobs, 4 * jobs):
        sweep(count, "sweep.workers=1")
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * UNIT / 1e6)
        print(f"{count} jobs: the largest process took {peaks[-1]:.0f} MB")
    return verdict("MB for four times the jobs, over those for once", peaks[1] / peaks[0], at_most=1.1)


def _same_jobs(jobs):
    seconds = {"kancli's launcher": sweep(jobs), "Hydra's basic launcher": sweep(jobs, "hydra/launcher=basic")}
    for name, each in seconds.items():
        print(f"{name}: {jobs} jobs in {each:.1f} s, {jobs / each:.1f} a second")
    ratio = seconds["Hydra's basic launcher"] / seconds["kancli's launcher"]
    return verdict("ratio", ratio, at_least=20 if jobs >= 1000 else 0)


if __name__ == "__main__":
    sys.exit(main())
