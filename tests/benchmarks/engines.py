"""What a sweep costs by each engine: seconds that all jobs share, and seconds a job more takes, on two cores.

    python -m tests.benchmarks.engines [ENGINE ...]

Two sweeps of [2,5,1] by each engine, of `--jobs` and of four times as many. Slurm is a cluster of this machine alone,
started by the superuser from Debian's slurm-wlm and munge; the extras slurm and ray are needed. Another row is the
training of networks by batches.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.timing import ROOT
from tests.sweeps.launchers.slurm_cluster import slurm_cluster

ENGINES = {"kancli": [], "ray": ["hydra/launcher=ray"], "slurm": ["hydra/launcher=submitit_slurm"]}
RUNS = ["init=default,linear", "noise_scale=0.1,1,2,3,4", "figures=none"]
TRAINING = ["task=f1", "width=in-8-8-out", "train.steps=2000", "stats=none", "activations.n=0", "figures=none"]


def seconds(words: list[str], jobs: int, env: dict[str, str], folder: Path) -> float:
    """The time of a sweep."""
    argv = [sys.executable, "-m", "kancli", "-m", *words, f"hydra.sweep.dir={folder / f'sweep-{jobs}'}"]
    start = time.perf_counter()
    done = subprocess.run(argv, cwd=folder, env={**env, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    if f"{jobs} of {jobs} runs complete" not in done.stdout:
        raise RuntimeError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
    return time.perf_counter() - start


def row(engine: str, jobs: int, env: dict[str, str], folder: Path) -> str:
    few, many = (seconds([*RUNS, f"seed=range({n // 10})", *ENGINES[engine]], n, env, folder) for n in (jobs, 4 * jobs))
    each = (many - few) / (3 * jobs)
    return f"{engine:<10} {few - jobs * each:6.1f} s and {1000 * each:5.1f} ms a job, {1 / each:5.0f} jobs a second"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"of {', '.join(ENGINES)}, training; default: all")
    parser.add_argument("--jobs", type=int, default=500)
    given = parser.parse_args()
    for engine in given.engines or [*ENGINES, "training"]:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:  # Slurm still writes as it ends
            folder, env = Path(name), dict(os.environ)
            if engine == "training":
                taken = [seconds([*TRAINING, f"seed=range({n})"], n, env, folder) for n in (20, 80)]
                print(f"{engine:<10} {(taken[1] - taken[0]) / 60:6.2f} s a network of 2000 steps", flush=True)
            elif engine == "slurm":
                with slurm_cluster(folder / "slurm") as env:
                    print(row(engine, given.jobs, env, folder), flush=True)
            else:
                print(row(engine, given.jobs, env, folder), flush=True)


if __name__ == "__main__":
    main()
