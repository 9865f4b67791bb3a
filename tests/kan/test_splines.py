"""The B-spline basis against scipy, against known values, and by its properties."""

import numpy as np
import pytest
import torch

from kancli.kan import splines
from tests.alike import slow_but
from tests.oracles import kan as oracle

RANGE = (-1.0, 1.0)


def scipy_basis(x, grid_range, grid, k, derivative=0):
    return oracle.basis(x, splines.extended_knots(grid_range, grid, k).numpy(), k, derivative)


def uneven_knots(count, seed=0):
    gaps = np.random.default_rng(seed).uniform(0.05, 0.5, count)
    return torch.from_numpy(np.cumsum(gaps) - gaps.sum() / 2)


@pytest.mark.parametrize("k", range(11))
@pytest.mark.parametrize("grid", [1, 2, 5, 20, 200])
def test_float64_equals_scipy(grid, k):
    x = torch.linspace(-3, 3, 1001, dtype=torch.float64) + 1e-4
    found = splines.basis(x, RANGE, grid, k).numpy()
    # at G = 200 a rounding of the position, 1e-16 of the range, is 1e-14 of an interval
    np.testing.assert_allclose(found, scipy_basis(x.numpy(), RANGE, grid, k), atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("k", range(6))
@pytest.mark.parametrize("grid", [5, 50, 200])
def test_float32_error_is_at_most_2e_6_of_the_largest_value(grid, k):
    generator = np.random.default_rng(0)
    x = torch.from_numpy(generator.uniform(-1.5, 1.5, 5000)).float()
    found = splines.basis(x, RANGE, grid, k).double().numpy()
    wanted = scipy_basis(x.double().numpy(), RANGE, grid, k)
    assert np.abs(found - wanted).max() <= 2e-6 * wanted.max()


@pytest.mark.parametrize("k", range(11))
def test_bases_sum_to_one_on_the_grid_and_are_never_negative(k):
    x = torch.linspace(-1, 1, 777, dtype=torch.float64)
    values = splines.basis(x, RANGE, 7, k)
    torch.testing.assert_close(values.sum(-1), torch.ones_like(x), rtol=0, atol=1e-14)
    assert (values >= 0).all()


def test_sum_off_the_grid_falls_to_zero():
    """At G = 5, k = 3 on [-1, 1], to the digits usually quoted."""
    x = torch.tensor([1.4, 1.8, 2.0, 2.2, 5.0], dtype=torch.float64)
    sums = splines.basis(x, RANGE, 5, 3).sum(-1)
    np.testing.assert_allclose(sums, [0.8333, 0.1667, 0.0208, 0, 0], atol=5e-5)


def test_steps_are_half_open_but_for_the_right_end():
    x = torch.tensor([-1.0, -0.5, 0.0, 1.0, 1.0 + 1e-6, -1.0 - 1e-6])
    active = splines.basis(x, RANGE, 4, 0)
    assert active.argmax(-1).tolist()[:4] == [0, 1, 2, 3]
    assert active.sum(-1).tolist() == [1, 1, 1, 1, 0, 0]


def test_cubic_values_at_a_knot_are_1_4_1_over_6():
    values = splines.basis(torch.zeros(1, dtype=torch.float64), RANGE, 4, 3)
    np.testing.assert_allclose(values[0], [0, 0, 1 / 6, 4 / 6, 1 / 6, 0, 0], atol=1e-15)


def test_far_inputs_give_zero_and_nan_gives_nan():
    values = splines.basis(torch.tensor([1e30, -1e30, torch.inf, -torch.inf]), RANGE, 5, 3)
    assert (values == 0).all()
    assert splines.basis(torch.tensor([torch.nan]), RANGE, 5, 3).isnan().any()


def test_knots_meet_the_range_exactly():
    knots = splines.extended_knots((-0.1, 0.7), 9, 4)
    assert knots.shape == (9 + 1 + 8,)
    assert knots[4] == -0.1
    assert knots[4 + 9] == 0.7
    np.testing.assert_allclose(knots.diff(), 0.8 / 9, rtol=1e-13)


def test_a_shifted_range_is_the_same_basis_shifted():
    x = torch.linspace(-2, 2, 101, dtype=torch.float64)
    torch.testing.assert_close(
        splines.basis(10 + 3 * x, (7.0, 13.0), 6, 3), splines.basis(x, RANGE, 6, 3), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("k", range(1, 11))
@pytest.mark.parametrize("derivative", [1, 2])
def test_derivatives_equal_scipy(k, derivative):
    x = torch.linspace(-2.5, 2.5, 501, dtype=torch.float64) + 1e-4
    found = splines.basis(x, RANGE, 7, k, derivative).numpy()
    wanted = scipy_basis(x.numpy(), RANGE, 7, k, derivative) if derivative <= k else np.zeros_like(found)
    np.testing.assert_allclose(found, wanted, atol=1e-11)


@pytest.mark.parametrize("derivative", [1, 2])
def test_derivatives_equal_autograd_and_sum_to_zero(derivative):
    x = torch.linspace(-0.99, 0.99, 40, dtype=torch.float64, requires_grad=True)
    for m in range(9):
        value = splines.basis(x, RANGE, 5, 4, derivative - 1)[:, m].sum()
        (slope,) = torch.autograd.grad(value, x)
        torch.testing.assert_close(splines.basis(x.detach(), RANGE, 5, 4, derivative)[:, m], slope)
    torch.testing.assert_close(
        splines.basis(x.detach(), RANGE, 5, 4, derivative).sum(-1),
        torch.zeros(40, dtype=torch.float64),
        atol=1e-11,
        rtol=0,
    )


def test_a_step_has_no_slope():
    assert (splines.basis(torch.linspace(-1, 1, 9), RANGE, 4, 0, 1) == 0).all()
    assert (splines.basis_on_knots(torch.linspace(-1, 1, 9)[:, None], torch.arange(-2.0, 3.0), 0, 1) == 0).all()


def test_the_right_end_has_the_slope_of_its_left_side():
    slopes = splines.basis(torch.tensor([1.0], dtype=torch.float64), RANGE, 4, 1, 1)
    np.testing.assert_allclose(slopes[0], [0, 0, 0, -2, 2])


@pytest.mark.parametrize("k", range(11))
@pytest.mark.parametrize("derivative", [0, 1, 2])
def test_any_increasing_knots_equal_scipy(k, derivative):
    knots = uneven_knots(2 * k + 8)
    x = torch.linspace(-4, 4, 301, dtype=torch.float64)
    found = splines.basis_on_knots(x.unsqueeze(-1), knots, k, derivative)[:, 0].numpy()
    wanted = oracle.basis(x.numpy(), knots.numpy(), k, derivative) if derivative <= k else np.zeros_like(found)
    np.testing.assert_allclose(found, wanted, atol=1e-10 * max(1, np.abs(wanted).max()))


def test_each_input_may_have_its_own_knots():
    knots = torch.stack([uneven_knots(12, seed) for seed in range(3)])
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = splines.basis_on_knots(x, knots, 3)
    for i in range(3):
        np.testing.assert_allclose(found[:, i], oracle.basis(x[:, i].numpy(), knots[i].numpy(), 3), atol=1e-13)


@pytest.mark.parametrize("k", range(6))
def test_uniform_knots_are_a_case_of_any_knots(k):
    x = torch.cat([torch.linspace(-2, 2, 201), torch.tensor([-1.0, 1.0, 1e30, -torch.inf])]).double().unsqueeze(-1)
    knots = splines.extended_knots(RANGE, 8, k)
    for derivative in (0, 1):
        torch.testing.assert_close(
            splines.basis_on_knots(x, knots, k, derivative),
            splines.basis(x, RANGE, 8, k, derivative),
            atol=1e-12,
            rtol=0,
        )


def test_float32_on_any_knots():
    knots = uneven_knots(210).float()
    x = torch.linspace(float(knots[0]), float(knots[-1]), 2000)
    found = splines.basis_on_knots(x.unsqueeze(-1), knots, 3)[:, 0].double().numpy()
    wanted = oracle.basis(x.double().numpy(), knots.double().numpy(), 3)
    assert np.abs(found - wanted).max() <= 2e-6 * wanted.max()


def test_the_local_values_are_the_dense_ones():
    x = torch.randn(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2
    local = splines.local_basis(x, RANGE, 6, 3)
    weights = torch.randn(2, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    taken = local.take(weights.expand(30, 2, 9))
    local_sum = sum(value * weight for value, weight in zip(local.values, taken, strict=True))
    torch.testing.assert_close(local_sum, (local.dense() * weights).sum(-1), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("grid_range", slow_but(2, [[-0.7, 0.7], [3.3, 3.4], [-1.0, 1.0], [-1.0, 1.5]]))
def test_a_sample_is_placed_by_comparison_with_the_knots(grid_range, dtype):
    """On every knot, and one rounding before and after it, uniform and general knots choose one interval."""
    for grid in (1, 3, 5, 7, 49, 257, 1000):
        for k in (0, 1, 3):
            knots = splines.extended_knots(grid_range, grid, k).to(dtype)
            x = torch.cat([torch.nextafter(knots, knots - 1), knots, torch.nextafter(knots, knots + 1)])
            x = x[(x >= knots[0]) & (x < knots[-1])][:, None]
            uniform = splines.local_basis(x, grid_range, grid, k)
            general = splines.local_basis_on_knots(x, knots, k)
            wanted = (x >= knots).sum(1, keepdim=True) - 1 - k
            wanted[x == knots[grid + k]] = grid - 1  # the grid's right end belongs to its last interval
            assert torch.equal(uniform.first, wanted.int()), (grid, k)
            assert torch.equal(general.first, wanted.int()), (grid, k)
            assert (torch.stack(list(uniform.values)) >= 0).all()


def test_a_step_at_a_knot_belongs_to_the_interval_on_its_right():
    """-0.6 in float32 divides to a little less than 1."""
    x = torch.tensor([[-1.0], [-0.6], [-0.2], [0.2], [0.6], [1.0]])
    assert splines.basis(x, RANGE, 5, 0).argmax(-1).flatten().tolist() == [0, 1, 2, 3, 4, 4]


@pytest.mark.parametrize("grid_range", [(-1.0, 1.0), (0.1, 0.7), (1000.0, 1001.0)])
@pytest.mark.parametrize(("grid", "k"), [(1, 0), (5, 3), (200, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_where_a_sample_lies_does_not_depend_on_the_others(grid_range, grid, k, dtype):
    """A few samples on knots or one rounding before them, among many that are far from any, as a search places them."""
    knots = splines.extended_knots(grid_range, grid, k).to(dtype)
    x = torch.cat([knots, torch.nextafter(knots, knots - 1), (knots[1:] + knots[:-1]) / 2, knots[:1] - 1e6])
    wanted = torch.searchsorted(knots, x, right=True) - 1 - k
    wanted[x == knots[grid + k]] = grid - 1
    wanted = wanted.clamp(-k, grid + k - 1).int()
    middle = (x[-2] + 0 * x, torch.full_like(wanted, grid + k - 1))
    for samples, first in ((x, wanted), (x[-len(knots) :], wanted[-len(knots) :]), (x[:1], wanted[:1])):
        assert torch.equal(splines.local_basis(samples[:, None], grid_range, grid, k).first[:, 0], first)
    both = splines.local_basis(torch.stack([x, middle[0]], dim=-1), grid_range, grid, k).first
    assert torch.equal(both, torch.stack([wanted, middle[1]], dim=-1))
    assert splines.local_basis(x[:0, None], grid_range, grid, k).first.shape == (0, 1)
