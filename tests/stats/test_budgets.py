"""Budgets for the samples of a run: what the law expects is what many draws give, layer by layer."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy.stats import qmc

from kancli.cli.budgets import budgets
from kancli.config.compose import compose
from kancli.config.presets import Presets, builtin_folder
from kancli.config.validation import validate
from kancli.inits.initialise import init_
from kancli.inits.laws import Masked, Normal, Uniform
from kancli.inits.scheme import Scheme
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.runs.batch import compute_together
from kancli.runs.build import build_model
from kancli.runs.experiment import compute, declared_laws, forward_of
from kancli.runs.stopwatch import Stopwatch
from kancli.stats.collector import Collector
from kancli.stats.gradients import measure_gradients
from kancli.stats.stats_json import NO_BUDGET, as_json

PRESETS = Presets([builtin_folder()])
ADAPTED = "pykan_fit"
MASKED = "pykan_0_2_8 sparse_init=true scale_base_mu=1"
SCHEMES = [name for name in PRESETS.options("init") if name != ADAPTED]


def stats_of(*words):
    """The statistics of a run, without the contents of its files: they take a fifth of the time of 2000 seeds."""
    settings = validate(compose([*words, "figures=none"], PRESETS).config)
    model = build_model(settings)
    return forward_of(settings, model, declared_laws(model, settings.init), Stopwatch()).stats


def agree(layer, name, members):
    """Whether the mean over members of measured less law is 0, within 4.5 standard errors."""
    difference = layer[name]["measured"] - layer[name]["law"]
    return abs(difference.mean()) <= 4.5 * difference.std() / members**0.5 + 1e-6 * layer[name]["law"].mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        *(pytest.param([f"init={name}"], id=name) for name in SCHEMES),
        pytest.param(f"init={MASKED}".split(), id="mask"),
        pytest.param(["init=default", "base_fun=zero", "grid=3", "k=0"], id="steps"),
        pytest.param(["init=lecun_norm", "grid.range=[0,2]", "dtype=float64"], id="standardised"),
    ],
)
def test_the_law_expects_what_two_thousand_seeds_give(words):
    """The values entering a layer are each seed's own, so the law's number is too."""
    stats = stats_of(*words, "width=[3,4,3]", "n_seeds=2000", "inputs.n=24", "stats=full", "stats.first.n=2")
    for layer in stats.layers:
        assert agree(layer.layer, "square", 2000)
        if "k=0" not in words:
            assert agree(layer.layer, "backward", 2000)


@dataclass(frozen=True)
class Biased(Scheme):
    """Every moment that a budget may use differs from 0."""

    has_bias: ClassVar[bool] = True

    def laws(self, size):
        return {
            "scale_base": Uniform(0.1, 1.0),
            "scale_sp": Normal(0.5, 1.0),
            "coef": Normal(0.0, 0.3),
            "bias": Normal(-0.4, 0.7),
        }


@dataclass(frozen=True)
class Lopsided(Biased):
    """Coefficients of mean 1 in layers of two inputs."""

    def laws(self, size):
        return {**super().laws(size), "coef": Normal(float(size.n_in == 2), 0.3)}


@dataclass(frozen=True)
class Unequal(Biased):
    """Scales that differ from edge to edge, without a mask."""

    def laws(self, size):
        kept = ((True,) * size.n_out, *((False,) * size.n_out for _ in range(size.n_in - 1)))
        return {**super().laws(size), "scale_sp": Masked(Uniform(-1, 1), kept)}


SAMPLES = np.random.default_rng(0).normal(size=(30, 2))


def measured(scheme, members=None):
    model = KAN([2, 3, 2], grid=4, k=2, base_fun=base_function("silu"), bias=True, n_members=members)
    init_(model, scheme, seed=0)
    x = torch.from_numpy(SAMPLES).float()
    collector = Collector(model, declared_laws(model, scheme), level="full")
    collector.update(model.trace(x[:7]))
    collector.update(model.trace(x[7:]))
    return collector.compute(measure_gradients(model, x))[0]


def test_a_bias_and_means_that_are_not_0_count():
    layers = [layer.layer for layer in measured(Biased(), members=400).layers]
    for layer in layers:
        assert agree(layer, "square", 400)
        assert agree(layer, "backward", 400)
    square = {part: values[0] for part, values in layers[0]["square"].items()}
    base = base_function("silu")(torch.from_numpy(SAMPLES)).sum(dim=1).mean()  # of sum_i b(x_i)
    bias = 0.4**2 + 0.7**2 - 2 * 0.4 * 0.55 * float(base)
    assert square["law"] - square["base"] - square["spline"] == pytest.approx(bias, rel=1e-5)


@pytest.mark.parametrize("scheme", [Lopsided(), Unequal()])
def test_what_the_laws_do_not_give_is_null_with_the_reason(scheme):
    content = as_json(measured(scheme), [], epsilon=0, ensemble=False)
    square = content["layers"][0]["square"]
    assert (square["law"], square["spline"]) == (None, None)
    assert square["base"] > 0
    assert square["measured"] == pytest.approx(content["layers"][0]["output"]["rms"] ** 2)
    assert content["reasons"]["layers.0.square.law"] == NO_BUDGET
    assert content["reasons"]["layers.0.backward.law"] == NO_BUDGET
    assert (content["layers"][1]["square"]["law"] is None) == isinstance(scheme, Unequal)


def test_adapted_knots_have_no_budget():
    (first, *_) = stats_of(f"init={ADAPTED}", "width=[2,3,1]").layers
    assert np.isnan(first.layer["square"]["law"]).all()
    assert first.layer["square"]["measured"] > 0


def test_very_fine_grids_have_no_budget():
    """A square matrix of 50,003 bases would have 20 GB."""
    (only,) = stats_of("grid=50000", "width=[1,1]", "inputs.n=5").layers
    assert np.isnan(only.layer["square"]["law"]).all()
    assert only.layer["square"]["measured"] > 0


@pytest.mark.parametrize("words", ["default", "glorot", "lecun_norm", "efficient_kan", "pykan_0_0_5", MASKED])
def test_the_budget_of_many_samples_is_that_of_their_law(words, tmp_path):
    """explain's numbers, by quadrature, for samples that fill U(-1, 1) evenly."""
    path = tmp_path / "x.npy"
    np.save(path, 2 * qmc.Sobol(4, seed=0).random(2048) - 1)
    words = ["width=[4,3]", *f"init={words}".split(), "inputs=file", f"inputs.path={path}", "dtype=float64"]
    settings = validate(compose(words, PRESETS).config)
    (expected,) = budgets(settings)
    (layer,) = stats_of(*words, "stats=full", "stats.ntk.n=512").layers
    for part, value in {"law": expected.square, "base": expected.base, "spline": expected.spline}.items():
        assert layer.layer["square"][part] == pytest.approx(value, rel=0.01), part
    assert layer.layer["backward"]["law"] == pytest.approx(expected.backward, rel=0.02)


def test_members_have_the_budgets_of_their_own_runs():
    words = ["width=[2,3,1]", "stats=full"]
    together = stats_of(*words, "n_seeds=3")
    for seed in range(3):
        alone = stats_of(*words, f"seed={seed}")
        for layer, single in zip(together.layers, alone.layers, strict=True):
            for name in ("square", "backward"):
                for part, value in single.layer[name].items():
                    assert layer.layer[name][part][seed] == value[0], (name, part)


def test_runs_of_different_laws_that_are_computed_together_have_their_own_budgets():
    schemes = ("lecun", "glorot", "glorot", "glorot_fine")
    runs = [
        validate(compose([f"init={name}", "width=[2,3,1]", "stats=full", f"seed={seed}"], PRESETS).config)
        for seed, name in enumerate(schemes)
    ]
    together = [result.stats["layers"] for result in compute_together(runs)]
    assert together == [compute(settings).stats["layers"] for settings in runs]
    laws = [layers[0]["square"]["law"] for layers in together]
    assert len(set(laws)) == len(schemes)
