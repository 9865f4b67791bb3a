"""Statistics of networks whose numbers are known: lines, identities, constants, flat edges."""

import math

import numpy as np
import pytest
import torch

from tests.stats.measuring import edges, model_of, reported


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(500, 2)))


def test_the_linear_case_is_linear(x):
    model = model_of([2, 5, 1], "identity", noise_scale=0, noise_scale_base=0)
    for layer in reported(model, x)["layers"]:
        assert layer["nonlinearity"]["max"] < 1e-12
        assert layer["spline_share"] == 0
        assert layer["roughness"] == {"mean": pytest.approx(1, abs=1e-12), "max": pytest.approx(1, abs=1e-12)}
        assert layer["monotone"] == 1
        for edge in edges(layer).values():
            assert edge["slope"] == pytest.approx(edge["scale_base"], rel=1e-12)
            assert edge["intercept"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("std", [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7])
@pytest.mark.parametrize("mean", [0.3, 0.6, -0.9])
def test_numbers_of_samples_that_hardly_vary_are_right_or_unknown(mean, std):
    """Against values centred before they are squared; what is below the rounding of the sums is null, with the reason.

    The nonlinearity of a narrow range is tiny: rounding must not make it look curved.
    """
    x = mean + std * torch.from_numpy(np.random.default_rng(0).normal(size=(400, 2)))
    model = model_of([2, 5], noise_scale=1.0)
    told = reported(model, x)
    (layer,) = told["layers"]
    post = model.trace(x)[0].postacts.numpy()
    n_known = {"postact_std": 0, "nonlinearity": 0}
    for (i, j), edge in edges(layer).items():
        phi, along = post[:, i, j] - post[:, i, j].mean(), x[:, i].numpy() - float(x[:, i].mean())
        residual = phi - along * (phi @ along) / (along @ along)
        wanted = {"postact_std": phi.std(), "nonlinearity": (residual @ residual) / (phi @ phi)}
        for name, value in wanted.items():
            if name == "postact_std" and value < 2e-6 * np.sqrt((post[:, i, j] ** 2).mean()):
                continue  # counts as 0: below 1e-6 of the branches' size
            if edge[name] is not None:
                n_known[name] += 1
                assert edge[name] == pytest.approx(value, rel=0.15, abs=2e-8 if name == "nonlinearity" else 0)
    if std >= 1e-4:
        assert n_known["postact_std"] == 10
    if std >= 1e-2:
        assert n_known["nonlinearity"] == 10
    if n_known["nonlinearity"] < 10:
        reason = "below the rounding of float64: the samples vary too little for their mean"
        assert told["reasons"]["layers.0.edges.nonlinearity"] == reason


def test_identity_edges_pass_the_signal_on_as_it_is(x):
    """One input, one output, phi(x) = x: every gain is 1, far from 0 too."""
    model = model_of([1, 1, 1, 1], "identity", noise_scale=0, noise_scale_base=0)
    for offset in (0, 1e6):
        told = reported(model, x[:, :1] + offset)
        for layer in told["layers"]:
            assert layer["gain"] == pytest.approx({"rms": 1, "variance": 1}, rel=1e-9)
            assert layer["effective_rank"] == 1
            assert layer["correlation"] == {"mean": None, "max": None}
        assert told["reasons"]["layers.0.correlation.mean"] == "there is no pair of nodes that vary"
        assert told["propagation"]["signal"] == pytest.approx(0, abs=1e-9)
        assert told["propagation"]["signal_ratio"] == pytest.approx(1, rel=1e-9)


def test_a_halving_layer_halves(x):
    model = model_of([2, 2, 2, 2], "identity", noise_scale=0)
    with torch.no_grad():
        for layer in model.layers:
            layer.scale_base.copy_(torch.eye(2, dtype=torch.float64) / 2)
    told = reported(model, x)
    assert [layer["gain"]["rms"] for layer in told["layers"]] == pytest.approx([0.5] * 3)
    assert told["propagation"]["signal"] == pytest.approx(math.log(0.5), rel=1e-9)
    assert told["propagation"]["signal_ratio"] == pytest.approx(0.125, rel=1e-9)
    assert told["propagation"]["signal_by_layer"] == pytest.approx([1, 0.5, 0.25, 0.125], rel=1e-9)


def test_nodes_with_equal_rows_are_degenerate_and_orthogonal_ones_are_not(x):
    model = model_of([2, 3], "identity", noise_scale=0, noise_scale_base=0)
    (layer,) = reported(model, x)["layers"]
    assert layer["correlation"] == pytest.approx({"mean": 1, "max": 1}, rel=1e-12)
    assert layer["effective_rank"] == pytest.approx(1, rel=1e-12)
    assert layer["edge_distance"] == pytest.approx(0, abs=1e-7)
    apart = model_of([2, 2], "identity", noise_scale=0)
    with torch.no_grad():
        apart.layers[0].scale_base.copy_(torch.eye(2, dtype=torch.float64))
    white = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    (layer,) = reported(apart, white)["layers"]
    assert layer["correlation"] == {"mean": 0, "max": 0}
    assert layer["effective_rank"] == pytest.approx(2, rel=1e-12)
    assert layer["edge_distance"] == pytest.approx(1, rel=1e-12)


def test_a_constant_input_has_no_line_and_says_why():
    told = reported(model_of([2, 1]), torch.ones(10, 2, dtype=torch.float64))
    (layer,) = told["layers"]
    assert layer["preacts"]["std"] == 0
    assert layer["nonlinearity"] == {"mean": None, "max": None}
    assert layer["roughness"] == {"mean": None, "max": None}
    assert layer["spline_share"] is None
    assert layer["flat_edges"] == 1
    assert told["reasons"]["layers.0.nonlinearity.max"] == "nothing varies"
    assert told["reasons"]["layers.0.edges.slope"] == "nothing varies"


def test_flat_edges_are_those_that_do_not_vary(x):
    model = model_of([2, 4], noise_scale=0)
    with torch.no_grad():
        model.layers[0].scale_base[0, 0] = 0  # nothing at all
        model.layers[0].scale_base[0, 1] = 0
        model.layers[0].coef[0, 1] = 5  # a constant, but for samples off the grid
        model.layers[0].scale_base[1, 2] = 1e-7
    on_grid = x.clamp(-1, 1)
    (layer,) = reported(model, on_grid)["layers"]
    assert layer["flat_edges"] == pytest.approx(3 / 8)
    assert edges(layer)[0, 1]["postact_std"] == 0
    assert edges(layer)[0, 1]["postact_mean"] == pytest.approx(5)
    assert edges(layer)[0, 1]["nonlinearity"] is None
    assert reported(model, on_grid, flat=1e-9)["layers"][0]["flat_edges"] == pytest.approx(2 / 8)


def test_zero_base_leaves_all_to_the_spline(x):
    (layer,) = reported(model_of([2, 3], "zero"), x)["layers"]
    assert layer["spline_share"] == 1
    assert layer["variance_share"] == pytest.approx({"base": 0, "spline": 1, "covariance": 0})
