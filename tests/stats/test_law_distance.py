"""Deviates from a law are N(0, 1) for tensors of any size, and right draws warn as often as the bounds say."""

import math

import numpy as np
import pytest
from scipy import special, stats

from kancli.inits import SCHEMES
from kancli.inits.initialise import declared, init_
from kancli.inits.knot_noise import KnotNoise
from kancli.inits.laws import Constant, Masked, Normal, NormalByBasis, Uniform
from kancli.inits.normal_scores import score_sums
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.stats.law_distance import Declared, chance_probabilities, distances_from_law
from kancli.stats.network_stats import LayerStats
from kancli.stats.options import Verdicts
from kancli.stats.parameters import parameter_statistics
from tests.alike import slow_but

FLOAT32 = 2.0**-23
LAWS = {
    "one uniform entry": (Uniform(-1, 3), (1, 1)),
    "five uniform entries": (Uniform(0.2, 0.7), (5, 1)),
    "three normal entries": (Normal(1.0, 0.5), (3, 1)),
    "two edges, a std for each basis": (NormalByBasis((0.0, 0.1, 3.0)), (2, 1, 3)),
    "masked": (Masked(Uniform(1, 2), ((True, False), (True, True))), (2, 2)),
    "one edge fitted to knot noise": (KnotNoise(0.3, (-1.0, 1.0), 5, 3), (1, 1, 8)),
    "one edge of order 1": (KnotNoise(0.3, (0.0, 2.0), 4, 1), (1, 1, 5)),
}


def distances(law, tensors, eps=FLOAT32):
    return distances_from_law(tensors, Declared(0, 0, 0, 0, lambda values: score_sums(law, values, eps)))


def draws(law, shape, n, seed=0):
    """`[n, *shape]`, rounded to float32 as parameters are."""
    generator = np.random.default_rng(seed)
    return np.stack([law.sample(shape, generator=generator) for _ in range(n)]).astype(np.float32).astype(float)


@pytest.mark.parametrize("name", LAWS)
def test_deviates_are_independent_and_normal(name):
    law, shape = LAWS[name]
    z, z_std = distances(law, draws(law, shape, 4000))
    assert stats.kstest(z, "norm").pvalue > 1e-4
    if name == "one uniform entry":
        assert np.isnan(z_std).all(), "one number has no spread"
    else:
        assert stats.kstest(z_std, "norm").pvalue > 1e-4
        assert abs(stats.spearmanr(abs(z), abs(z_std)).statistic) < 4.5 / 4000**0.5


def test_the_deviates_of_a_normal_law_are_those_of_textbooks():
    values = np.random.default_rng(1).normal(2.0, 3.0, (4, 7, 2))
    z, z_std = distances(Normal(2.0, 3.0), values)
    rows = values.reshape(4, -1)
    np.testing.assert_allclose(z, (rows.mean(1) - 2) / (3 / 14**0.5), rtol=1e-12)
    chi_square = rows.var(1, ddof=1) * 13 / 9
    np.testing.assert_allclose(stats.norm.cdf(z_std), stats.chi2.cdf(chi_square, 13), rtol=1e-10)


def test_far_tails_are_finite_and_monotone():
    base = np.random.default_rng(2).normal(size=(1, 80))
    _, z_std = distances(Normal(0, 1), np.concatenate([base * 10.0**power for power in np.linspace(-3, 3, 200)]))
    assert np.isfinite(z_std).all()
    assert (np.diff(z_std) >= 0).all()
    least = stats.chi2.logcdf(1e-6 * base.var() * 80, 79)
    assert z_std[0] == pytest.approx(special.ndtri_exp(least), rel=1e-9)
    assert z_std[-1] == 38.0


def test_values_that_a_law_cannot_give_are_as_far_as_can_be():
    masked, _ = LAWS["masked"]
    cases = [
        (Uniform(0, 1), np.array([[0.5, 1.01]])),
        (Constant(0.1), np.array([[np.float32(0.1), 0.11]])),
        (masked, np.array([[[1.5, 1e-30], [1.5, 1.5]]])),
        (NormalByBasis((0.0, 1.0)), np.array([[[[1e-9, 0.3]]]])),
        (KnotNoise(0.3, (-1, 1), 5, 3), 0.1 * np.eye(8)[:1].reshape(1, 1, 1, 8)),  # no minimum-norm fit
    ]
    for law, values in cases:
        assert distances(law, values.astype(float))[0].tolist() == [38.0], law
        twice = np.concatenate([values, draws(law, values.shape[1:], 1)]).astype(float)
        z, _ = distances(law, twice)
        assert z[0] == 38.0
        assert math.isnan(z[1]) == isinstance(law, Constant), "the other member stays as it is"


def test_rounding_is_no_distance():
    """float32 rounds values to their law's bounds, and beyond; and hides laws that are finer than its steps."""
    at_bounds = np.array([[np.float32(0.1), np.float32(0.7)]], dtype=float)
    assert abs(distances(Uniform(0.1, 0.7), at_bounds)[0]) < 1e-6
    assert np.isnan(distances(Constant(0.1), np.full((1, 3), np.float32(0.1), dtype=float))[0])
    for fine in (Uniform(0.7 - 1e-9, 0.7 + 1e-9), Normal(0.7, 1e-9)):
        assert np.isnan(distances(fine, draws(fine, (5, 1), 3))[0]).all()
        assert np.isfinite(distances(fine, np.full((1, 5), 0.7), eps=1e-16)[0]).all()


