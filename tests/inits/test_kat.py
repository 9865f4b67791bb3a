"""The variance-preserving law: the source's constants, what it promises, and its relation to LeCun's."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from kancli.inits.initialise import init_
from kancli.inits.kat import Kat
from kancli.inits.laws import Constant
from kancli.inits.scheme import LayerSize
from kancli.inits.variance_scaling import Lecun
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from tests.alike import slow_but


@pytest.mark.parametrize(("base", "gain_squared"), [("silu", 2.8178205270359653), ("gelu", 2.3567850379928976)])
def test_the_gains_are_the_sources_within_the_error_of_its_rational_functions(base, gain_squared):
    laws = Kat().laws(LayerSize(7, 3, 5, 3, base_fun=base))
    assert 7 * laws["scale_base"].std ** 2 == pytest.approx(gain_squared, rel=3e-3)
    assert laws["coef"] == Constant(0.0)


def test_the_identity_has_gain_1():
    assert Kat().laws(LayerSize(4, 3, 5, 3, base_fun="identity"))["scale_base"].std == pytest.approx(0.5, rel=1e-12)


def test_an_equal_share_for_every_term_is_lecuns_law():
    for distribution in ("uniform", "normal", "grid"):
        size = LayerSize(4, 3, 5, 3, (-2.0, 1.0))
        found, expected = Kat(spline_share=8 / 9, distribution=distribution), Lecun(distribution=distribution)
        for tensor in ("scale_base", "coef"):
            assert found.laws(size)[tensor].std == pytest.approx(expected.laws(size)[tensor].std, rel=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("gain", slow_but(1, [None, 2.0]))
def test_values_keep_their_mean_square(share, gain):
    """E[y^2] = gain^2 over members and normal inputs, whatever the splines' share."""
    model = KAN([64, 50], grid=5, k=3, base_fun=base_function("silu"), base_name="silu", bias=True, n_members=20,
                dtype=torch.float64)  # fmt: skip
    init_(model, Kat(spline_share=share, gain=gain), seed=0)
    x = torch.from_numpy(stats.norm.ppf(stats.qmc.Sobol(64, seed=0).random(512)))
    squares = model(x).detach().square().mean(dim=(1, 2)).numpy()
    error = squares.std() / math.sqrt(len(squares))
    assert np.mean(squares) == pytest.approx((gain or 1) ** 2, abs=4 * error + 0.01)


@pytest.mark.slow
def test_it_keeps_the_scale_of_the_inputs_over_depth(kan_run):
    """The gain is that of N(0, 1), so the rms of every layer stays near 1 where the values are near normal."""
    run = kan_run("init=kat", "width=[64,64,64,64,64]", "inputs.n=200", "n_seeds=5", "figures=none")
    assert run.code == 0, run.err
    for layer in run.json("stats.json")["layers"]:
        assert layer["output"]["rms"]["mean"] == pytest.approx(1, abs=0.15)
