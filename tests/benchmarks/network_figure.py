"""How long the network figure takes, against `model.plot()` of pykan.

Each drawing is the first of a fresh process; the clock starts after the imports and a forward pass, and stops when
the figure is a PNG file.
"""

import argparse
import json
import statistics
import sys
import tempfile
from functools import partial

from kancli.figures.options import NAMES
from tests.benchmarks.timing import compare, run

KANCLI = """
import json, sys, time
import torch
import kancli.figures.network, kancli.stats.collector
from kancli import KAN

width = json.loads(sys.argv[1])
model = KAN(width=width, grid=5, k=3, seed=0)
torch.manual_seed(0)
model(torch.randn(100, width[0]))
start = time.perf_counter()
model.plot().savefig("network.png", dpi=150)
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


LARGE = """
import sys, time
import torch
import kancli.figures.network, kancli.stats.collector
from kancli import KAN

model = KAN(width=[64, 64, 64, 10], grid=5, k=3, seed=0)
torch.manual_seed(0)
model(torch.randn(100, 64))
start = time.perf_counter()
model.plot().savefig("network.png", dpi=150)
print("seconds", time.perf_counter() - start)
"""

# The default case's figures, as a run draws them: all that figures=default names, and figures=all.
RUN = """
import sys, time
from kancli.config.compose import settings_of
from kancli.figures import render as figures
from kancli.runs import experiment
from kancli.runs.build import laws_of
from kancli.figures.data import FigureData
from kancli.inits import SCHEMES

settings = settings_of({"stats": {"level": "full"}, "figures": {"names": sys.argv[1].split(",")}})
result = experiment.compute(settings)
laws = laws_of(settings, result.model)
start = time.perf_counter()
scene = FigureData(result.figure_model, result.ranges, result.stats, result.activations, laws)
for _ in figures.render_files(scene, settings.figures):
    pass
print("seconds", time.perf_counter() - start)
"""


def seconds(interpreter, code, argument):
    """The time that one drawing process measures."""
    with tempfile.TemporaryDirectory() as folder:
        _, output = run(
            [interpreter, "-c", code, argument if isinstance(argument, str) else json.dumps(argument)],
            folder,
            says="seconds ",
        )
    return float(output.rpartition("seconds ")[2])


def alone(name, code, argument, runs, at_most):
    """Say what one of our drawings takes, imports of matplotlib included, against its goal."""
    median = statistics.median(seconds(sys.executable, code, argument) for _ in range(runs))
    print(f"{name}: {median:.2f} s, goal {at_most} s")
    return median <= at_most


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, metavar="PYTHON", help="the interpreter of an environment with pykan")
    parser.add_argument("-n", "--runs", type=int, default=3, help="of each side at [2, 5, 1]")
    parser.add_argument("--large-runs", type=int, default=2, help="of each side at [4, 10, 10, 1]")
    args = parser.parse_args()
    kept = []
    for width, runs, least in (([2, 5, 1], args.runs, 20), ([4, 10, 10, 1], args.large_runs, 60)):
        sides = {
            "pykan": partial(seconds, args.peer, PYKAN, width),
            "kancli": partial(seconds, sys.executable, KANCLI, width),
        }
        kept.append(compare(f"network figure of {width}", sides, runs, at_least=least))
    kept.append(alone("network figure of [64, 64, 64, 10]", LARGE, None, args.runs, 3.0))
    kept.append(alone("figures=default of the default case", RUN, "network", args.runs, 0.6))
    alone("figures=all of the default case", RUN, ",".join(NAMES), args.runs, 0.6)
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
