"""The highest resident size of `kan-run` over widths, samples, members, grids and figures, against its estimate."""

import os
import subprocess
import sys
import tempfile

from kancli.config.compose import compose
from kancli.config.presets import Presets, builtin_folder
from kancli.config.validation import run_size

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of ru_maxrss
TOLERANCE = 0.25
CONFIGS = [
    "",
    "figures=none inputs.n=10",
    "figures=none inputs.n=1000000",
    "figures=none inputs.n=3000000",
    "figures=none inputs.n=1000000 activations.n=0",
    "figures=none inputs.n=1000000 dtype=float64",
    "figures=none inputs=uniform inputs.n=1000000 width=[20,5,1] activations.n=0",
    "figures=none inputs.n=1024 width=[64,128,128,10]",
    "figures=none inputs.n=100 width=[1024,1024]",
    "figures=none inputs.n=100000 width=[10,10,10]",
    "figures=none n_seeds=10000",
    "figures=none grid=100000",
    "figures=none grid=3000 init=pykan_0_2_8",
    "figures=none grid=1000 grid.adapt=samples inputs.n=1000",
    "figures=none grid=20 grid.adapt=pykan width=[10,64,1] inputs.n=20000",
    "figures=none stats=full width=[2,32,32,1] inputs.n=1000",
    "task=f2 width=in-16-16-out task.n=20000 train.steps=2 figures=none stats=none train.compile=false",
    "task=f2 width=in-16-16-out task.n=20000 train.steps=2 figures=none stats=none train.adapt_every=1",
    "task=burgers width=in-16-16-out train.steps=2 figures=none stats=none train.compile=false",
    "figures.scale=4 figures.dpi=600",
    "figures.scale=4 figures.dpi=300 width=[4,10,10,1]",
    "figures=all figures.dpi=600",
]


def peak(words):
    """The highest resident size of a run, in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "kancli", *words]
        process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, words
    return UNIT * usage.ru_maxrss


def main():
    presets = Presets([builtin_folder()])
    missed = 0
    print("| config | peak, GB | estimate, GB | difference |\n|---|---|---|---|")
    for config in CONFIGS:
        words = config.split()
        estimate, measured = run_size(compose(words, presets).settings).estimate(), peak(words)
        difference = estimate / measured - 1
        missed += abs(difference) > TOLERANCE
        print(f"| `{config}` | {measured / 1e9:.2f} | {estimate / 1e9:.2f} | {difference:+.0%} |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
