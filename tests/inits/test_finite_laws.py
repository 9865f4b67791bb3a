"""Every legal config has finite laws, on whatever grid; or it is refused before anything is written."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from scipy import integrate

from kancli.config.compose import compose, settings_of
from kancli.config.identity import identity
from kancli.errors import ConfigError
from kancli.inits import SCHEMES
from kancli.inits.scheme import LayerSize
from kancli.inits.variance_scaling import Glorot, Lecun
from kancli.kan.base_functions import NAMES, base_function
from kancli.kan.quadrature import base_moments, basis_moments
from kancli.runs.build import build_model
from kancli.schema import Choice, Optional, Real, Truth, keys
from tests.alike import slow_but
from tests.oracles import kan as oracle

RANGES = [(-2.0, 2.0), (0.0, 5.0), (5.0, 10.0), (-1.0, 1.5)]


@pytest.mark.parametrize("grid_range", RANGES)
def test_moments_of_bases_over_the_grid_equal_scipys_quadrature(grid_range):
    moments, knots = basis_moments(grid_range, 4, 3, "grid"), oracle.uniform_knots(*grid_range, 4, 3)
    inner = knots[3:-3]
    for m in range(7):
        for derivative, found in ((0, moments.values[m]), (1, moments.slopes[m])):
            basis = oracle.one_basis(m, knots, 3, derivative)

            def square(x, basis=basis):
                return np.nan_to_num(basis(x)) ** 2

            parts = (integrate.quad(square, a, b)[0] for a, b in itertools.pairwise(inner))
            assert found == pytest.approx(sum(parts) / (inner[-1] - inner[0]), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("grid_range", [*RANGES, (-40.0, 3.0), (100.25, 2500.0)])
@pytest.mark.parametrize("name", slow_but(3, ["silu", "relu6", "hardshrink", "sin", "gelu", "softplus"]))
def test_moments_of_base_functions_over_the_grid_equal_a_fine_mean(name, grid_range):
    """The mean over two million midpoints, whose error is below 1e-6 even at a kink or a jump."""
    low, high = grid_range
    x = torch.from_numpy(low + (high - low) * (np.arange(2_000_000) + 0.5) / 2_000_000)
    expected = float(base_function(name)(x).square().mean())
    assert base_moments(name, "grid", grid_range).value == pytest.approx(expected, rel=2e-6, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_grid_on_the_unit_interval_is_the_uniform_law(name):
    assert base_moments(name, "grid") == base_moments(name, "uniform")


def test_gain_on_a_grid_is_the_std_of_its_inputs():
    size = LayerSize(4, 3, 5, 3, (5.0, 10.0))
    for scheme in (Lecun, Glorot):
        assert scheme().laws(size) == scheme(gain=5 / math.sqrt(12), distribution="grid").laws(size)


def test_lecun_keeps_the_mean_square_of_inputs_from_the_grid():
    """E[y²] = Var(x) for x ~ U(0, 5): the promise of the scheme, with its own moments replaced by a mean."""
    size, low, high = LayerSize(3, 2, 5, 3, (0.0, 5.0)), 0.0, 5.0
    laws, x = Lecun().laws(size), np.linspace(low, high, 200_001)
    bases = oracle.basis(x, oracle.uniform_knots(low, high, 5, 3), 3)
    base, spline = (oracle.BASE_FUNCTIONS["silu"](x) ** 2).mean(), (bases**2).mean(axis=0).sum()
    forward = 3 * (laws["scale_base"].std ** 2 * base + laws["coef"].std ** 2 * spline)
    assert forward == pytest.approx(25 / 12, rel=1e-4)


def test_distribution_defaults_to_the_grids_own(presets):
    def distribution(*words):
        return compose(["init=glorot", *words], presets).settings.init.distribution

    assert distribution() == "uniform"
    assert distribution("grid.range=[-2,2]") == "grid"
    assert distribution("grid.range=[-1,2]", "distribution=normal") == "normal"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("init=glorot_fine grid.range=[-2,2] distribution=uniform", "basis 0 of 8 is 0 for x ~ U(-1, 1)"),
        ("init=lecun grid.range=[5,10] distribution=uniform", "every basis is 0 for x ~ U(-1, 1)"),
        ("init=glorot grid.range=[40,50] distribution=normal", "every basis is 0 for x ~ N(0, 1)"),
        ("init=lecun base_fun=relu grid.range=[-5,-1]", "base_fun=relu is 0 for x ~ U(-5, -1)"),
        ("init=glorot base_fun=exp grid.range=[0,5000]", "base_fun=exp overflows float64"),
        ("init=power_law alpha=-1000", "alpha=-1000"),
        ("init=power_law beta_grid=-1000", "beta_grid=-1000"),
        ("init=power_law gain_base=1e30 alpha=-9", "gain_base=1e+30"),
        ("noise_scale=1e200 dtype=float64", "noise_scale=1e+200"),
        ("init=efficient_kan scale_noise=1e90 dtype=float64", "scale_noise=1e+90"),
    ],
)
def test_a_law_that_does_not_exist_is_refused_before_anything_is_written(kan_run, words, named):
    answer = kan_run(*words.split())
    assert answer.code == 2
    assert named in answer.err
    assert len(answer.err.splitlines()) <= 3
    assert list(answer.cwd.iterdir()) == []


def test_a_sweep_with_such_a_job_is_refused_as_a_whole(kan_run):
    answer = kan_run("-m", "init=glorot_fine", "distribution=uniform", "grid.range=[-1,1],[-2,2]")
    assert answer.code == 2
    assert "basis 0 of 8" in answer.err
    assert list(answer.cwd.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("words", ["init=glorot", "init=power_law alpha=-1000", "init=glorot grid.range=[0,5] k=99"])
def test_validation_loads_torch_only_where_a_law_needs_it(words):
    code = (
        "import sys; from kancli.config.compose import compose; from kancli.config.presets import *\n"
        f"try: compose({words.split()!r}, Presets([builtin_folder()])).settings\n"
        "except Exception as error: assert type(error).__name__ == 'ConfigError'\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


# The identities of these words before power_law had gains and distribution a default that depends on the grid.
IDENTITIES = {
    "init=glorot": "6c518b366417257777f87c9030161bcf1023af9a751e3036e85b4737ba55314c",
    "init=glorot_fine grid=7": "295ce30a89db7ecdda9bca6dc5d6517cd5bde8c6fc04332b2d8c1f73eb909b77",
    "init=lecun distribution=normal": "dcdbf2ca39bd892b597eb0430af10324c4230eeae286fc2db6fec6d01026f7a8",
    "init=power_law alpha=0.5": "ddea8a1f5f86c17a264176671b3d98010ea93274bf5dc98de6d3ebebda2ebb6a",
    "init=pykan_0_2_8": "bbcc086ebbdb3a9527e2f64fcd35647d272c03db04c03d56322b7481189e3163",
    "inputs=uniform": "faacabc83424f77f29854fcd0b06e7fcc9b065563360fe2a459824eab22efa10",
}


@pytest.mark.parametrize("words", IDENTITIES)
def test_younger_keys_leave_the_identity_of_older_runs(words, presets):
    assert identity(compose(words.split(), presets).settings) == IDENTITIES[words]


def test_a_younger_key_that_is_set_belongs_to_the_identity(presets):
    of = [identity(compose(["init=power_law", *words], presets).settings) for words in ([], ["gain_base=2"])]
    assert of[0] != of[1]


def values_of(kind):
    """Legal values of a kind of knob, extremes included."""
    if isinstance(kind, Optional):
        return some.none() | values_of(kind.kind)
    if isinstance(kind, Choice):
        return some.sampled_from(kind.options)
    if isinstance(kind, Truth):
        return some.booleans()
    assert isinstance(kind, Real), kind
    low, high = max(kind.low, -1e300), min(kind.high, 1e300)
    usual = some.floats(max(low, -3), min(high, 3))
    return usual | some.floats(low, high)


@some.composite
def configs(draw):
    name = draw(some.sampled_from(sorted(SCHEMES)))
    knobs = {key: draw(values_of(field.metadata["kind"])) for key, field in keys(SCHEMES[name]).items()
             if draw(some.booleans())}  # fmt: skip
    ends = some.one_of(some.floats(-10, 10), some.floats(-1e3, 1e3), some.floats(-1e300, 1e300))
    low, high = sorted(draw(some.tuples(ends, ends)))
    grid_range = draw(some.sampled_from([[-1.0, 1.0], [low, high]]))
    return {
        "width": draw(some.lists(some.integers(1, 6), min_size=2, max_size=4)),
        "k": draw(some.integers(0, 5)),
        "base_fun": draw(some.sampled_from(NAMES)),
        "dtype": draw(some.sampled_from(["float32", "float64"])),
        "grid": {"size": draw(some.integers(1, 40)), "range": grid_range},
        "init": {"scheme": name, **knobs},
    }


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(configs())
@example({"width": [2, 2], "grid": {"size": 5, "range": [0.0, 1e300]}, "dtype": "float64", "init": {"scheme": "lecun"}})
@example({"width": [2, 2], "grid": {"size": 5, "range": [-1e-150, 1e-150]}, "dtype": "float64",
          "init": {"scheme": "glorot"}})  # fmt: skip
def test_any_law_is_finite_or_refused(config):
    try:
        run = settings_of(config)
    except ConfigError:
        return
    for size in run.layer_sizes():
        shapes = run.init.tensor_shapes(size)
        for tensor, law in run.init.laws(size).items():
            numbers = (law.mean, law.std, law.mean_error(shapes[tensor]), law.variance_error(shapes[tensor]))
            assert all(map(math.isfinite, numbers)), (tensor, law)
    for tensor in build_model(run).state_dict().values():
        assert tensor.isfinite().all()
