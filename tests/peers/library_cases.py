"""Models of a library with what it computes, as tests/golden/bridges/LIBRARY.npz: by hand, where it is installed.

`python tests/peers/library_cases.py LIBRARY OUT.npz` with inkan 0.5.2, pykan 0.0.5 or jaxKAN 0.3.7 and kancli on the
path. It prints how live models fare, and fails where they do not: read, written to the bit, initialised in place.

Arrays are named CASE/state/TENSOR, CASE/x, CASE/y and CASE/LAYER/postacts `[n, i, o]`. The case `trained` has the
losses of 200 steps of Adam from the parameters that `kancli.initialise(model, "power_law", seed=3)` gives.
"""

import sys

import numpy as np
import torch

import kancli

STEPS, LEARNING_RATE = 200, 0.01


def samples(n_in, n=40):
    """On and off the grid."""
    return np.random.default_rng(n_in).normal(size=(n, n_in)).astype(np.float32)


def target(x):
    return (np.sin(2 * x[:, :1]) + np.tanh(x[:, 1:])).astype(np.float32)


def inkan_cases():
    from inkan import KANNetwork  # pyright: ignore[reportMissingImports]
    from inkan.basis import bspline_basis_eager  # pyright: ignore[reportMissingImports]

    def build(width, **options):
        return KANNetwork(width, compile_basis=False, **options)

    def edges(layer, x):
        bases = bspline_basis_eager(x, layer.grid_starts, layer.inv_h, layer.n_bases)
        spline = torch.einsum("nik,oik->nio", bases, layer.spline_weight)
        return spline + torch.nn.functional.silu(x).unsqueeze(-1) * layer.base_weight.T

    def postacts(model, x):
        found = []
        for layer in model.layers:
            found.append(edges(layer, x))
            x = layer(x)
        return found

    for name, width, options in (("plain", [2, 3, 2], {}), ("range", [3, 2], {"grid_size": 8, "grid_range": (-2, 1)})):
        yield name, lambda: build(width, **options), lambda model: None, postacts  # noqa: B023
    yield "trained", lambda: build([2, 3, 1]), lambda model: None, postacts


def inkan_in_float64():
    """On a fine grid the rounding of positions to float32 shows in the outputs: what the library computes in float64,
    as `double/y` and `double/0/postacts` from `double/state`, and in float32, `double/y32`."""
    from inkan import KANNetwork  # pyright: ignore[reportMissingImports]
    from inkan.basis import bspline_basis_eager  # pyright: ignore[reportMissingImports]

    def build(dtype):
        torch.set_default_dtype(dtype)
        torch.manual_seed(0)
        return KANNetwork([3, 2], grid_size=50, grid_range=(-2, 1), compile_basis=False)

    double, single = build(torch.float64), build(torch.float32)
    x = torch.from_numpy(samples(3))
    with torch.no_grad():
        single.layers[0].weight.copy_(double.layers[0].weight)
        double.layers[0].weight.copy_(single.layers[0].weight)
        layer = double.layers[0]
        bases = bspline_basis_eager(x.double(), layer.grid_starts, layer.inv_h, layer.n_bases)
        edges = torch.einsum("nik,oik->nio", bases, layer.spline_weight)
        edges += torch.nn.functional.silu(x.double()).unsqueeze(-1) * layer.base_weight.T
        y, y32 = double(x.double()), single(x)
    found = {"x": x.double(), "y": y, "0/postacts": edges, "y32": y32}
    found |= {f"state/{name}": tensor for name, tensor in double.state_dict().items()}
    return {f"double/{name}": tensor.numpy() for name, tensor in found.items()}


def pykan_cases():
    from kan import KAN

    def postacts(model, x):
        model(x)
        return [values.transpose(1, 2) for values in model.spline_postacts]

    def change(model):
        with torch.no_grad():
            model.act_fun[0].mask[1] = 0
            for linear in model.biases:
                linear.weight += torch.randn_like(linear.weight)

    def update(model):
        model(torch.from_numpy(samples(3)))
        model.update_grid_from_samples(torch.from_numpy(samples(3)))

    yield "plain", lambda: KAN(width=[2, 3, 2], grid=5, k=3, noise_scale=2.0, seed=1), change, postacts
    yield "updated", lambda: KAN(width=[3, 2], grid=8, k=2, noise_scale=2.0, seed=2), update, postacts
    yield "trained", lambda: KAN(width=[2, 3, 1], grid=5, k=3), lambda model: None, postacts


