"""How time and memory grow with samples, width, depth, G, members, jobs and steps: growth.csv, and growth.png from it.

Each point is a process of its own. A forward pass is timed without gradients, its first run left out; steps and jobs
with all that starting them takes. Memory is the highest resident size, libraries included. A line ends where a run
takes more than `--limit` seconds or the machine's memory. inkan is eager here: each point would compile for a minute.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import NETWORKS, PYKAN_OPTIONS, add_arguments, network, pythons
from tests.benchmarks.timing import ROOT

HERE = Path(__file__).parent
MOST_BYTES = 16e9  # of a process; more ends its line

MEASURE = """
import json, resource, statistics, sys, time
def seconds():
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
times = [seconds()]
while TIMES > len(times) and sum(times) < 2:
    times.append(seconds())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([statistics.median(times[1:] or times), peak]))
"""

DATA = "import torch\ntorch.manual_seed(0)\nx = 2 * torch.rand({samples}, {width}[0]) - 1\n"
FORWARD = "@torch.no_grad()\ndef work():\n    model(x)\n"
FORWARDS = {side: network(side, "{width}", "{grid}") for side in NETWORKS}
FORWARDS["pykan"] += "model.save_act = False\n"
FORWARDS["inkan"] = FORWARDS["inkan"].replace("spline_order=3", "spline_order=3, compile_basis=False")
MEMBERS = {
    "kancli": """
from kancli.inits.initialise import init_
from kancli.inits.reference import Reference
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.stats.collector import Collector
def work():
    model = KAN({width}, grid={grid}, k=3, base_fun=base_function("silu"), base_name="silu", n_members={members})
    collector = Collector(init_(model, Reference(), seed=0))
    collector.update(model.trace(x))
    collector.compute()
""",
    "pykan": "from kan import KAN\nimport contextlib, io\n@torch.no_grad()\ndef work():\n"
    "    for seed in range({members}):\n"
    "        with contextlib.redirect_stdout(io.StringIO()):\n"
    f"            model = KAN({{width}}, grid={{grid}}, k=3, seed=seed, {PYKAN_OPTIONS})\n        model(x)\n"
    "        found = [(y.mean(0), y.std(0), y.abs().mean(0), y.amin(0), y.amax(0)) for y in model.spline_postacts]\n",
}
FIT = (
    "import contextlib, io\ny = torch.sin(x.sum(1, keepdim=True))\n"
    "dataset = {{'train_input': x, 'train_label': y, 'test_input': x[:100], 'test_label': y[:100]}}\n"
    "def work():\n    with contextlib.redirect_stderr(io.StringIO()):\n"
    "        model.fit(dataset, opt='Adam', lr=1e-3, steps={steps}, update_grid=False)\n"
)
STEPS = {
    "kancli": FORWARDS["kancli"] + FIT,
    "pykan": network("pykan", "{width}", "{grid}") + FIT,
    "jaxKAN": """
import jax, jax.numpy as jnp, numpy as np, optax
from flax import nnx
from jaxkan.models.KAN import KAN
shape = {{"k": 3, "G": {grid}, "grid_range": (-1, 1), "grid_e": 1.0}}
x = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, ({samples}, {width}[0])), dtype=jnp.float32)
y = jnp.sin(x.sum(1, keepdims=True))
def work():
    model = KAN(layer_dims={width}, layer_type="spline", required_parameters=shape, seed=0)
    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
    @nnx.jit
    def step(model, optimizer):
        loss, gradients = nnx.value_and_grad(lambda model: jnp.mean((model(x) - y) ** 2))(model)
        optimizer.update(model, gradients)
        return loss
    for _ in range({steps}):
        loss = step(model, optimizer)
    loss.block_until_ready()
