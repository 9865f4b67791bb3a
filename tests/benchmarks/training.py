"""Steps of training against jaxKAN 0.3.7 (Rigas, Papachristou) and pykan 0.2.8, and the losses of jaxKAN against ours.

Each side is a process that stays alive; the two of a row take turns of some steps each. float32, Adam, full batches;
ours trains some members together, and its time is divided by their number. A process takes as many threads as its
library does; `--one-core` binds all of them to one, where a busy machine disturbs less.
"""

import argparse
import json
import os
import subprocess
import sys

import numpy as np

from tests.benchmarks.timing import ROOT, Worker, compare

MEMBERS = 8

OURS = """
import torch
from kancli.training.engine import Engine
from kancli.training.options import Train
from tests.training.networks import burgers, kan, regression
def work_of(width, grid, data, compiled, members):
    train = Train(optimizer="adam").resolved(task=True)
    model = kan(width, grid=grid, n_members=members, dtype=torch.float32, bias=True, size=0.2)
    engine = Engine(model, data, train, list(range(members)), None, compiled=compiled)
    return lambda: engine.advance(0, 1)
"""

THEIRS = """
import jax, jax.numpy as jnp, numpy as np, optax
from flax import nnx
from jaxkan.models.KAN import KAN
from jaxkan.pikan import pde
def network(width, grid, kind="spline"):  # its fastest layer, and that of the study by its authors
    shape = {"k": 3, "G": grid, "grid_range": (-1, 1), "grid_e": 1.0}
    return KAN(layer_dims=list(width), layer_type=kind, required_parameters=shape, seed=0)
def regression(model, x, y, lr=1e-3):
    optimizer = nnx.Optimizer(model, optax.adam(lr), wrt=nnx.Param)
    @nnx.jit
    def step(model, optimizer, x, y):
        loss, grads = nnx.value_and_grad(lambda model: jnp.mean((model(x) - y) ** 2))(model)
        optimizer.update(model, grads)
        return loss
    return lambda: step(model, optimizer, x, y).block_until_ready()
def equation(model, points, x, y, lr=1e-3, nu=0.1):
    optimizer, residual = nnx.Optimizer(model, optax.adam(lr), wrt=nnx.Param), pde.get_burgers_res(nu)
    @nnx.jit
    def step(model, optimizer, weights, points, x, y):
        def loss_of(model, weights):
            r = residual(model, points)
            weights = 0.999 * weights + 0.01 * jnp.abs(r) / jnp.max(jnp.abs(r))
            return jnp.mean((weights * r) ** 2) + jnp.mean((model(x) - y) ** 2), weights
        (loss, weights), grads = nnx.value_and_grad(loss_of, has_aux=True)(model, weights)
        optimizer.update(model, grads)
        return loss, weights
    state = [None, jnp.ones((len(points), 1))]
    def work():
        state[:] = step(model, optimizer, state[1], points, x, y)
        return state[0].block_until_ready()
    return work
"""

RANDOM = """
draw = np.random.default_rng(0)
x = jnp.asarray(draw.uniform(-1, 1, (4000, 2)), dtype=jnp.float32)
work = regression(network({width}, {grid}), x, jnp.sin(x[:, :1] + x[:, 1:]))
"""
MESH = """
t, s = (part.ravel() for part in np.meshgrid(np.linspace(0, 1, 64), np.linspace(-1, 1, 64), indexing="ij"))
points = jnp.asarray(np.stack([t, s], 1), dtype=jnp.float32)
work = equation(network((2, 8, 8, 1), 5), points, points[:64], -jnp.sin(jnp.pi * points[:64, 1:]))
"""

PYKAN = """
import contextlib, io, torch
from kan import KAN
from tests.training.networks import regression
data = regression(n=1000)
parts = {"train": data.train, "test": data.test}
dataset = {f"{name}_{kind}": getattr(part, key).float() for name, part in parts.items()
           for kind, key in (("input", "x"), ("label", "y"))}
model = KAN(width=[2, 5, 1], grid=5, k=3, auto_save=False)
def work():
    with contextlib.redirect_stderr(io.StringIO()):
        model.fit(dataset, opt="Adam", steps=100, lr=1e-3, update_grid=False)
"""
FIT = """
import kancli
from tests.training.networks import regression
data = regression(n=1000)
parts = {"train": data.train, "test": data.test}
dataset = {f"{name}_{kind}": getattr(part, key).float() for name, part in parts.items()
           for kind, key in (("input", "x"), ("label", "y"))}
model = kancli.KAN(width=[2, 5, 1], grid=5, k=3)
def work():  # so many steps that the kernels are chosen
    model.fit(dataset, opt="Adam", steps=1000, lr=1e-3, update_grid=False)
"""