def jaxkan_cases():
    from jaxkan.models.KAN import KAN  # pyright: ignore[reportMissingImports]

    def edges(layer, x):
        """By the layer's own bases, which a BaseLayer has for each edge."""
        bases, coef = np.asarray(layer.basis(x)), np.asarray(layer.c_basis[...])
        if coef.ndim == 2:
            spline = np.einsum("ek,ekn->ne", coef, bases).reshape(len(x), layer.n_out, layer.n_in)
        else:
            spline = np.einsum("oik,nik->noi", coef, bases)
        if layer.c_spl is not None:
            spline = spline * np.asarray(layer.c_spl[...])
        if layer.residual is not None:
            spline = spline + np.asarray(layer.c_res[...]) * np.asarray(layer.residual(x))[:, None, :]
        return spline.swapaxes(1, 2)

    def postacts(model, x):
        found = []
        for layer in model.layers:
            found.append(edges(layer, x))
            x = layer(x)
        return found

    def change(model):
        for layer in model.layers:
            for name in ("bias", "c_spl"):
                if (variable := getattr(layer, name)) is not None:
                    old = variable[...]
                    new = np.random.default_rng(old.size).normal(size=old.shape)
                    variable[...] = old.at[...].set(new.astype(np.float32))

    def update(model):
        change(model)
        model.update_grids(samples(3), 8)

    sizes = {"k": 3, "G": 5}
    bare = {"k": 2, "G": 6, "residual": None, "external_weights": False, "add_bias": False}
    yield "base", lambda: KAN([2, 3, 2], "base", sizes), change, postacts
    yield "base updated", lambda: KAN([3, 2], "base", {"k": 3, "G": 8}), update, postacts
    yield "spline updated", lambda: KAN([3, 2], "spline", {"k": 3, "G": 8}), update, postacts
    yield "bare", lambda: KAN([2, 3, 2], "spline", bare), change, postacts
    yield "trained", lambda: KAN([2, 3, 1], "spline", sizes), lambda model: None, postacts


CASES = {"inkan": inkan_cases, "pykan_0_0_5": pykan_cases, "jaxkan": jaxkan_cases}


def state_of(library, model):
    if library != "jaxkan":
        return {name: tensor.detach().clone().numpy() for name, tensor in model.state_dict().items()}
    state = {}
    for number, layer in enumerate(model.layers):
        for name in ("c_basis", "c_res", "c_spl", "bias"):
            if getattr(layer, name, None) is not None:
                state[f"layers.{number}.{name}"] = np.array(getattr(layer, name)[...])
        state[f"layers.{number}.grid.item"] = np.array(layer.grid.item)
    return state


def train_torch(model, x, y):
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    losses = []
    for step in range(STEPS + 1):
        loss = (model(x) - y).square().mean()
        losses.append(loss.item())
        if step < STEPS:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return losses


def train_jax(model, x, y):
    import optax  # pyright: ignore[reportMissingImports]
    from flax import nnx  # pyright: ignore[reportMissingImports]

    optimiser = nnx.Optimizer(model, optax.adam(LEARNING_RATE), wrt=nnx.Param)
    step = nnx.jit(nnx.value_and_grad(lambda model: ((model(x) - y) ** 2).mean()))
    losses = []
    for _ in range(STEPS):
        loss, gradients = step(model)
        losses.append(float(loss))
        optimiser.update(model, gradients)
    return [*losses, float(((model(x) - y) ** 2).mean())]


def main(library, path):
    found = inkan_in_float64() if library == "inkan" else {}
    to_array = (lambda x: x) if library == "jaxkan" else torch.from_numpy
    for name, build, change, postacts in CASES[library]():
        torch.manual_seed(0)
        model = build()
        change(model)
        if name == "trained":
            assert kancli.initialise(model, "power_law", seed=3) is model
        state = state_of(library, model)
        x = samples(kancli.read(model).width[0])
        y = model(to_array(x))
        found |= {f"{name}/state/{tensor}": values for tensor, values in state.items()}
        found |= {f"{name}/x": x, f"{name}/y": np.asarray(y.detach() if library != "jaxkan" else y)}
        for number, edges in enumerate(postacts(model, to_array(x))):
            found[f"{name}/{number}/postacts"] = edges if library == "jaxkan" else edges.detach().numpy()

        ours, other = kancli.read(model), build()
        distance = np.abs(ours(torch.from_numpy(x)).detach().numpy() - found[f"{name}/y"]).max()
        print(library, name, "outputs agree to", distance / np.abs(found[f"{name}/y"]).max())
        kancli.write(ours, other)
        written = state_of(library, other)
        different = [tensor for tensor in state if not np.array_equal(state[tensor], written[tensor])]
        assert all("affine" in tensor for tensor in different), different
        if name == "trained":
            losses = (train_jax if library == "jaxkan" else train_torch)(model, to_array(x), to_array(target(x)))
            found["trained/losses"] = np.array(losses)
    np.savez_compressed(path, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
