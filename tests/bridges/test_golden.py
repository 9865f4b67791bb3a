"""Models of inkan, pykan 0.0.5 and jaxKAN, recorded with their outputs by `tests/peers/library_cases.py`."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch

import kancli

GOLDEN = Path(__file__).parents[1] / "golden" / "bridges"
LIBRARIES = sorted(path.stem for path in GOLDEN.glob("*.npz"))


@functools.cache
def recorded(library):
    return dict(np.load(GOLDEN / f"{library}.npz"))


def cases():
    found = [(library, name) for library in LIBRARIES for name in {key.split("/")[0] for key in recorded(library)}]
    assert len(found) == 12
    return sorted(found)


def part(library, case, name):
    return recorded(library)[f"{case}/{name}"]


def state_of(library, case):
    """Copies of the tensors, arrays for jaxKAN."""
    start = f"{case}/state/"
    arrays = {key.removeprefix(start): values for key, values in recorded(library).items() if key.startswith(start)}
    if library == "jaxkan":
        return {name: values.copy() for name, values in arrays.items()}
    return {name: torch.from_numpy(values).clone() for name, values in arrays.items()}


@pytest.mark.parametrize(("library", "case"), cases())
def test_functions_are_the_librarys(library, case):
    ours = kancli.read(state_of(library, case))
    x, y = torch.from_numpy(part(library, case, "x")), part(library, case, "y")
    traces = ours.trace(x)
    assert (x.abs() > 1).any()
    np.testing.assert_allclose(traces[-1].output, y, rtol=0, atol=2e-6 * np.abs(y).max())
    for number, trace in enumerate(traces):
        edges = part(library, case, f"{number}/postacts")
        np.testing.assert_allclose(trace.postacts, edges, rtol=0, atol=2e-6 * np.abs(edges).max())


def test_on_a_fine_grid_float32_is_as_near_to_float64_as_the_librarys():
    """Positions of 50 intervals, rounded to float32, move the outputs of two programs apart by more than 2e-6."""
    y, theirs = part("inkan", "double", "y"), part("inkan", "double", "y32")
    state = state_of("inkan", "double")
    np.testing.assert_allclose(
        kancli.read(state)(torch.from_numpy(part("inkan", "double", "x"))).detach(), y, atol=1e-13
    )
    single = kancli.read({name: tensor.float() for name, tensor in state.items()})
    ours = single(torch.from_numpy(part("inkan", "double", "x")).float()).detach().numpy()
    size = np.abs(y).max()
    assert np.abs(ours - y).max() <= min(2e-6 * size, 1.5 * np.abs(theirs - y).max())


@pytest.mark.parametrize(("library", "case"), cases())
def test_a_round_trip_keeps_every_bit(library, case):
    state, target = state_of(library, case), state_of(library, case)
    for name, values in target.items():
        if not name.endswith(("grid_starts", "affine")):  # fixed in the library; not used
            values *= 2 if "grid" in name else 0
    assert kancli.write(kancli.read(state), target) is target
    assert target.keys() == state.keys()
    for name, values in state.items():
        np.testing.assert_array_equal(target[name], values, err_msg=name)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("init", ["power_law", "glorot", "pykan_0_2_8"])
def test_initialise_gives_our_numbers(library, init):
    state = state_of(library, "trained")
    assert kancli.initialise(state, init, seed=11) is state
    drawn = kancli.KAN([2, 3, 1], init=init, seed=11)
    for theirs, ours in zip(kancli.read(state).layers, drawn.layers):
        torch.testing.assert_close(theirs.scale_base, ours.scale_base, rtol=0, atol=0)
        if library == "inkan":
            torch.testing.assert_close(theirs.coef, ours.scale_sp.unsqueeze(-1) * ours.coef, rtol=0, atol=0)
            assert (theirs.scale_sp == 1).all()
        else:
            torch.testing.assert_close(theirs.scale_sp, ours.scale_sp, rtol=0, atol=0)
            torch.testing.assert_close(theirs.coef, ours.coef, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_training_from_there_gives_the_librarys_losses(library):
    live, state = state_of(library, "trained"), state_of(library, "trained")
    for name, values in kancli.initialise(state, "power_law", seed=3).items():  # as was done to the live model
        np.testing.assert_array_equal(values, live[name], err_msg=name)
    ours = kancli.read(state)
    for layer in ours.layers:
        if library == "pykan_0_0_5":  # it trains its biases, which are 0 at first
            layer.bias = torch.nn.Parameter(torch.zeros(layer.n_out))
    x = torch.from_numpy(part(library, "trained", "x"))
    y = torch.sin(2 * x[:, :1]) + torch.tanh(x[:, 1:])
    losses = part(library, "trained", "losses")
    steps = len(losses) - 1
    data = {"train_input": x, "train_label": y, "test_input": x, "test_label": y}
    curves = ours.fit(data, opt="Adam", lr=0.01, steps=steps, update_grid=False)
    np.testing.assert_allclose(np.square(curves["train_loss"]), losses[:-1], rtol=1e-3)
    np.testing.assert_allclose(np.square(curves["test_loss"][-1]), losses[-1], rtol=1e-3)
    assert losses[-1] < 0.2 * losses[0]
