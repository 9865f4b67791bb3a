"""How many jobs a second a sweep makes, files written, against Hydra's basic launcher; and whether memory grows with
their number."""

import argparse
import resource
import sys
import tempfile

from tests.benchmarks.timing import run, verdict

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of ru_maxrss
LAWS = ["-m", "init=default,linear", "noise_scale=0.1,1,2,3,4,5,6,7,8,9"]


def sweep(jobs, *words):
    """Seconds of a sweep of so many jobs, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "kancli", *LAWS, f"seed=range({jobs // 20})", *words]
        return run(argv, folder, says=f"{jobs} of {jobs} runs complete")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--jobs", type=int, default=1000, help="of the sweep that both make")
    jobs = parser.parse_args().jobs
    sweep(20)  # once, for the caches of the file system
    peaks = []
    for count in (jobs, 4 * jobs):
        sweep(count, "sweep.workers=1")
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * UNIT / 1e6)
        print(f"{count} jobs: the largest process took {peaks[-1]:.0f} MB")
    kept = verdict("MB for four times the jobs, over those for once", peaks[1] / peaks[0], at_most=1.1)
    seconds = {"kancli's launcher": sweep(jobs), "Hydra's basic launcher": sweep(jobs, "hydra/launcher=basic")}
    for name, each in seconds.items():
        print(f"{name}: {jobs} jobs in {each:.1f} s, {jobs / each:.1f} a second")
    kept &= verdict(
        "ratio", seconds["Hydra's basic launcher"] / seconds["kancli's launcher"], at_least=20 if jobs >= 1000 else 0
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
