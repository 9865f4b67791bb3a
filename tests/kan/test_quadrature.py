"""Exact moments: the published numbers, scipy's quadrature, and identities."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate

from kancli.kan.base_functions import NAMES, base_function
from kancli.kan.quadrature import base_moments, basis_moments, moments_of
from tests.oracles import kan as oracle

RANGE = (-1.0, 1.0)
# Sum over m of E[B_m^2] on uniform inputs, and of E[B_m'^2] in units of 1/h^2, independent of G.
SUMS = {
    1: (2 / 3, 2),
    2: (11 / 20, 1),
    3: (151 / 315, 2 / 3),
    4: (0.4304177690, 35 / 72),
    5: (0.3939255652, 0.3745370370),
}


@pytest.mark.parametrize("k", SUMS)
@pytest.mark.parametrize("grid", [1, 5, 20, 200])
def test_sums_on_uniform_inputs(k, grid):
    moments = basis_moments(RANGE, grid, k, "uniform")
    wanted = SUMS[k]
    assert moments.values.sum() == pytest.approx(wanted[0], rel=1e-9)
    assert moments.slopes.sum() == pytest.approx(wanted[1] * (grid / 2) ** 2, rel=1e-9)


def test_cubic_moments_by_basis():
    moments = basis_moments(RANGE, 5, 3, "uniform")
    half = [0.00079365, 0.04793651, 0.09507937, 0.09587302]
    np.testing.assert_allclose(moments.values, half + half[::-1], atol=5e-9)
    half = [0.0625, 0.41666667, 0.77083333, 0.83333333]
    np.testing.assert_allclose(moments.slopes, half + half[::-1], atol=5e-9)


@pytest.mark.parametrize(
    ("grid", "mu0", "mu1"),
    [(5, 0.0599206349, 0.5208333333), (10, 0.0368742369, 1.2820512821), (20, 0.0208419600, 2.8985507246)],
)
def test_cubic_means_on_uniform_inputs(grid, mu0, mu1):
    moments = basis_moments(RANGE, grid, 3, "uniform")
    assert (moments.mu0, moments.mu1) == pytest.approx((mu0, mu1), abs=6e-11)


@pytest.mark.parametrize(("grid", "mu0", "mu1"), [(5, 0.0531881666, 0.4565557149), (10, 0.0297034181, 1.0282817170)])
def test_cubic_means_on_normal_inputs(grid, mu0, mu1):
    moments = basis_moments(RANGE, grid, 3, "normal")
    assert (moments.mu0, moments.mu1) == pytest.approx((mu0, mu1), abs=6e-11)


@pytest.mark.parametrize(
    ("grid_range", "grid", "k"), [(RANGE, 5, 3), ((-3.0, 1.0), 4, 5), ((-100.0, 50.0), 3, 2), (RANGE, 1, 10)]
)
def test_normal_moments_equal_scipys_adaptive_quadrature(grid_range, grid, k):
    moments = basis_moments(grid_range, grid, k, "normal")
    knots = oracle.uniform_knots(*grid_range, grid, k)
    breaks = sorted({-9.0, 9.0, *np.linspace(-9, 9, 37), *(knot for knot in knots if -9 < knot < 9)})
    for m in (0, (grid + k) // 2):
        for derivative, found in ((0, moments.values[m]), (1, moments.slopes[m])):
            basis = oracle.one_basis(m, knots, k, derivative)

            def square(x, basis=basis):
                return np.nan_to_num(basis(x), nan=0.0) ** 2 * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

            wanted = sum(integrate.quad(square, a, b, epsabs=1e-16)[0] for a, b in itertools.pairwise(breaks))
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-15)


BASE = {
    "silu": (0.0944933890, 0.3190776892, 0.3557755198, 0.3794823516),
    "gelu": (0.1087783062, 0.3966716961, 0.4252214826, 0.4558508656),
    "tanh": (0.2384058440, 0.6143461054, 0.3942944904, 0.4644029024),
    "identity": (1 / 3, 1, 1, 1),
    "zero": (0, 0, 0, 0),
    "relu": (1 / 6, 1 / 2, 1 / 2, 1 / 2),
    "hardtanh": (1 / 3, 1, 1 - 2 * math.exp(-0.5) / math.sqrt(2 * math.pi), 0.6826894921370859),
}


@pytest.mark.parametrize("name", BASE)
def test_moments_of_base_functions(name):
    wanted = BASE[name]
    found = (*base_moments(name, "uniform")[:2], *base_moments(name, "normal")[:2])
    assert found == pytest.approx(wanted, abs=6e-11)


@pytest.mark.parametrize("name", NAMES)
def test_every_base_function_against_a_large_sample(name):
    x = np.random.default_rng(0).normal(size=400_000)
    import torch

    values = base_function(name)(torch.from_numpy(x)).numpy() ** 2
    assert base_moments(name, "normal").value == pytest.approx(
        values.mean(), abs=6 * values.std() / math.sqrt(len(x)) + 1e-12
    )


def test_a_function_of_ones_own():
    assert moments_of(lambda x: 2 * x + 1, "uniform") == pytest.approx((1 + 4 / 3, 4, 1), rel=1e-12)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_modes_of_torch_change_no_moment(mode):
    wanted = moments_of(torch.tanh, "uniform")
    assert wanted.slope > 0.1
    with mode():
        assert moments_of(torch.tanh, "uniform") == wanted