""",
}


@dataclass(frozen=True)
class Growth:
    """One panel: what grows, and what stays.

    Args:
        work: code by side, with names for what grows.
        times: runs of a point, the first left out; 1 counts the first.
    """

    title: str
    values: list[int]
    work: dict[str, str]
    of: Callable[[int], dict[str, Any]]  # value to what `work` is filled with
    times: int = 6

    def code(self, side: str, value: int) -> str:
        settings = {"samples": 1000, "width": [16, 16, 1], "grid": 5, "members": 1, "steps": 1, **self.of(value)}
        data = "" if side == "jaxKAN" else DATA
        tail = FORWARD if self.work is FORWARDS else ""
        return (data + self.work[side] + tail).format(**settings) + MEASURE.replace("TIMES", str(self.times))


SMALL = {"width": [2, 8, 8, 1]}
PANELS = {
    "samples": Growth("samples", [10, 100, 1000, 10**4, 10**5, 10**6], FORWARDS, lambda n: {"samples": n}),
    "width": Growth("nodes of a layer", [4, 16, 64, 256, 1024], FORWARDS,
                    lambda n: {"width": [n, n, n], "samples": 100}),
    "depth": Growth("layers", [1, 4, 16, 64, 256], FORWARDS, lambda depth: {"width": [16] * (depth + 1)}),
    "G": Growth("grid intervals G", [5, 20, 80, 320, 1280], FORWARDS, lambda grid: {"grid": grid}),
    "members": Growth("networks measured", [1, 10, 100, 1000, 10**4], MEMBERS,
                      lambda members: {"width": [2, 5, 1], "samples": 100, "members": members}, times=1),
    "steps": Growth("steps of Adam", [10, 100, 1000, 10**4], STEPS, lambda steps: {**SMALL, "steps": steps}, times=1),
}  # fmt: skip
JOBS = [1, 10, 100, 1000]
LAUNCHERS = {"kancli": [], "Hydra's basic launcher": ["hydra/launcher=basic"]}


def measured(argv: list[str], folder: str) -> tuple[float, float] | None:
    """The last line of a process, `[seconds, bytes]`; None if it failed, of memory or otherwise."""
    limited = f'ulimit -v {int(4 * MOST_BYTES / 1024)}; exec "$@"'  # jax reserves addresses that it does not use
    done = subprocess.run(["bash", "-c", limited, "-", *argv], cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def sweep_of(jobs: int, words: list[str], folder: str) -> tuple[float, float] | None:
    """A sweep of so many jobs, in a process that waits for it and tells what its largest process took."""
    argv = [sys.executable, "-m", "kancli", "-m", "init=default,linear" if jobs > 1 else "init=linear",
            f"seed=range({max(jobs // 2, 1)})", "figures=none", *words]  # fmt: skip
    code = f"import subprocess\ndef work():\n    subprocess.run({argv!r}, check=True, stdout=subprocess.DEVNULL)\n"
    code += MEASURE.replace("TIMES", "1").replace("RUSAGE_SELF", "RUSAGE_CHILDREN")
    return measured([sys.executable, "-c", code], folder)


def rows(python_of: dict[str, str], limit: float, only: str):
    """Measure each line, point by point."""
    for name, panel in PANELS.items():
        for side in panel.work if only in name else ():
            if side not in python_of:
                continue
            for value in panel.values:
                with tempfile.TemporaryDirectory() as folder:
                    point = measured([python_of[side], "-W", "ignore", "-c", panel.code(side, value)], folder)
                if point is None or point[1] > MOST_BYTES:
                    break
                yield {"against": name, "side": side, "value": value, "seconds": point[0], "bytes": point[1]}
                if point[0] > limit:
                    break
    for side, words in LAUNCHERS.items() if only in "jobs" else ():
        for jobs in JOBS:
            with tempfile.TemporaryDirectory() as folder:
                point = sweep_of(jobs, words, folder)
            if point is None:
                break
            yield {"against": "jobs", "side": side, "value": jobs, "seconds": point[0], "bytes": point[1]}
            if point[0] > limit:
                break


def draw(path: Path, points: list[dict[str, str]]) -> None:
    """Time above, memory below, a column for each thing that grows."""
    from matplotlib.figure import Figure

    from kancli.figures.style import LINES

    titles = {name: panel.title for name, panel in PANELS.items()} | {"jobs": "jobs of a sweep"}
    sides = list(dict.fromkeys(point["side"] for point in points))
    figure = Figure(figsize=(18, 6.4), layout="constrained")
    axes = figure.subplots(2, len(titles), sharex="col", sharey="row")
    for column, (name, title) in enumerate(titles.items()):
        for row, (key, unit) in enumerate((("seconds", 1), ("bytes", 1e9))):
            for number, side in enumerate(sides):
                line = [(float(point["value"]), float(point[key]) / unit) for point in points
                        if (point["against"], point["side"]) == (name, side)]  # fmt: skip
                if line:
                    axes[row, column].plot(*zip(*line), marker="os^Dvp"[number], color=LINES[number], label=side,
                                           linewidth=2.4 if side == "kancli" else 1.2, markersize=4)  # fmt: skip
            axes[row, column].set(xscale="log", yscale="log")
            axes[row, column].grid(alpha=0.3)
        axes[0, column].set_title(name)
        axes[1, column].set_xlabel(title)
    axes[0, 0].set_ylabel("time, s")
    axes[1, 0].set_ylabel("highest resident size, GB")
    handles = {line.get_label(): line for axis in axes.flat for line in axis.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), frameon=False)
    figure.savefig(path, dpi=90)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "pykan", "inkan", "jaxKAN")
    parser.add_argument("--limit", type=float, default=10, help="seconds of a run that end its line")
    parser.add_argument("--only", default="", help="panels whose name contains this")
    parser.add_argument("--draw", action="store_true", help="draw growth.csv again, and measure nothing")
    parser.add_argument("--folder", type=Path, default=HERE, help="where growth.csv and growth.png go")
    given = parser.parse_args()
    table = given.folder / "growth.csv"
    if not given.draw:
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["against", "side", "value", "seconds", "bytes"])
            writer.writeheader()
            for row in rows(pythons(given), given.limit, given.only):
                row |= {"seconds": f"{row['seconds']:.3g}", "bytes": f"{row['bytes']:.3g}"}
                print(*row.values(), flush=True)
                writer.writerow(row)
    with table.open() as file:
        draw(given.folder / "growth.png", list(csv.DictReader(file)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
