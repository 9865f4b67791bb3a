"""Forward, traced, backward, ensembles and building, against pykan, inkan and efficient-kan's layer.

Each side is a process of its own that stays alive, but for efficient-kan's layer, which runs here beside ours; the two
of a row take turns of some runs each, after one that does not count, in which inkan and numba compile. float32, as
many threads on either side as torch takes here. efficient-kan is not on the package index: its layer's algorithm (dense
Cox-de Boor recursion over extended knots, then two matrix products; Blealtan/efficient-kan,
`src/efficient_kan/kan.py`) is restated here.
"""

import argparse
import sys

import torch

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
# As users get it: in the wheel with the extra `fast`, calls of this size are numba's.
OURS = (
    SHARED
    + """
from kancli import KAN
model = KAN([64, 128, 128, 10], grid=GRID, k=3)
"""
)

EFFICIENT = (
    SHARED
    + """
import math
import torch.nn.functional as F
class Layer(torch.nn.Module):
    def __init__(self, n_in, n_out, grid=5, k=3):
        super().__init__()
        self.n_in, self.n_out, self.size, self.k = n_in, n_out, grid, k
        h = 2 / grid
        knots = (torch.arange(-k, grid + k + 1) * h - 1).expand(n_in, -1).contiguous()
        self.register_buffer("knots", knots)
        self.base = torch.nn.Parameter(torch.empty(n_out, n_in))
        self.spline = torch.nn.Parameter(torch.empty(n_out, n_in, grid + k))
        self.scaler = torch.nn.Parameter(torch.empty(n_out, n_in))
        torch.nn.init.kaiming_uniform_(self.base, a=math.sqrt(5))
        with torch.no_grad():
            noise = (torch.rand(grid + 1, n_in, n_out) - 0.5) * 0.1 / grid
            bases = self.bases(knots.T[k:-k]).transpose(0, 1)
            solution = torch.linalg.lstsq(bases, noise.transpose(0, 1)).solution
            self.spline.copy_(solution.permute(2, 0, 1))
            torch.nn.init.kaiming_uniform_(self.scaler, a=math.sqrt(5))
    def bases(self, x):
        t, x = self.knots, x.unsqueeze(-1)
        b = ((x >= t[:, :-1]) & (x < t[:, 1:])).to(x.dtype)
        for d in range(1, self.k + 1):
            b = (x - t[:, : -(d + 1)]) / (t[:, d:-1] - t[:, : -(d + 1)]) * b[:, :, :-1] + (
                t[:, d + 1 :] - x) / (t[:, d + 1 :] - t[:, 1:(-d)]) * b[:, :, 1:]
        return b
    def forward(self, x):
        weights = (self.spline * self.scaler.unsqueeze(-1)).view(self.n_out, -1)
        return F.linear(F.silu(x), self.base) + F.linear(self.bases(x).view(len(x), -1), weights)
def network(width):
    return torch.nn.Sequential(*(Layer(a, b) for a, b in zip(width, width[1:])))
model = network(WIDTH)
"""
)

PYKAN = (
    SHARED
    + """
from kan import KAN
model = KAN([64, 128, 128, 10], grid=5, k=3, seed=0, auto_save=False, symbolic_enabled=False)
"""
)

INKAN = (
    SHARED
    + """
import inkan
model = inkan.KANNetwork([64, 128, 128, 10], grid_size=5, spline_order=3)
"""
)

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
EFFICIENT_BUILD = EFFICIENT.replace("WIDTH", "[1, 1]") + "\ndef work():\n    network([1024, 3584, 3584])\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pykan", metavar="PYTHON", help="the interpreter of an environment with pykan 0.2.8")
    parser.add_argument("--inkan", metavar="PYTHON", help="the interpreter of an environment with inkan 0.5.2")
    parser.add_argument("-n", "--runs", type=int, default=11, help="turns of each side of a row")
    parser.add_argument("--burst", type=int, default=7, help="runs in a turn")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    args = parser.parse_args()
    ours, here = OURS.replace("GRID", "5"), sys.executable
    # save_act is True where nothing else is said
    efficient = EFFICIENT.replace("WIDTH", "[64, 128, 128, 10]")
    no_acts = PYKAN + "model.save_act = False\n"
    rows = [
        ("forward, pykan save_act=False", args.pykan, no_acts + FORWARD, ours + FORWARD, 30, 1),
        ("forward, efficient-kan", here, efficient + FORWARD, ours + FORWARD, 3, 1),
        ("forward, inkan as it comes", args.inkan, INKAN + FORWARD, ours + FORWARD, 1.2, 1),
        ("postacts traced, pykan save_act=True", args.pykan, PYKAN + FORWARD, ours + TRACE, 8, 1),
        ("postacts and splines traced, pykan save_act=True", args.pykan, PYKAN + FORWARD, ours + TRACE_SPLINE, 0, 1),
        ("forward and backward, efficient-kan", here, efficient + GRADIENTS, ours + GRADIENTS, 4, 1),
        ("forward and backward, inkan as it comes", args.inkan, INKAN + GRADIENTS, ours + GRADIENTS, 1.2, 1),
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
        sides = {f"G = {grid}": Worker(here, OURS.replace("GRID", grid) + FORWARD, args.burst) for grid in ("200", "5")}
        kept.append(compare("forward, G = 200 against 5", sides, args.runs, at_most=4))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
