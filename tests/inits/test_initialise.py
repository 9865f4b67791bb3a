"""The reference's law: what is declared is what is drawn, from streams of its own."""

import functools
import math
import random

import numpy as np
import pytest
import torch
from scipy import stats

from kancli.inits import SCHEMES, initialise
from kancli.inits.initialise import init_
from kancli.inits.knot_noise import KnotNoise
from kancli.inits.laws import Constant, Masked, Normal, NormalByBasis, Uniform
from kancli.inits.pykan import Pykan028
from kancli.inits.reference import Reference
from kancli.inits.scheme import LayerSize
from kancli.inits.variance_scaling import GlorotFine
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.seeding import stream


def drawn(width=(2, 5, 1), scheme=None, seed=0, grid=5, k=3, dtype=torch.float64, n_members=None):
    scheme = scheme or Reference()
    silu = {"base_fun": base_function("silu"), "base_name": "silu"}
    model = KAN(
        width, grid=grid, k=k, **silu, bias=scheme.has_bias, masked=scheme.has_mask, dtype=dtype, n_members=n_members
    )
    return init_(model, scheme, seed=seed)


def test_the_law_word_for_word():
    laws = Reference(noise_scale=0.3, noise_scale_base=0.2).laws(LayerSize(n_in=16, n_out=7, grid=10, k=3))
    assert laws == {"scale_base": Uniform(0.25 - 0.2, 0.25 + 0.2), "scale_sp": Constant(1.0), "coef": Normal(0.0, 0.03)}


LAWS = [
    Normal(1.0, 2.0),
    Uniform(-1.0, 3.0),
    Uniform(2.0, 2.0),
    Constant(4.0),
    NormalByBasis((1.0, 2.0, 3.0, 0.5, 1.0, 1.0, 2.0, 9.0)),
    KnotNoise(0.3, (-1.0, 1.0), 5, 3),
    Masked(Uniform(1.0, 2.0), ((True, False), (False, False))),
    Masked(Constant(3.0), ((True, False), (True, True))),
]


@functools.cache
def draws(law):
    """3000 tensors of a law, a row each."""
    entries = law.grid + law.k if isinstance(law, KnotNoise) else 8
    shape = (2, 2, entries) if isinstance(law, (KnotNoise, NormalByBasis)) else (2, 2)
    return shape, np.stack([law.sample(shape, generator=stream(seed, "test")) for seed in range(3000)]).reshape(
        3000, -1
    )


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_moments_and_bounds_of_a_law_are_those_of_its_draws(law):
    """Over 3000 tensors: the mean of all entries, its standard error, the std of all entries, the extremes."""
    shape, tensors = draws(law)
    means = tensors.mean(1)
    error = law.mean_error(shape)
    assert means.mean() == pytest.approx(law.mean, abs=5 * error / math.sqrt(3000) + 1e-15)
    assert means.std() == pytest.approx(error, rel=0.08, abs=1e-12)
    assert tensors.std() == pytest.approx(law.std, rel=0.03, abs=1e-12)
    assert law.bounds[0] - 1e-15 <= tensors.min()
    assert tensors.max() <= law.bounds[1] + 1e-15


KNOT_NOISES = [KnotNoise(0.3, (-1.0, 1.0), 1, 0), KnotNoise(0.02, (0.0, 1.0), 30, 2), KnotNoise(0.0, (0.0, 1.0), 3, 3)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "law",
    [*LAWS, *KNOT_NOISES],
    ids=lambda law: f"{type(law).__name__} {getattr(law, 'grid', '')}",
)  # fmt: skip
def test_the_cumulative_distribution_is_that_of_the_draws(law):
    """Kolmogorov-Smirnov, one entry a tensor, as the entries of one edge hang together; and its moments."""
    _, tensors = draws(law)
    picked = tensors[np.arange(3000), np.random.default_rng(0).integers(tensors.shape[1], size=3000)]
    places = np.sort(picked)
    above, below = (np.searchsorted(places, places, side) / 3000 for side in ("right", "left"))
    # At a value that many take the distribution jumps: just below it, it is what is left of the jump.
    distance = max(np.abs(law.cdf(places) - above).max(), np.abs(law.cdf(places - 1e-9) - below).max())
    assert distance < 2.23 / math.sqrt(3000), "p = 1e-4"
    reach = max(20 * law.std, 1e-3)
    x = np.linspace(law.mean - reach, law.mean + reach, 40_001)
    mass = np.diff(law.cdf(x))
    middle = (x[1:] + x[:-1]) / 2
    assert mass.min() > -1e-6
    assert mass.sum() == pytest.approx(1, abs=1e-4)
    assert (mass * middle).sum() == pytest.approx(law.mean, abs=2e-3 * reach)
    assert math.sqrt((mass * (middle - law.mean) ** 2).sum()) == pytest.approx(law.std, rel=5e-3, abs=1e-3 * reach)


