"""How long the network figure takes, against `model.plot()` of pykan.

Each drawing is the first of a fresh process; the clock starts after the imports and a forward pass, and stops when
the figure is a PNG file.
"""

import argparse
import json
import sys
import tempfile
from functools import partial

from tests.benchmarks.timing import compare, run

KANCLI = """
import json, pathlib, sys, time
import torch
import kancli.figures.network, kancli.stats
from kancli import KAN
from kancli.figures import png

width = json.loads(sys.argv[1])
model = KAN(width=width, grid=5, k=3, seed=0)
torch.manual_seed(0)
model(torch.randn(100, width[0]))
start = time.perf_counter()
pathlib.Path("network.png").write_bytes(png(model.plot(), 150))
print("seconds", time.perf_counter() - start)
"""

PYKAN = """
import json, sys, time
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from kan import KAN

width = json.loads(sys.argv[1])
model = KAN(width=list(width), grid=5, k=3, seed=0, auto_save=False)
torch.manual_seed(0)
model(torch.randn(100, width[0]))
start = time.perf_counter()
model.plot(folder="figures")
plt.gcf().savefig("network.png", dpi=150)
print("seconds", time.perf_counter() - start)
"""


def seconds(interpreter, code, width):
    """The time that one drawing process measures."""
    with tempfile.TemporaryDirectory() as folder:
        _, output = run([interpreter, "-c", code, json.dumps(width)], folder, says="seconds ")
    return float(output.rpartition("seconds ")[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, metavar="PYTHON", help="the interpreter of an environment with pykan")
    parser.add_argument("-n", "--runs", type=int, default=3, help="of each side at [2, 5, 1]")
    parser.add_argument("--large-runs", type=int, default=2, help="of each side at [4, 10, 10, 1]")
    args = parser.parse_args()
    kept = []
    for width, runs, least in (([2, 5, 1], args.runs, 12), ([4, 10, 10, 1], args.large_runs, 50)):
        sides = {
            "pykan": partial(seconds, args.peer, PYKAN, width),
            "kancli": partial(seconds, sys.executable, KANCLI, width),
        }
        kept.append(compare(f"network figure of {width}", sides, runs, at_least=least))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
