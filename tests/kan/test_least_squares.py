"""Fits through one pseudo-inverse: against scipy, where torch's own driver is wrong, and the same on any threads."""

import numpy as np
import pytest
import scipy.linalg
import torch

from kancli.kan import splines
from kancli.kan.least_squares import knot_inverse, pseudo_inverse
from tests.alike import slow_but

RANGE = (-1.0, 1.0)
# Root mean square over the bases of the std of a coefficient fitted to noise U(-1/2, 1/2) at the knots, k = 3.
RMS = {3: 0.4046, 5: 0.4415, 8: 0.4696, 10: 0.4806, 20: 0.5060, 50: 0.5240}


def minimum_norm(collocation, values):
    solution = scipy.linalg.lstsq(collocation, values)
    assert solution is not None
    return solution[0]


@pytest.mark.parametrize("k", slow_but(2, [3, 1, 2, 4, 5]))
@pytest.mark.parametrize("grid", slow_but(3, [3, 9, 50, 200]))
def test_noise_at_the_knots_is_fitted_as_scipy_fits_it(grid, k):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (7, grid + 1))
    knots = splines.extended_knots(RANGE, grid, k)[k : k + grid + 1]
    collocation = splines.basis(knots, RANGE, grid, k).numpy()
    wanted = np.stack([minimum_norm(collocation, each) for each in noise])
    found = knot_inverse(RANGE, grid, k).solve(torch.from_numpy(noise)).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-10)
    np.testing.assert_allclose(found @ collocation.T, noise, atol=1e-10)


def test_the_batch_at_g_50_is_right_where_torchs_driver_cuts_it_off():
    """torch 2.13, float32, k = 3, G = 50: of a batch, all but the first lose the coefficients from index 10 on."""
    noise = torch.rand(4, 51, generator=torch.Generator().manual_seed(0)) - 0.5
    found = knot_inverse(RANGE, 50, 3).solve(noise)
    collocation = splines.basis(splines.extended_knots(RANGE, 50, 3)[3:54], RANGE, 50, 3).numpy()
    for row, each in zip(found, noise.double().numpy(), strict=True):
        np.testing.assert_allclose(row, minimum_norm(collocation, each), atol=1e-12)
    assert (found[:, 12:].abs() > 1e-3).double().mean() > 0.95


@pytest.mark.parametrize("grid", RMS)
def test_size_of_fitted_noise(grid):
    inverse = knot_inverse(RANGE, grid, 3)
    variances = inverse.matrix.square().sum(1) / 12
    assert float(variances.mean().sqrt()) == pytest.approx(RMS[grid], abs=6e-5)


def test_rank_and_condition():
    inverse = knot_inverse(RANGE, 5, 3)
    assert inverse.rank == 6
    assert 1 < inverse.condition < 20
    rows = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]).double()
    plain = pseudo_inverse(rows)
    assert (plain.rank, plain.condition) == (2, 2)
    torch.testing.assert_close(plain.matrix, torch.linalg.pinv(rows))


def test_points_off_the_knots_fit_nothing():
    solver = pseudo_inverse(torch.zeros(2, 5))
    assert (solver.rank, solver.condition) == (0, 1.0)
    assert torch.equal(solver.solve(torch.ones(3, 2)), torch.zeros(3, 5, dtype=torch.float64))


def test_bits_do_not_depend_on_threads():
    noise = torch.rand(500, 201, generator=torch.Generator().manual_seed(0))
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            found.append(knot_inverse(RANGE, 200, 3).solve(noise))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
