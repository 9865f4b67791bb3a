"""efficient-kan's models, by a restatement of the library: live, with and without the scale of the spline."""

import numpy as np
import pytest
import torch

import kancli
from tests.oracles.efficient_kan import KAN

OPTIONS = [
    {},
    {"scaler": False, "grid_size": 12, "grid_range": (-2, 1)},
    {"order": 2, "base_activation": torch.nn.GELU},
]


def updated(model, x):
    """The grids after samples."""
    for layer in model.layers:
        layer.update_grid(x)
        x = layer(x).detach()
    return model


@pytest.fixture(params=OPTIONS, ids=["default", "no scaler", "gelu"])
def model(request):
    torch.manual_seed(0)
    return KAN([2, 3, 2], **request.param)


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32))


@pytest.mark.parametrize("update", [False, True])
def test_functions_and_every_bit_of_a_round_trip(model, x, update):
    if update:
        updated(model, x)
    ours, other = kancli.read(model), updated(KAN([2, 3, 2], **options_of(model)), x)
    y = model(x).detach()
    assert (ours(x) - y).abs().max() <= 2e-6 * y.abs().max()
    for layer, trace in zip(model.layers, ours.trace(x)):
        edges = layer.edges(trace.preacts).detach()
        assert (trace.postacts - edges).abs().max() <= 2e-6 * edges.abs().max()
    assert kancli.write(ours, other) is other
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor), name


def options_of(model):
    layer = model.layers[0]
    return {
        "order": layer.order,
        "grid_size": layer.grid_size,
        "scaler": hasattr(layer, "spline_scaler"),
        "base_activation": type(layer.base_activation),
    }


def test_initialise_gives_our_numbers_in_place(model):
    parameters = list(model.parameters())
    pointers = [parameter.data_ptr() for parameter in parameters]
    assert kancli.initialise(model, "efficient_kan", seed=5, scale_noise=0.7) is model
    assert [parameter.data_ptr() for parameter in parameters] == pointers
    layer = model.layers[0]
    shape = {"grid": layer.grid_size, "k": layer.order, "grid_range": (layer.grid[0, layer.order].item(), 1)}
    drawn = kancli.KAN([2, 3, 2], **shape, init="efficient_kan", seed=5, scale_noise=0.7)
    for theirs, ours in zip(model.layers, drawn.layers):
        scaled = ours.coef if hasattr(theirs, "spline_scaler") else ours.scale_sp.unsqueeze(-1) * ours.coef
        assert torch.equal(theirs.base_weight, ours.scale_base.T)
        assert torch.equal(theirs.spline_weight, scaled.transpose(0, 1))


@pytest.mark.slow
def test_training_from_there_gives_the_same_losses(x):
    model = kancli.initialise(KAN([2, 3, 1]), "power_law", seed=3)
    ours = kancli.read(model)
    y = torch.sin(2 * x[:, :1]) + torch.tanh(x[:, 1:])
    curves = ours.fit(
        {"train_input": x, "train_label": y, "test_input": x, "test_label": y},
        opt="Adam", lr=0.01, steps=200, update_grid=False,
    )  # fmt: skip
    optimiser, losses = torch.optim.Adam(model.parameters(), lr=0.01), []
    for _ in range(200):
        optimiser.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        losses.append(loss.item())
        optimiser.step()
    np.testing.assert_allclose(np.square(curves["train_loss"]), losses, rtol=1e-3)
    assert losses[-1] < 0.5 * losses[0]


def test_a_network_of_the_size_for_mnist_is_examined():
    model = kancli.initialise(KAN([784, 64, 10]), "glorot", seed=1)
    x = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, (50, 784)).astype(np.float32))
    stats = kancli.examine(model, x)
    wanted = kancli.KAN([784, 64, 10], init="glorot", seed=1).stats(x)
    assert [layer["n_in"] for layer in stats["layers"]] == [784, 64]
    for theirs, ours in zip(stats["layers"], wanted["layers"]):
        assert theirs["spline_share"] == pytest.approx(ours["spline_share"], rel=1e-4)
