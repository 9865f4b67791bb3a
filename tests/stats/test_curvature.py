"""The integral of phi''^2 of every edge, against scipy's splines and adaptive quadrature."""

import itertools

import numpy as np
import pytest
import torch
from scipy import integrate
from scipy.interpolate import BSpline

from kancli.kan.base_functions import NAMES, base_function
from kancli.kan.grid_adaptation import adapt_grid_
from kancli.kan.network import KAN
from kancli.stats.curvature import edge_curvature

SECOND = {  # b''
    "silu": lambda x: _silu_second(x),
    "sin": lambda x: -np.sin(x),
    "identity": lambda x: 0 * x,
    "hardswish": lambda x: np.where(abs(x) < 3, 1 / 3, 0.0),
    "square": lambda x: 2 + 0 * x,
}


def _silu_second(x):
    s = 1 / (1 + np.exp(-x))
    return s * (1 - s) * (2 + x * (1 - 2 * s))


def model_of(k=3, grid=5, base="silu", grid_range=(-1.0, 1.0), members=None, **options):
    model = KAN([2, 3], grid=grid, k=k, base_fun=base_function(base), base_name=base, grid_range=grid_range,
                n_members=members, dtype=torch.float64, **options)  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def expected(layer, base):
    """By scipy, edge by edge, between knots and the kinks at -3 and 3."""
    knots = layer.knots.double().numpy()
    curvature = np.zeros((layer.n_in, layer.n_out))
    for i, j in np.ndindex(curvature.shape):
        own = knots[i] if knots.ndim == 2 else knots
        coef, scale_sp = (values[i, j].detach().numpy() for values in (layer.coef, layer.scale_sp))
        spline = BSpline(own, scale_sp * coef, layer.k).derivative(2)
        scale_base = layer.scale_base[i, j].item()
        inner = own[layer.k : layer.k + layer.grid + 1]
        breaks = np.unique([*inner, *(kink for kink in (-3.0, 3.0) if inner[0] < kink < inner[-1])])

        def square(x, spline=spline, scale_base=scale_base):
            return (spline(x) + scale_base * SECOND[base](x)) ** 2

        curvature[i, j] = sum(integrate.quad(square, *ends, epsabs=0)[0] for ends in itertools.pairwise(breaks))
    return curvature


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"k": 2, "grid": 7},
        {"k": 5, "grid": 1, "base": "sin", "grid_range": (-2.0, 5.0)},
        {"base": "hardswish", "grid_range": (-4.0, 3.5)},
        {"base": "identity", "grid": 20},
    ],
)
def test_against_scipy(case):
    model = model_of(**case)
    found = edge_curvature(model.layers[0])
    np.testing.assert_allclose(found[0], expected(model.layers[0], case.get("base", "silu")), rtol=1e-9)


def test_knots_of_their_own():
    model = model_of()
    for layer in model.layers:
        layer.use_per_input_knots_()
    adapt_grid_(model, torch.from_numpy(np.random.default_rng(0).normal(size=(60, 2))), eps=0.3)
    np.testing.assert_allclose(edge_curvature(model.layers[0])[0], expected(model.layers[0], "silu"), rtol=1e-8)


def test_straight_edges_have_none_and_a_parabola_its_own():
    """phi = a x^2 on [-1, 3]: phi'' = 2 a, and the integral is 16 a^2."""
    model = model_of(base="square", grid_range=(-1.0, 3.0), k=1)
    scale = model.layers[0].scale_base.detach().numpy()
    np.testing.assert_allclose(edge_curvature(model.layers[0])[0], 16 * scale**2, rtol=1e-12)
    model = model_of(base="identity")
    with torch.no_grad():
        model.layers[0].coef.copy_(torch.arange(8.0))  # a straight line, by Greville's abscissae
    assert edge_curvature(model.layers[0]).max() < 1e-10  # of sums of terms up to 4e3


def test_members_mask_and_standardised_bases():
    model = model_of(members=3, masked=True)
    layer = model.layers[0]
    assert layer.mask is not None
    layer.mask[:, 0, 1] = False
    found = edge_curvature(layer)
    assert (found[:, 0, 1] == 0).all()
    for member in range(3):
        assert np.array_equal(edge_curvature(model.member(member).layers[0])[0], found[member])
    model = model_of(standardise=True, base="zero")
    with model.with_basis_statistics(torch.rand(50, 2, dtype=torch.float64)):
        layer = model.layers[0]
        found, factors = edge_curvature(layer), layer.basis_statistics.inverse_std.detach()
    plain = model_of(base="zero")
    with torch.no_grad():
        plain.layers[0].coef.mul_(factors.unsqueeze(1))
    np.testing.assert_allclose(found, edge_curvature(plain.layers[0]), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_every_base_function_has_a_second_derivative(name):
    """Against differences of the first one, away from kinks."""
    model = model_of(base=name, grid=1, k=1, grid_range=(1.1, 1.4))
    x, step = torch.linspace(1.1, 1.4, 2001, dtype=torch.float64), 1e-5
    b = base_function(name)
    second = (b(x + step) - 2 * b(x) + b(x - step)) / step**2
    integral = float(torch.trapezoid(second**2, x))
    scale = model.layers[0].scale_base.detach().numpy()
    np.testing.assert_allclose(edge_curvature(model.layers[0])[0], scale**2 * integral, rtol=2e-4, atol=1e-9)


def test_stats_full_has_it_in_all_files(kan_run):
    run = kan_run("stats=full", "figures=none", "noise_scale=1")
    layer = run.json("stats.json")["layers"][0]
    edges = layer["edges"]["curvature"]
    assert layer["curvature"] == {"mean": pytest.approx(np.mean(edges)), "max": max(edges)}
    assert "curvature" in (run.folder / "edges.csv").read_text().splitlines()[0].split(",")
    assert "curvature_mean" in (run.folder / "layers.csv").read_text().splitlines()[0].split(",")