LOSSES = """
import json, sys
given = {name: jnp.asarray(value) for name, value in np.load(sys.argv[1]).items()}
model = network((2, 5, 1), 5, "base")
for number, layer in enumerate(model.layers):
    coef = given[f"layers.{number}.coef"]  # [i, o, K]
    layer.c_basis[...] = coef.transpose(1, 0, 2).reshape(-1, coef.shape[-1])
    layer.c_spl[...], layer.c_res[...] = given[f"layers.{number}.scale_sp"].T, given[f"layers.{number}.scale_base"].T
    layer.bias[...] = given[f"layers.{number}.bias"]
if "points" in given:
    work = equation(model, given["points"], given["x"], given["y"], lr=1e-3)
else:
    work = regression(model, given["x"], given["y"], lr=1e-3)
print(json.dumps([float(work()) for _ in range(200)]))
"""


def steps(title: str, ours: str, theirs: str, interpreter: str, runs: int, *, at_least: float) -> bool:
    """Time a step of jaxKAN against ours a model."""
    workers = Worker(interpreter, THEIRS + theirs, 2), Worker(sys.executable, OURS + ours, 4)
    sides = {"jaxKAN": workers[0], "kancli, a model": lambda: workers[1]() / MEMBERS}
    try:
        return compare(title, sides, runs, at_least=at_least)
    finally:
        for worker in workers:
            worker.close()


def losses(interpreter: str, folder: str) -> bool:
    """Print by how much our losses over 200 steps differ from jaxKAN's, from the same parameters and data."""
    from kancli.kan import compiled
    from kancli.training.fit import fit_
    from kancli.training.options import Train
    from tests.training.networks import burgers, kan, regression

    kept = True
    for name, data in (("regression", regression(n=500)), ("Burgers", burgers(n=16))):
        for kernel in (False, True) if compiled.is_available() else (False,):
            model = kan((2, 5, 1), bias=True, size=0.2).float()
            given = {key: tensor.detach().numpy().copy() for key, tensor in model.named_parameters()}
            samples = data.train if name == "regression" else data.boundary
            given |= {"x": samples.x.float().numpy(), "y": samples.y.float().numpy()}
            given |= {"points": data.collocation.float().numpy()} if name == "Burgers" else {}
            path = os.path.join(folder, "given.npz")
            np.savez(path, **given)
            argv = [interpreter, "-W", "ignore", "-c", THEIRS + LOSSES, path]
            theirs = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
            train = Train(optimizer="adam", lr=1e-3, steps=200, every=1, compile=kernel)
            result = fit_(model, data, train)
            ours = [float(row.train_loss) for row in result.rows[:-1]]
            worst = max(abs(a / b - 1) for a, b in zip(ours, theirs, strict=True))
            print(f"{name}, 200 steps by {result.kernel}: losses differ by {worst:.1e} at most, wanted 1e-4")
            kept &= worst < 1e-4
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jaxkan", help="a python that has jaxkan==0.3.7")
    parser.add_argument("--pykan", help="a python that has pykan==0.2.8, and kancli's dependencies")
    parser.add_argument("-n", type=int, default=5, help="turns of each side")
    parser.add_argument("--one-core", action="store_true", help="bind all processes to one core")
    parser.add_argument("--folder", default=".", help="where the data for jaxKAN's losses go")
    given = parser.parse_args()
    if given.one_core:
        os.sched_setaffinity(0, {0})
        os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["PYTHONPATH"] = str(ROOT)
    kept = True
    small, big = ((2, 8, 8, 1), 5), ((2, 32, 32, 32, 1), 20)
    if given.jaxkan:
        kept &= losses(given.jaxkan, given.folder)
        for width, grid in (small, big):
            for compiled, wanted in ((True, 12), (False, 4)):
                ours = f"work = work_of({width}, {grid}, regression(n=4000), {compiled}, {MEMBERS})\n"
                title = f"{list(width)}, G={grid}, 4000 samples, {'numba' if compiled else 'torch'}"
                theirs = RANDOM.format(width=width, grid=grid)
                kept &= steps(title, ours, theirs, given.jaxkan, given.n, at_least=wanted)
        ours = f"work = work_of((2, 8, 8, 1), 5, burgers(n=64), True, {MEMBERS})\n"
        kept &= steps("Burgers, [2,8,8,1], G=5, 64 x 64", ours, MESH, given.jaxkan, given.n, at_least=5)
    if given.pykan:
        workers = (
            Worker(given.pykan, f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + PYKAN, 1),
            Worker(sys.executable, FIT, 3),
        )
        kept &= compare(
            "fit, [2,5,1], 1000 samples, 100 steps",
            {"pykan": workers[0], "kancli, a tenth of 1000 steps": lambda: workers[1]() / 10},
            given.n,
            at_least=30,
        )
        for worker in workers:
            worker.close()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
