"""What the statistics cost: beside the forward pass, on the way back, and for members in one call or one by one.

The two sides of a row take turns of some runs each, in this process. float32, as many threads as torch takes.
"""

import argparse
import resource
import subprocess
import sys

import numpy as np

from kancli.kan import compiled
from kancli.stats import kernels
from tests.benchmarks.timing import ROOT, Here, compare, verdict

NETWORK = """
import torch
from kancli.stats.collector import Collector
from kancli.stats.gradients import measure_gradients
from kancli.kan.base_functions import base_function
from kancli.inits.initialise import init_
from kancli.inits.reference import Reference
from kancli.kan.network import KAN
torch.manual_seed(0)
def network(width, grid=5, **more):
    model = KAN(width, grid=grid, k=3, base_fun=base_function("silu"), base_name="silu", **more)
    return init_(model, Reference(), seed=0)
"""
WIDE = (
    NETWORK
    + """
model = network([64, 128, 128, 10])
chunks = torch.randn(1024, 64).split(244)  # as memory.chunk_size has them
"""
)
TRACE = WIDE + "\ndef work():\n    for x in chunks:\n        [each.postacts for each in model.trace(x)]\n"
TRACE_SPLINES = TRACE.replace("each.postacts", "(each.postacts, each.spline)")
BASIC = (
    WIDE
    + """
def work():
    collector = Collector(model)
    for x in chunks:
        traces = model.trace(x)
        EDGES
        collector.update(traces)
        del traces
    collector.compute()
"""
)
BASIC_POSTACTS = BASIC.replace("EDGES", "[each.postacts for each in traces]")
BASIC_SPLINES = BASIC.replace("EDGES", "[(each.postacts, each.spline) for each in traces]")
FULL = (
    NETWORK
    + """
def measure(model, x):
    collector = Collector(model, level="full", n_first=1000)
    collector.update(model.trace(x))
    return collector.compute(measure_gradients(model, x))
"""
)
ONE = FULL + "\nmodel, x = network([2, 8, 8, 1]), torch.randn(256, 2)\ndef work():\n    measure(model, x)\n"
TOGETHER = (
    FULL
    + """
model, x = network([2, 8, 8, 1], n_members=100), torch.randn(100, 256, 2)
def work():
    measure(model, x)
"""
)
# As the definition reads: the Jacobian by automatic differentiation, then J J^T.
BY_TORCH_FUNC = (
    NETWORK
    + """
import warnings
from torch.func import functional_call, jacrev
warnings.simplefilter("ignore")
model, x = network([2, 8, 8, 1]), torch.randn(256, 2, dtype=torch.float64)
model = model.double()
parameters = {name: each.detach() for name, each in model.named_parameters()}
def work():
    by = jacrev(lambda given: functional_call(model, given, (x,)))(parameters)
    kernel = sum(torch.einsum("ncp,mcp->nm", each.flatten(2), each.flatten(2)) for each in by.values())
    torch.linalg.eigvalsh(kernel)
"""
)
KERNEL = (
    NETWORK + "\nmodel, x = network([2, 8, 8, 1]), torch.randn(256, 2)\ndef work():\n    measure_gradients(model, x)\n"
)
LARGE = NETWORK + "\nmeasure_gradients(network([2, 32, 32, 32, 1], grid=20), torch.randn(256, 2))\n"
WRITING = (
    WIDE
    + """
import shutil, tempfile
from pathlib import Path
from kancli.runs.folder import RunFolder
from kancli.runs.hashes import hash_of_statistics
from kancli.stats.stats_json import as_json
collector = Collector(model)
for x in chunks:
    collector.update(model.trace(x))
measured, _ = collector.compute()
def work():
    with tempfile.TemporaryDirectory() as parent:
        folder = RunFolder.create(Path(parent) / "run", {}, {})
        stats = as_json(measured, [], epsilon=1e-7, ensemble=False)
        folder.write_stats(stats)
        hash_of_statistics(stats)
        folder.close("complete")
        sizes.append(sum(folder.sizes[name] for name in ("stats.json", "edges.csv")))
sizes = []
"""
)
N_EDGES = 64 * 128 + 128 * 128 + 128 * 10


def is_warm():
    """Whether this process has measured so much that numba's kernels are in use, where there are any."""
    return kernels.loaded(np.zeros(1)) is not None or not compiled.is_available()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--runs", type=int, default=11, help="turns of each side of a row")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    args = parser.parse_args()
    rows = [
        ("stats=basic beside the trace, postacts and splines", BASIC_SPLINES, TRACE_SPLINES, {"at_most": 1.4}, 5),
        ("stats=basic beside the trace, postacts", BASIC_POSTACTS, TRACE, {}, 5),
        ("100 runs of [2,8,8,1] at full, one by one or in one call", ONE, TOGETHER, {"at_least": 10}, 1),
        ("kernel by torch.func, gradients and kernel here", BY_TORCH_FUNC, KERNEL, {}, 3),
    ]
    kept = []
    for title, first, second, bound, burst in rows:
        if args.only not in title:
            continue
        sides = [Here(sys.executable, code, burst) for code in (first, second)]
        while not is_warm():
            sides[0]()
        factor = 100 if "100 runs" in title else 1
        timed = {"first": lambda sides=sides, factor=factor: factor * sides[0](), "second": sides[1]}
        kept.append(compare(title, timed, args.runs, **bound))
    if args.only in "full on [2,8,8,1], 256 samples":
        kept.append(verdict("full on [2,8,8,1], 256 samples,", Here(sys.executable, ONE, 5)(), " s", at_most=0.3))
    if args.only in "statistics of an edge written":
        side = Here(sys.executable, WRITING, 5)
        microseconds = min(side() for _ in range(args.runs)) / N_EDGES * 1e6
        kept.append(verdict("statistics of an edge written,", microseconds, " µs", at_most=8))
        kept.append(verdict("on disk,", side.names["sizes"][0] / N_EDGES / 1000, " kB", at_most=0.5))
    if args.only in "memory of the kernel":
        subprocess.run([sys.executable, "-c", LARGE], cwd=ROOT, check=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        kept.append(verdict("kernel of [2,32,32,32,1], G = 20, peak memory,", peak, " GiB", at_most=2))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
