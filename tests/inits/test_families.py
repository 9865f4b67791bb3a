"""Each scheme's law: the published numbers, the draws, the budgets; and the sources' own numbers."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from kancli import KAN
from kancli.inits import SCHEMES
from kancli.inits.efficient_kan import EfficientKan, EfficientKanFixed
from kancli.inits.initialise import declared, init_
from kancli.inits.jaxkan import Baseline, PowerLaw
from kancli.inits.knot_noise import KnotNoise
from kancli.inits.laws import Constant, Masked, Normal, NormalByBasis, Uniform
from kancli.inits.pykan import Pykan005, Pykan028, nearest_edges
from kancli.inits.scheme import LayerSize
from kancli.inits.variance_scaling import Glorot, GlorotFine, Lecun, LecunNorm
from kancli.kan import network
from kancli.kan.base_functions import base_function
from tests.alike import slow_but

# Expected std of (scale_base, coef): k = 3, silu, U(-1, 1), gain 1/sqrt(3), for n_in, n_out, G.
EXPECTED = {
    (2, 8, 5): {
        Lecun: (0.442693, 0.555923),
        Glorot: (0.164373, 0.131456),
        PowerLaw: (0.485492, 0.00635731),
        Baseline: (0.447214, 0.1),
    },
    (8, 8, 5): {
        Lecun: (0.221346, 0.277962),
        Glorot: (0.149628, 0.126268),
        PowerLaw: (0.343295, 0.000561912),
        Baseline: (0.353553, 0.1),
    },
    (32, 1, 20): {
        Lecun: (0.0677732, 0.144308),
        Glorot: (0.0911568, 0.0882651),
        PowerLaw: (0.189959, 8.9252e-6),
        Baseline: (0.246183, 0.1),
    },
}


@pytest.mark.parametrize("shape", EXPECTED)
@pytest.mark.parametrize("scheme", [Lecun, Glorot, PowerLaw, Baseline])
def test_published_sizes(shape, scheme):
    n_in, n_out, grid = shape
    laws = scheme().laws(LayerSize(n_in, n_out, grid, 3))
    wanted = EXPECTED[shape][scheme]
    assert (laws["scale_base"].std, laws["coef"].std) == pytest.approx(wanted, rel=5e-6)
    assert laws["scale_sp"] == Constant(1.0)
    assert laws["bias"] == Constant(0.0)


def test_pykan_0_0_5_law():
    laws = Pykan005(noise_scale_base=0.1).laws(LayerSize(100, 3, 5, 3))
    assert laws["scale_base"] == Normal(0.0, 0.2), "its mean is 0 at n_in = 100"
    assert laws["coef"].std == pytest.approx(0.4415 * 0.1 / 5, rel=2e-4)
    outer, middle = (float(laws["coef"].inverse[m].square().sum().sqrt()) for m in (0, 3))
    assert middle / outer > 3, "the outermost coefficients are about four times smaller"


def test_pykan_0_2_8_law():
    laws = Pykan028(scale_base_mu=0.5).laws(LayerSize(4, 3, 5, 3))
    assert laws["scale_base"] == Uniform(-0.25, 0.75)
    assert laws["scale_sp"] == Constant(0.5)
    assert isinstance(laws["coef"], KnotNoise)
    laws = Pykan028(sparse_init=True).laws(LayerSize(2, 5, 5, 3))
    assert isinstance(laws["scale_sp"], Masked)
    assert laws["scale_sp"].share == 0.5
    assert laws["scale_base"] == Pykan028().laws(LayerSize(2, 5, 5, 3))["scale_base"]


def test_sparse_edges():
    assert np.array(nearest_edges(2, 5)).astype(int).tolist() == [[1, 1, 1, 0, 0], [0, 0, 0, 1, 1]]
    for n_in, n_out in ((1, 1), (3, 3), (7, 2), (5, 11)):
        kept = np.array(nearest_edges(n_in, n_out))
        assert kept.any(0).all()
        assert kept.any(1).all()
    assert np.array_equal(nearest_edges(4, 4), np.eye(4, dtype=bool))


def test_efficient_kan_law():
    laws = EfficientKan().laws(LayerSize(100, 7, 5, 3))
    assert laws["scale_base"] == Uniform(-0.1, 0.1)
    assert laws["scale_sp"] == Uniform(-0.1, 0.1)
    effective = laws["scale_sp"].std * laws["coef"].std
    assert effective == pytest.approx(5.1e-4, rel=0.02), "the spline starts almost absent"


def test_glorot_fine_is_glorot_where_all_bases_are_alike():
    laws = GlorotFine().laws(LayerSize(3, 4, 5, 3))
    coef = laws["coef"]
    assert isinstance(coef, NormalByBasis)
    assert coef.stds == pytest.approx(coef.stds[::-1])
    assert max(coef.stds) / min(coef.stds) > 2
    # n_in E[B^2] + n_out E[B'^2] by basis, for m = 0 and m = 3
    for m, value, slope in ((0, 0.00079365, 0.0625), (3, 0.09587302, 0.83333333)):
        assert coef.stds[m] == pytest.approx(math.sqrt(1 / 3 / (9 * (3 * value + 4 * slope))), rel=1e-6)


def test_without_a_residual_function_its_share_goes_to_the_bases():
    with_residual = Lecun().laws(LayerSize(2, 2, 5, 3))["coef"].std
    without = Lecun().laws(LayerSize(2, 2, 5, 3, base_fun="zero"))
    assert without["coef"].std == pytest.approx(with_residual * math.sqrt(9 / 8))
    assert without["scale_base"] == Constant(0.0)


def test_gain_and_distribution():
    size = LayerSize(4, 4, 5, 3)
    assert Glorot(gain=2.0).laws(size)["coef"].std == pytest.approx(2 * Glorot(gain=1.0).laws(size)["coef"].std)
    assert Glorot().laws(size) == Glorot(gain=1 / math.sqrt(3)).laws(size)
    assert Glorot(distribution="normal").laws(size) == Glorot(gain=1.0, distribution="normal").laws(size)
    own = Glorot().laws(LayerSize(4, 4, 5, 3, base_fun=base_function("silu")))
    assert own["scale_base"].std == pytest.approx(Glorot().laws(size)["scale_base"].std)


def model_of(width, scheme, seed, grid=5, base="silu"):
    model = network.KAN(width, grid=grid, k=3, base_fun=base_function(base), base_name=base, bias=scheme.has_bias,
                  standardise=scheme.standardises, dtype=torch.float64)  # fmt: skip
    return init_(model, scheme, seed=seed)


@pytest.mark.parametrize("name", SCHEMES)
def test_draws_follow_the_declared_law(name):
    """Kolmogorov-Smirnov where the law has a plain distribution, and moments by z-scores, over 40 models."""
    scheme = SCHEMES[name]()
    models = [model_of((5, 7, 6), scheme, seed) for seed in range(40)]
    for number in (0, 1):
        size = LayerSize(*(5, 7, 6)[number : number + 2], 5, 3)
        for tensor, law in scheme.laws(size).items():
            values = np.stack([getattr(model.layers[number], tensor).detach().numpy() for model in models])
            error = law.mean_error(values.shape[1:]) / math.sqrt(len(models))
            assert abs(values.mean() - law.mean) <= 5 * error + 1e-15
            assert values.std() == pytest.approx(law.std, rel=0.06, abs=1e-12)
            if isinstance(law, Normal):
                assert stats.kstest(values.ravel(), stats.norm(law.mean, law.std).cdf).pvalue > 1e-4
            elif isinstance(law, Uniform):
                assert stats.kstest(values.ravel(), stats.uniform(law.low, law.high - law.low).cdf).pvalue > 1e-4
            elif isinstance(law, NormalByBasis):
                assert stats.kstest((values / law.stds).ravel(), stats.norm.cdf).pvalue > 1e-4
            elif isinstance(law, KnotNoise):
                covariance = np.cov(values.reshape(-1, 8).T)
                exact = (law.inverse @ law.inverse.T * law.half_width**2 / 3).numpy()
                assert np.abs(covariance - exact).max() < 0.12 * exact.max()


@pytest.mark.parametrize("name", SCHEMES)
def test_declared_statistics_are_those_of_the_law(name):
    scheme = SCHEMES[name]()
    model = model_of((3, 4), scheme, 0)
    laws = scheme.laws(LayerSize(3, 4, 5, 3))
    (moments,) = declared(model, scheme)
    assert {tensor: declared[:4] for tensor, declared in moments.items()} == {
        tensor: (law.mean, law.std, law.mean_error(shape), law.variance_error(shape))
        for tensor, law in laws.items()
        for shape in [tuple(getattr(model.layers[0], tensor).shape)]
    }
    assert set(moments) == {tensor for tensor, _ in model.layers[0].named_parameters()}


GROWS = [
    ("default", "noise_scale", "spline"), ("default", "noise_scale_base", "base spread"),
    ("pykan_0_0_5", "noise_scale", "spline"), ("pykan_0_0_5", "noise_scale_base", "base spread"),
    ("pykan_0_2_8", "noise_scale", "spline"), ("pykan_0_2_8", "scale_base_sigma", "base"),
    ("efficient_kan", "scale_noise", "spline"), ("efficient_kan_fixed", "scale_noise", "spline"),
    ("efficient_kan_fixed", "scale_base", "base"), ("efficient_kan_fixed", "scale_spline", "spline"),
    ("baseline", "std", "spline"), ("lecun", "gain", "both"), ("lecun_norm", "gain", "both"),
    ("glorot", "gain", "both"), ("glorot_fine", "gain", "both"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "knob", "what"), GROWS)
def test_a_scale_that_grows_makes_its_branch_grow(name, knob, what):
    def sizes(value):
        laws = SCHEMES[name](**{knob: value}).laws(LayerSize(4, 4, 5, 3))
        spline = laws["coef"].std * math.hypot(laws["scale_sp"].mean, laws["scale_sp"].std)
        spread = laws["scale_base"].std
        return {"spline": [spline], "base spread": [spread], "base": [math.hypot(laws["scale_base"].mean, spread)],
                "both": [spline, spread]}[what]  # fmt: skip

    for small, large in zip(sizes(0.5), sizes(1.5), strict=True):
        assert large > small


@pytest.mark.parametrize("knob", ["scale_base", "scale_spline"])
def test_efficient_kan_as_it_is_shrinks_with_its_scale(knob):
    tensor = "scale_base" if knob == "scale_base" else "scale_sp"
    size = LayerSize(4, 4, 5, 3)
    assert EfficientKan(**{knob: 2.0}).laws(size)[tensor].std < EfficientKan(**{knob: 1.0}).laws(size)[tensor].std
    assert EfficientKan().laws(size) == EfficientKanFixed().laws(size), "at the defaults they are one"


def test_pykan_0_0_5s_own_numbers():
    """KAN([2,5,1], grid=5, k=3, seed=0) of pykan 0.0.5."""
    before = torch.get_rng_state()
    model = KAN(width=[2, 5, 1], grid=5, k=3, seed=0, init="pykan_0_0_5", stream="source")
    layer = model.layers[0]
    edges = layer.scale_base.T.flatten()[:4]  # there the input runs fastest
    np.testing.assert_allclose(edges.detach(), [0.9153059721, 0.5484209657, 0.1713488698, 0.7207930088], rtol=1e-9)
    coef = [-0.00081131, 0.00199587, 0.01462085, -0.01065598, 0.01565507, -0.00706557, 0.00293623, 0.00166952]
    np.testing.assert_allclose(layer.coef[0, 0].detach(), coef, atol=6e-9)
    assert (layer.bias == 0).all()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("scheme", [Pykan005, Pykan028])
def test_a_source_stream_follows_the_law_too(scheme):
    models = [model_of((6, 30), scheme(stream="source"), seed) for seed in range(5)]
    laws = scheme().laws(LayerSize(6, 30, 5, 3))
    for tensor in ("scale_base", "coef"):
        values = np.stack([getattr(model.layers[0], tensor).detach().numpy() for model in models])
        assert values.std() == pytest.approx(laws[tensor].std, rel=0.1)
    assert not torch.equal(models[0].layers[0].coef, models[1].layers[0].coef)


def test_lecun_norms_law():
    """Lecun's residual, and coefficients without the bases' mean square: 1/sqrt(3 n_in (K + 1)) at n_in = 8, G = 5."""
    laws, plain_laws = (scheme().laws(LayerSize(8, 8, 5, 3)) for scheme in (LecunNorm, Lecun))
    assert laws["scale_base"] == plain_laws["scale_base"]
    assert laws["coef"].std == pytest.approx(1 / math.sqrt(3 * 8 * 9), rel=1e-12)


# Expected E[y^2] and sum_j E[(dy_j/dx)^2] at 64 -> 64, G = 5, x ~ U(-1, 1).
BUDGETS = {"lecun": (0.3333, 2.70), "glorot": (0.0781, 0.589), "baseline": (0.4013, 2.99)}


@pytest.mark.parametrize("name", slow_but(1, BUDGETS))
def test_forward_and_backward_budgets_in_a_real_layer(name):
    """Over an ensemble and many inputs, the layer keeps the budget that the law's moments promise."""
    x = torch.from_numpy(2 * stats.qmc.Sobol(64, seed=0).random(512) - 1).requires_grad_()
    forward, backward = [], []
    for seed in range(12):
        model = model_of((64, 64), SCHEMES[name](), seed)
        y = model(x)
        forward.append(float(y.detach().square().mean()))
        # sum_j (dy_j/dx_i)^2, in expectation over a random sign for each output
        signs = torch.from_numpy(np.random.default_rng(seed).choice([-1.0, 1.0], (512, 64)))
        (slope,) = torch.autograd.grad((y * signs).sum(), x)
        backward.append(float(slope.square().mean()))
    for found, wanted in ((forward, BUDGETS[name][0]), (backward, BUDGETS[name][1])):
        error = np.std(found) / math.sqrt(len(found))
        assert np.mean(found) == pytest.approx(wanted, abs=4 * error + 0.003 * wanted)