def layer_of(z, z_std=None, name="coef"):
    entry = {"z": np.array(z), "z_std": np.array([math.nan] * len(z) if z_std is None else z_std)}
    return LayerStats(1, 1, {name: entry}, {}, {}, [], [])


def test_probabilities_are_corrected_for_the_number_of_tests():
    p = 2 * stats.norm.sf(3)
    assert chance_probabilities([layer_of([3.0])]) == {"mean of layer 0's coef": pytest.approx(p)}
    two = chance_probabilities([layer_of([3.0], [0.0]), layer_of([-1.0], [math.nan])])
    assert two["mean of layer 0's coef"] == pytest.approx(1 - (1 - p) ** 3)
    assert two["std of layer 0's coef"] == 1
    assert "std of layer 1's coef" not in two
    together = chance_probabilities([layer_of([1.5] * 16)])["mean of layer 0's coef"]
    assert together == pytest.approx(1 - (1 - 2 * stats.norm.sf(6)) ** 17)
    alone = chance_probabilities([layer_of([0.0] * 15 + [6.0])])["mean of layer 0's coef"]
    assert alone == pytest.approx(together)


def model_of(width, scheme, members, seed=0):
    options = {"bias": scheme.has_bias, "standardise": scheme.standardises}
    model = KAN(width, grid=5, k=3, base_fun=base_function("silu"), base_name="silu", n_members=members, **options)
    return init_(model, scheme, seed=seed)


def parameters_of(model, scheme):
    """Per layer, the statistics of the parameters of all members."""
    laws = declared(model, scheme)
    return [
        LayerStats(layer.n_in, layer.n_out, parameter_statistics(layer, {k: Declared(*v) for k, v in law.items()}),
                   {}, {}, [], [])
        for layer, law in zip(model.layers, laws, strict=True)
    ]  # fmt: skip


def member(layers, index):
    return [
        layer_of(entry["z"][index : index + 1], entry["z_std"][index : index + 1], name)
        for layer in layers
        for name, entry in layer.layer.items()
    ]


@pytest.mark.parametrize("name", slow_but(1, ["default", "efficient_kan", "pykan_0_2_8", "baseline", "glorot_fine"]))
def test_right_draws_warn_as_often_as_the_bound_says(name):
    """5000 seeds of [2, 5, 1], each a run of its own; bounds of 1/2, 1/20 and 1/200."""
    scheme = SCHEMES[name]()
    layers = parameters_of(model_of([2, 5, 1], scheme, 5000), scheme)
    values = np.array([min(chance_probabilities(member(layers, index)).values()) for index in range(5000)])
    for bound in (0.5, 0.05, 0.005):
        n = (values <= bound).sum()
        assert abs(n - 5000 * bound) < 4.5 * (5000 * bound * (1 - bound)) ** 0.5, (bound, n)


def test_a_tensor_of_five_uniform_numbers_warns_once_in_ten_thousand():
    """Where five standard errors of the mean and std would warn about twice as often as ten thousand runs allow."""
    warn, _ = Verdicts().off_law
    assert warn is not None
    values = np.random.default_rng(0).uniform(-1, 1, (400_000, 5))
    z, z_std = distances(Uniform(-1, 1), values, eps=2.0**-52)
    furthest = np.maximum(abs(z), abs(z_std))
    probability = 1 - (1 - 2 * stats.norm.sf(furthest)) ** 2
    n = (probability <= warn).sum()
    assert abs(n - 400_000 * warn) < 4.5 * (400_000 * warn) ** 0.5
    squares = (values**2).mean(1) * 3
    cube_root = (np.cbrt(squares) - (1 - 4 / 45 / 5)) / (4 / 45 / 5) ** 0.5
    assert (abs(cube_root) > stats.norm.isf(warn / 4)).sum() > 2 * n, "the test by moments is far from its odds"


def test_one_wrong_member_and_a_common_shift_are_seen():
    scheme = SCHEMES["default"]()
    model = model_of([3, 4, 2], scheme, 50)
    assert min(chance_probabilities(parameters_of(model, scheme)).values()) > 1e-3
    coef = model.layers[1].coef.data
    coef[17] *= 2
    found = chance_probabilities(parameters_of(model, scheme))
    assert found["std of layer 1's coef"] < 1e-6
    assert min(value for place, value in found.items() if place != "std of layer 1's coef") > 1e-3
    coef[17] /= 2
    coef += 0.15 * coef[0].std()
    assert chance_probabilities(parameters_of(model, scheme))["mean of layer 1's coef"] < 1e-4


def test_a_law_of_ones_own_without_scores_is_tested_by_its_moments():
    class Plain:
        mean, std = 1.0, 2.0

    law = Declared(1.0, 2.0, 0.02, 0.08, lambda values: score_sums(Plain(), values, FLOAT32))
    values = np.random.default_rng(0).normal(1, 2, (3, 10_000))
    z, z_std = distances_from_law(values, law)
    np.testing.assert_allclose(z, (values.mean(1) - 1) / 0.02, rtol=1e-12)
    square = ((values - 1) ** 2).mean(1)
    np.testing.assert_allclose(z_std, (square - 4) / 0.08, atol=0.1)