@pytest.mark.parametrize("n_in", [1, 4, 100])
def test_draws_follow_the_declared_law(n_in):
    scheme = Reference(noise_scale=0.3, noise_scale_base=0.2)
    layer = drawn((n_in, 400 // n_in + 50), scheme, grid=8).layers[0]
    centre = 1 / math.sqrt(n_in)
    assert (layer.scale_sp == 1).all()
    uniform = stats.kstest(layer.scale_base.detach().flatten(), stats.uniform(centre - 0.2, 0.4).cdf)
    normal = stats.kstest(layer.coef.detach().flatten(), stats.norm(0, 0.3 / 8).cdf)
    assert uniform.pvalue > 1e-4
    assert normal.pvalue > 1e-4


def test_coefficients_of_an_edge_are_independent():
    coef = drawn((10, 1000)).layers[0].coef.detach().reshape(-1, 8)
    correlation = np.corrcoef(coef.T) - np.eye(8)
    assert np.abs(correlation).max() < 5 / math.sqrt(len(coef))


@pytest.mark.parametrize("name", SCHEMES)
def test_global_generators_are_left_alone(name):
    before = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())
    drawn(scheme=SCHEMES[name]())
    after = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


@pytest.mark.parametrize("name", SCHEMES)
def test_one_seed_gives_one_set_of_bits_under_any_number_of_threads(name):
    threads = torch.get_num_threads()
    try:
        sets = []
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            sets.append(drawn((3, 40, 40), SCHEMES[name](), dtype=torch.float32).state_dict())
    finally:
        torch.set_num_threads(threads)
    for other in sets[1:]:
        assert all(torch.equal(other[key], sets[0][key]) for key in sets[0])


@pytest.mark.parametrize("name", SCHEMES)
def test_layers_of_one_shape_differ_and_seeds_differ(name):
    model, other = drawn((4, 4, 4), SCHEMES[name]()), drawn((4, 4, 4), SCHEMES[name](), seed=1)
    laws = SCHEMES[name]().laws(LayerSize(4, 4, 5, 3))
    random = [tensor for tensor in ("coef", "scale_base", "scale_sp") if laws[tensor].std > 0]
    assert random
    for tensor in random:
        assert not torch.equal(getattr(model.layers[0], tensor), getattr(model.layers[1], tensor))
        assert not torch.equal(getattr(model.layers[0], tensor), getattr(other.layers[0], tensor))


@pytest.mark.parametrize("name", SCHEMES)
def test_another_layers_width_changes_nothing_here(name):
    model, other = drawn((2, 5, 3, 7, 7), SCHEMES[name]()), drawn((2, 5, 3, 7, 9), SCHEMES[name]())
    for tensor in ("coef", "scale_base", "scale_sp"):
        for number in (0, 1):
            assert torch.equal(getattr(model.layers[number], tensor), getattr(other.layers[number], tensor))


@pytest.mark.slow
def test_a_scale_grows_what_it_names():
    once, twice = drawn(scheme=Reference(noise_scale=0.1)), drawn(scheme=Reference(noise_scale=0.2))
    torch.testing.assert_close(twice.layers[0].coef, 2 * once.layers[0].coef)
    assert torch.equal(twice.layers[0].scale_base, once.layers[0].scale_base)
    wide = drawn(scheme=Reference(noise_scale_base=0.5)).layers[0].scale_base.std()
    assert wide > once.layers[0].scale_base.std()


def test_no_noise_is_exactly_no_noise():
    layer = drawn(scheme=Reference(noise_scale=0, noise_scale_base=0)).layers[0]
    assert (layer.coef == 0).all()
    assert (layer.scale_base == 1 / math.sqrt(2)).all()
    assert (layer.scale_sp == 1).all()


@pytest.mark.parametrize("scheme", [Reference(), Pykan028(sparse_init=True), GlorotFine()])
def test_a_large_tensor_is_drawn_in_blocks_by_its_shape_alone(scheme, monkeypatch):
    """The same bits with any number of threads and in an ensemble; every block is another draw, by the same law."""

    def drawn_by(threads, n_members=None, seed=0):
        torch.set_num_threads(threads)
        return drawn((40, 6), scheme, seed, n_members=n_members).layers[0]

    before = torch.get_num_threads()
    whole = drawn_by(before)
    monkeypatch.setattr(initialise, "BLOCK_NUMBERS", 8 * 6)  # one row of coef, eight of the scales
    try:
        one, two, four = (drawn_by(threads) for threads in (1, 2, 4))
        ensemble, alone = drawn_by(2, n_members=3), drawn_by(2, seed=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    for name, tensor in one.named_parameters():
        assert torch.equal(tensor, getattr(two, name)), name
        assert torch.equal(tensor, getattr(four, name)), name
        assert torch.equal(getattr(ensemble, name)[2], getattr(alone, name)), name
    assert torch.equal(one.coef[:1], whole.coef[:1]), "the first block is the head of the tensor's own stream"
    assert torch.equal(one.scale_base[:8], whole.scale_base[:8])
    assert torch.equal(one.scale_sp == 0, whole.scale_sp == 0), "a mask stays where it is"
    correlation = np.corrcoef(one.coef.detach().reshape(40, -1).numpy())
    assert np.abs(correlation - np.eye(40)).max() < 0.8
    assert one.coef.std().item() == pytest.approx(whole.coef.std().item(), rel=0.15)
