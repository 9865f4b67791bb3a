"""Forward, traced, backward, ensembles and building, against pykan, inkan and efficient-kan's layer.

Each side is a process of its own that stays alive, but for efficient-kan's layer, which runs here beside ours; the two
of a row take turns of some runs each, after one that does not count, in which inkan and numba compile. float32, as
many threads on either side as torch takes here.
"""

import argparse
import sys

import torch

from tests.benchmarks.peers import add_arguments, network
from tests.benchmarks.timing import Here, Worker, compare

SHARED = f"""
import torch
torch.set_num_threads({torch.get_num_threads()})
torch.manual_seed(0)
x = torch.randn(1024, 64)
"""

KANCLI = (
    SHARED
    + """
from kancli.kan.base_functions import base_function
from kancli.inits.initialise import init_
from kancli.inits.reference import Reference
from kancli.kan.network import KAN
def network(width, grid=5, **more):
    return KAN(width, grid=grid, k=3, base_fun=base_function("silu"), base_name="silu", **more)
"""
)
WIDTH = [64, 128, 128, 10]


def built(side: str, grid: int = 5) -> str:
    """Code that builds a side's network. kancli's is as users get it: with the extra `fast`, its calls are numba's."""
    return SHARED + network(side, WIDTH, grid)


FORWARD = """
@torch.no_grad()
def work():
    model(x)
"""
GRADIENTS = """
x.requires_grad_()
def work():
    x.grad = None
    model.zero_grad()
    model(x).sum().backward()
"""
TRACE = """
def work():
    for layer in model.trace(x):
        layer.postacts
"""
TRACE_SPLINE = """
def work():
    for layer in model.trace(x):
        layer.postacts, layer.spline
"""

ENSEMBLE = (
    KANCLI
    + """
from kancli.stats.collector import Collector
x = torch.randn(100, 2)
def work():
    model = init_(network([2, 5, 1], n_members=1000), Reference(), seed=0)
    collector = Collector(model)
    collector.update(model.trace(x))
    return collector.compute()
"""
)
# A loop of 100 and its time tenfold: a loop of 1000 only takes longer. With the defaults each model saves itself.
PYKAN_LOOP = (
    SHARED
    + """
import contextlib, io, os, tempfile
from kan import KAN
os.chdir(tempfile.mkdtemp())
x = torch.randn(100, 2)
@torch.no_grad()
def work():
    for seed in range(100):
        with contextlib.redirect_stdout(io.StringIO()):
            model = KAN([2, 5, 1], grid=5, k=3, seed=seed, auto_save=AUTO_SAVE)
        model(x)
        found = [(y.mean(0), y.std(0), y.abs().mean(0), y.amin(0), y.amax(0)) for y in model.spline_postacts]
"""
)
BUILD = (
    KANCLI
    + """
from kancli.inits.efficient_kan import EfficientKan
def work():
    init_(network([1024, 3584, 3584]), EfficientKan(), seed=0)
"""
)
EFFICIENT_BUILD = SHARED + "from tests.oracles.efficient_kan import KAN\ndef work():\n    KAN([1024, 3584, 3584])\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, "pykan", "inkan")
    parser.add_argument("-n", "--runs", type=int, default=11, help="turns of each side of a row")
    parser.add_argument("--burst", type=int, default=7, help="runs in a turn")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    args = parser.parse_args()
    here, ours, efficient, pykan, inkan = sys.executable, *map(built, ("kancli", "efficient-kan", "pykan", "inkan"))
    no_acts = pykan + "model.save_act = False\n"  # it is True where nothing else is said
    rows = [
        ("forward, pykan save_act=False", args.pykan, no_acts + FORWARD, ours + FORWARD, 30, 1),
        ("forward, efficient-kan", here, efficient + FORWARD, ours + FORWARD, 3, 1),
        ("forward, inkan as it comes", args.inkan, inkan + FORWARD, ours + FORWARD, 1.2, 1),
        ("postacts traced, pykan save_act=True", args.pykan, pykan + FORWARD, ours + TRACE, 8, 1),
        ("postacts and splines traced, pykan save_act=True", args.pykan, pykan + FORWARD, ours + TRACE_SPLINE, 0, 1),
        ("forward and backward, efficient-kan", here, efficient + GRADIENTS, ours + GRADIENTS, 4, 1),
        ("forward and backward, inkan as it comes", args.inkan, inkan + GRADIENTS, ours + GRADIENTS, 1.2, 1),
        ("1000 seeds of [2,5,1], a pykan loop", args.pykan, PYKAN_LOOP.replace("AUTO_SAVE", "True"), ENSEMBLE, 100, 10),
        ("1000 seeds, auto_save off", args.pykan, PYKAN_LOOP.replace("AUTO_SAVE", "False"), ENSEMBLE, 0, 10),
        ("building [1024,3584,3584] by the same law, efficient-kan", here, EFFICIENT_BUILD, BUILD, 5, 1),
    ]  # fmt: skip
    kept = []
    for title, interpreter, peer, mine, least, factor in rows:
        if args.only not in title or interpreter is None:
            continue
        slow = "building" in title or "seeds" in title
        one_process = interpreter == here and not slow
        side = Here if one_process else Worker
        sides = [side(interpreter, peer, 0 if slow else args.burst), side(here, mine, 3 if slow else args.burst)]
        timed = {"peer": lambda sides=sides, factor=factor: factor * sides[0](), "kancli": sides[1]}
        kept.append(compare(title, timed, min(args.runs, 5) if slow else args.runs, at_least=least))
        for each in sides:
            each.close()
    if args.only in "forward, G = 200 against 5":
        sides = {f"G = {grid}": Worker(here, built("kancli", grid) + FORWARD, args.burst) for grid in (200, 5)}
        kept.append(compare("forward, G = 200 against 5", sides, args.runs, at_most=4))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
