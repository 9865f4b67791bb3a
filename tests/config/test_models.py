"""The group model: an MLP's size against the KAN's number of trained parameters, and what the choice changes."""

import pytest
import torch

from kancli.config.compose import compose
from kancli.config.identity import config_of, identity
from kancli.errors import ConfigError
from kancli.inits.initialise import init_
from kancli.runs.build import empty_model
from kancli.training.parameters import ParameterRows, ensemble_copy


@pytest.fixture
def settings_of(presets):
    return lambda *words: compose(words, presets).settings


# By hand: [2, 8, 8, 1] has 88 edges of 5 + 3 coefficients and two scales, and with a bias 17 more numbers; an MLP with
# two hidden layers of h nodes has h^2 + 5h + 1. [3, 4, 2] has 20 edges; an MLP with one hidden layer 6h + 2.
SIZES = {
    "width=2-8-8-1": ((2, 27, 27, 1), 27**2 + 5 * 27 + 1, 88 * 10),
    "width=2-8-8-1 init=glorot": ((2, 28, 28, 1), 28**2 + 5 * 28 + 1, 88 * 10 + 17),
    "width=3-4-2 grid=2 k=1": ((3, 16, 2), 6 * 16 + 2, 20 * 5),
    "width=2-8-8-1 task=f1 train.refine=100:10": ((2, 34, 34, 1), 34**2 + 5 * 34 + 1, 88 * 15),
    "width=2-8-8-1 task=f1 train.only=coef": ((2, 24, 24, 1), 24**2 + 5 * 24 + 1, 88 * 8),
    "width=2-1-1 grid=1 k=0 task=f1 train.only=scale_sp": ((2, 1, 1), 5, 3),
}


@pytest.mark.parametrize("words", SIZES)
def test_the_hidden_width_brings_the_parameters_nearest_to_those_that_the_kan_trains(settings_of, words):
    mlp = settings_of("model=mlp", *words.split()).mlp
    assert tuple(mlp) == SIZES[words]


def test_the_count_is_what_training_trains(settings_of):
    """Of a scheme with a mask, whose edges that are off stay as they are; and of one with a bias."""
    for words in (["init=pykan_0_2_8", "sparse_init=true"], ["init=glorot"]):
        settings = settings_of("model=mlp", "width=3-5-4-2", *words)
        kan = init_(empty_model(settings_of("width=3-5-4-2", *words), None), settings.init, seed=0)
        rows = ParameterRows(ensemble_copy(kan), None)
        x = torch.linspace(-1, 1, 60).reshape(20, 3)
        grads = torch.autograd.grad(rows.model(x).square().sum(), rows.tensors())
        moved = rows.values.shape[1]
        if kan.layers[0].mask is not None:
            n_off = sum(int((layer.mask == 0).sum()) for layer in kan.layers)
            moved -= n_off * (kan.layers[0].n_basis + 2)
            assert sum(int((grad == 0).sum()) for grad in grads) >= rows.values.shape[1] - moved > 0
        assert settings.mlp.n_of_kan == moved


def test_a_run_of_a_kan_keeps_its_identity(settings_of):
    assert "model" not in config_of(settings_of("model=kan"), identity_only=True)
    assert identity(settings_of("model=kan")) == identity(settings_of())
    assert config_of(settings_of("model=mlp"))["model"] == {"kind": "mlp"}
    assert identity(settings_of("model=mlp")) != identity(settings_of())


def test_an_mlp_has_a_hidden_layer(settings_of):
    with pytest.raises(ConfigError, match=r"width=2-1 model=mlp: without a hidden layer .* type width=2-5-1"):
        settings_of("model=mlp", "width=2-1")


def test_the_memory_is_that_of_the_mlp(settings_of):
    with pytest.raises(ConfigError, match=r"model=mlp, of width 9-\d{5}-\d{5}-1: the model needs"):
        settings_of("model=mlp", "width=9-20000-20000-1")
