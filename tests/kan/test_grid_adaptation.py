"""Knots after the samples: where they lie, that the functions stay, and that the report says how well."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kancli.kan import network
from kancli.kan.grid_adaptation import adapt_grid_
from tests.kan.test_layer import random_model, samples
from tests.oracles import kan as oracle


def adapted(width, x, eps, grid=6, **more):
    model = random_model(width, grid=grid, **more)
    before = random_model(width, grid=grid, **more)
    for layer in model.layers:
        layer.use_per_input_knots_()
    return before, model, adapt_grid_(model, x, eps=eps)


@pytest.mark.parametrize("eps", [0.0, 0.3, 1.0])
def test_the_knots_mix_equal_steps_and_quantiles(eps):
    x = samples(200, 3)
    _, model, _ = adapted([3, 2], x, eps)
    knots = model.layers[0].knots
    assert knots.shape == (3, 6 + 1 + 2 * 3)
    for i, column in enumerate(x.T.numpy()):
        even = np.linspace(column.min(), column.max(), 7)
        quantiles = np.quantile(column, np.linspace(0, 1, 7))
        np.testing.assert_allclose(knots[i, 3:-3], eps * even + (1 - eps) * quantiles, rtol=1e-12, atol=1e-13)
        steps = np.diff(knots[i].numpy())
        np.testing.assert_allclose(steps[[0, 1, 2, -3, -2, -1]], np.ptp(column) / 6, rtol=1e-10)
    assert model.layers[0].grid_ends()[0].tolist() == x.amin(0).tolist(), "no sample is off the grid"
    assert model.layers[0].grid_ends()[1].tolist() == x.amax(0).tolist()


@pytest.mark.parametrize("n", [60, 7, 5])
def test_pykans_rule(n):
    """Knots at the order statistics floor(q n / G) and the last; the fit at the samples, of least norm."""
    x, eps, model = samples(n, 2), 0.02, random_model([2, 3], grid=6)
    before = random_model([2, 3], grid=6)
    model.layers[0].use_per_input_knots_()
    (fit,) = adapt_grid_(model, x, eps=eps, rule="pykan")
    layer = model.layers[0]
    for i, column in enumerate(np.sort(x.T.numpy())):
        ranks = [n * q // 6 for q in range(6)] + [n - 1]
        inner = eps * np.linspace(column[0], column[-1], 7) + (1 - eps) * column[ranks]
        np.testing.assert_allclose(layer.knots[i, 3:-3], inner, rtol=1e-12, atol=1e-13)
        matrix = oracle.basis(column, layer.knots[i].numpy(), 3)
        for j in range(3):
            old = before.layers[0].coef[i, j].detach().numpy()
            expected = np.linalg.lstsq(matrix, oracle.spline(column, old, -1, 1, 6, 3), rcond=1e-14)[0]
            np.testing.assert_allclose(layer.coef[i, j].detach(), expected, rtol=1e-7, atol=1e-9)
    assert fit.kept.item() == 0


def test_the_coefficients_are_the_least_squares_fit():
    x = samples(150, 2)
    before, model, (fit,) = adapted([2, 2], x, 0.5)
    layer = model.layers[0]
    conditions = []
    for i in range(2):
        knots = layer.knots[i].numpy()
        inner = knots[3:-3]
        places = np.concatenate([a + (b - a) * (np.arange(4) + 0.5) / 4 for a, b in pairwise(inner)])
        matrix = oracle.basis(places, knots, 3)
        conditions.append(np.linalg.cond(matrix))
        for j in range(2):
            old = before.layers[0].coef[i, j].detach().numpy()
            wanted = np.linalg.lstsq(matrix, oracle.spline(places, old, -1, 1, 6, 3))[0]
            np.testing.assert_allclose(layer.coef[i, j].detach(), wanted, rtol=1e-9, atol=1e-11)
    assert fit.condition.item() == pytest.approx(max(conditions), rel=1e-8)
    old, new = (each.trace(x)[0].spline for each in (before, model))
    assert fit.residual.item() == pytest.approx(float((new - old).norm() / old.norm()), rel=1e-9)


@pytest.mark.parametrize("eps", [0.0, 1.0])
def test_what_the_new_splines_can_say_stays_to_the_last_digits(eps):
    """A straight line is a spline on any knots: its coefficients are the knot averages."""
    x = 0.95 * samples(100, 2).tanh()
    model = random_model([2, 3], grid=6)
    layer = model.layers[0]
    layer.use_per_input_knots_()
    greville = layer.knots[0].unfold(0, 3, 1).mean(-1)[1:-1]
    with torch.no_grad():
        layer.coef.copy_(0.3 + 2.0 * greville.expand_as(layer.coef))
    y = model(x).detach()
    (fit,) = adapt_grid_(model, x, eps=eps)
    torch.testing.assert_close(model(x).detach(), y, rtol=1e-11, atol=1e-11)
    assert fit.residual < 1e-13


def test_a_finer_grid_keeps_the_functions_better():
    x = samples(300, 2)
    residuals = [adapted([2, 2], x, 0.5, grid=6)[2][0].residual.item()]
    for grid in (12, 48):
        model = random_model([2, 2], grid=grid)
        coarse = random_model([2, 2], grid=6)
        for layer in (model.layers[0], coarse.layers[0]):
            layer.use_per_input_knots_()
        # The same coarse spline, handed over as a fine one on the same range.
        places = torch.linspace(-1, 1, 200, dtype=torch.float64)
        for i in range(2):
            for j in range(2):
                y = oracle.spline(places.numpy(), coarse.layers[0].coef[i, j].detach().numpy(), -1, 1, 6, 3)
                fine = np.linalg.lstsq(oracle.basis(places.numpy(), oracle.uniform_knots(-1, 1, grid, 3), 3), y)[0]
                model.layers[0].coef.data[i, j] = torch.from_numpy(fine)
        residuals.append(adapt_grid_(model, x, eps=0.5)[0].residual.item())
    assert residuals[0] > residuals[1] > residuals[2]


def test_each_layer_adapts_to_what_enters_it():
    x = samples(120, 2)
    _, model, fits = adapted([2, 4, 3, 1], x, 0.2)
    assert len(fits) == 3
    for layer, trace in zip(model.layers, model.trace(x), strict=True):
        low, high = layer.grid_ends()
        assert torch.equal(trace.preacts.amin(0), low)
        assert torch.equal(trace.preacts.amax(0), high)


def test_chunks_change_nothing():
    x = samples(100, 2)
    _, whole, fits = adapted([2, 3, 1], x, 0.4)
    chunked = random_model([2, 3, 1], grid=6)
    for layer in chunked.layers:
        layer.use_per_input_knots_()
    for one, other in zip(fits, adapt_grid_(chunked, x, eps=0.4, chunk=7), strict=True):
        np.testing.assert_allclose(one.residual, other.residual, rtol=1e-12)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, chunked.state_dict()[name]), name


@pytest.mark.parametrize("value", [0.7, np.inf, np.nan])
def test_an_input_that_does_not_vary_keeps_its_knots(value):
    x = samples(50, 2)
    x[:, 1] = value
    before, model, _ = adapted([2, 2], x, 0.5)
    assert torch.equal(model.layers[0].knots[1], before.layers[0].knots)
    assert not torch.equal(model.layers[0].knots[0], before.layers[0].knots)


TIES = {
    "ties": ([0.0, 0.0, 0.0, 0.0, 1.0], torch.float64, 0.0),
    "one number in float32": ([1e7, 1e7, 1e7 + 1, 1e7 + 1, 1e7 + 2], torch.float32, 1.0),
    "beyond float32": ([-2e38, -1e38, 0.0, 1e38, 2e38], torch.float32, 1.0),
    "denormal": ([0.0, 1e-39, 2e-39, 3e-39, 4e-39], torch.float32, 1.0),
}


@pytest.mark.parametrize("case", TIES)
def test_knots_that_would_coincide_stay(case):
    column, dtype, eps = TIES[case]
    x = torch.tensor([column, [-1.0, -0.5, 0.0, 0.5, 1.0]], dtype=torch.float64).T.to(dtype)
    before, model, (fit,) = adapted([2, 1], x, eps, dtype=dtype)
    assert torch.equal(model.layers[0].knots[0], before.layers[0].knots)
    assert fit.kept.tolist() == [1]


def test_ties_are_parted_by_a_larger_eps():
    x = torch.tensor([[0.0], [0.0], [0.0], [0.0], [1.0]], dtype=torch.float64)
    _, model, (fit,) = adapted([1, 1], x, 0.1)
    assert fit.kept.tolist() == [0]
    assert (model.layers[0].knots.diff() > 0).all()


@pytest.mark.slow
def test_a_run_tells_which_inputs_kept_their_knots(kan_run):
    Path("x.csv").write_text("".join(f"{n % 2},{n}\n" for n in range(20)))
    outcome = kan_run("-v", "inputs=x.csv", "grid.adapt=samples", "grid.eps=0")
    assert outcome.code == 0, outcome.err
    assert "1 input of layer 0 kept the knots of before" in " ".join(outcome.out.split())


def test_a_run_with_adapted_knots(kan_run):
    outcome = kan_run("-v", "grid.adapt=samples", "grid.eps=0.5", "grid=8", "noise_scale=1")
    assert outcome.code == 0, outcome.err
    assert "knots adapted to the samples" in " ".join(outcome.out.split())
    tensors = load_file(outcome.folder / "params.safetensors")
    activations = load_file(outcome.folder / "activations.safetensors")
    assert tuple(tensors["layers.0.knots"].shape) == (2, 8 + 1 + 6)
    layer = outcome.json("stats.json")["layers"][0]
    assert layer["off_grid"] == 0
    assert layer["refit"]["condition"] > 1
    assert 0 < layer["refit"]["residual"] < 1
    assert abs(layer["coef_as_drawn"]["z"]) < 5
    assert "z" not in layer["coef"]
    for i in range(2):
        bases = oracle.basis(activations["inputs"][:, i].double().numpy(), tensors["layers.0.knots"][i].numpy(), 3)
        wanted = bases @ tensors["layers.0.coef"][i].double().numpy().T
        np.testing.assert_allclose(activations["layers.0.spline"][:, i], wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("rule", ["samples", "pykan"])
def test_a_silent_node_keeps_its_knots_and_coefficients(rule):
    layers = {}
    for min_range in (0.0, 1e-3):
        model = network.KAN([1, 2, 1], grid=4, k=3, base_fun=torch.nn.functional.silu, dtype=torch.float64)
        with torch.no_grad():
            for layer in model.layers:
                layer.use_per_input_knots_()
                layer.coef.copy_(torch.linspace(-1, 1, layer.coef.numel()).reshape(layer.coef.shape))
                layer.scale_base.fill_(0.5)
                layer.scale_sp.fill_(1.0)
            for scale in (model.layers[0].scale_base, model.layers[0].scale_sp):
                scale[0, 1] = 1e-9
        layer = model.layers[1]
        before = layer.coef[1].clone(), layer.knots[1].clone()
        x = torch.linspace(-1, 1, 50, dtype=torch.float64)[:, None]
        report = adapt_grid_(model, x, eps=0.02, rule=rule, min_range=min_range)[1]
        layers[min_range] = layer
    kept = layers[1e-3]
    assert (int(report.kept[0]), float(report.residual[0])) == (1, pytest.approx(0, abs=0.1))
    assert torch.equal(kept.coef[1], before[0])
    assert torch.equal(kept.knots[1], before[1])
    torch.testing.assert_close(kept.knots[0], layers[0.0].knots[0])
    torch.testing.assert_close(kept.coef[0], layers[0.0].coef[0])
    assert float(layers[0.0].knots[1].diff().max()) < 1e-8
