"""jaxKAN's own draws, by JAX's counter-based generator in numpy, against what `oracles/jaxkan_draws` recorded."""

import json
from pathlib import Path

import numpy as np
import pytest

from kancli import KAN
from kancli.inits import jax_random
from kancli.inits.jaxkan import Baseline, PowerLaw
from kancli.inits.scheme import LayerSize
from tests import oracles

RECORDED = json.loads((Path(oracles.__file__).with_name("jaxkan_draws.json")).read_text())


def test_known_answers_of_threefry():
    """Of the authors' Random123, kat_vectors: threefry2x32 with 20 rounds."""
    vectors = [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ]
    for key, counter, expected in vectors:
        x0, x1 = (np.array([word], np.uint32) for word in counter)
        found = jax_random.threefry(jax_random.Key(*key), x0, x1)
        assert (int(found[0][0]), int(found[1][0])) == expected


def test_keys_and_numbers_of_jax():
    recorded, key = RECORDED["random"], jax_random.fold_in(jax_random.key(42), 5)
    assert list(key) == recorded["key"]
    np.testing.assert_array_equal(jax_random.uniform(key, (2, 7)), np.float32(recorded["uniform"]))
    np.testing.assert_allclose(jax_random.normal(key, (50,)), recorded["normal"], rtol=2e-6, atol=1e-7)


def scheme_words(scheme):
    """The scheme and knobs of kancli for one of jaxKAN's."""
    if scheme["type"] == "default":
        return {"init": "baseline", "std": scheme.get("std", 0.1)}
    return {
        "init": "power_law",
        "gain_base": scheme.get("const_r", 1.0), "gain_spline": scheme.get("const_b", 1.0),
        "alpha": scheme["pow_r2"], "alpha_grid": scheme["pow_r1"],
        "beta": scheme["pow_b2"], "beta_grid": scheme["pow_b1"],
    }  # fmt: skip


@pytest.mark.parametrize("case", RECORDED["models"], ids=lambda case: f"{case['scheme']} {case['width']}")
def test_source_streams_are_jaxkans_own_numbers(case):
    base = "zero" if "residual" in case else "silu"
    model = KAN(case["width"], case["grid"], 3, base_fun=base, seed=case["seed"], stream="source", dtype="float32",
                **scheme_words(case["scheme"]))  # fmt: skip
    for layer, theirs in zip(model.layers, case["layers"], strict=True):
        coef = np.reshape(theirs["c_basis"], (layer.n_out, layer.n_in, -1)).swapaxes(0, 1)
        np.testing.assert_allclose(layer.coef.detach(), coef, rtol=2e-6, atol=2e-7 * np.abs(coef).max())
        scale_base = np.transpose(theirs["c_res"]) if "c_res" in theirs else np.zeros((layer.n_in, layer.n_out))
        np.testing.assert_allclose(layer.scale_base.detach(), scale_base, rtol=2e-6, atol=1e-7)
        np.testing.assert_array_equal(layer.scale_sp.detach(), np.transpose(theirs["c_spl"]))
        np.testing.assert_array_equal(layer.bias.detach(), theirs["bias"])


@pytest.mark.parametrize("scheme", [Baseline, PowerLaw])
def test_the_source_stream_follows_the_law(scheme):
    (draws,) = scheme(stream="source").source_draws([LayerSize(40, 30, 5, 3)], seed=0)
    laws = scheme().laws(LayerSize(40, 30, 5, 3))
    for tensor in ("scale_base", "coef"):
        values, law = draws[tensor], laws[tensor]
        assert abs(values.mean()) < 5 * law.mean_error(values.shape)
        assert abs(values.var() - law.std**2) < 5 * law.variance_error(values.shape)


def test_power_law_with_gains_and_exponents_of_its_own():
    size = LayerSize(4, 3, 5, 3)  # K + 1 = 9
    laws = PowerLaw(gain_base=2, gain_spline=3, alpha=0.5, alpha_grid=1.5, beta=1.0, beta_grid=0.5).laws(size)
    assert laws["scale_base"].std == pytest.approx(2 / (2 * 27))
    assert laws["coef"].std == pytest.approx(3 / (4 * 3))
    assert PowerLaw(alpha_grid=0.25).laws(size)["scale_base"].std == pytest.approx(36**-0.25)
