"""`kan-run explain --code`: the printed function is run, and what it fills is held against the law."""

import math

import pytest
import torch

from kancli.config.compose import compose
from kancli.inits.laws import Constant, Normal, NormalByBasis, Uniform
from tests.oracles import efficient_kan

WIDTH = (30, 40, 40, 20)
WITHOUT_CODE = {
    "efficient_kan": "no short form", "efficient_kan_fixed": "no short form", "pykan_0_0_5": "no short form",
    "pykan_0_2_8": "no short form", "pykan_fit": "no short form", "lecun_norm": "standardises",
}  # fmt: skip


def filled(code, model, seed=0):
    names = {}
    exec(code, names)
    state = torch.get_rng_state()
    assert names["initialise_"](model, seed) is model
    assert torch.equal(torch.get_rng_state(), state), "the global generator is left alone"
    return model


def check_law(tensor, law):
    """Mean and standard deviation within five standard errors; of each basis where they differ."""
    if isinstance(law, NormalByBasis):
        for numbers, std in zip(tensor.reshape(-1, tensor.shape[-1]).T, law.stds, strict=True):
            check_law(numbers, Normal(0.0, std))
        return
    shape, values = tuple(tensor.shape), tensor.detach().double()
    assert abs(values.mean().item() - law.mean) <= 5 * law.mean_error(shape) + 1e-7 * abs(law.mean)
    assert abs((values - law.mean).square().mean().item() - law.std**2) <= 5 * law.variance_error(shape) + 1e-12
    if isinstance(law, (Uniform, Constant)):
        low, high = law.bounds
        slack = 1e-6 * max(abs(low), abs(high))
        assert low - slack <= values.min().item() <= values.max().item() <= high + slack


def empty(sizes):
    return [
        {
            "scale_base": torch.full((size.n_in, size.n_out), math.nan),
            "scale_sp": torch.full((size.n_in, size.n_out), math.nan),
            "coef": torch.full((size.n_in, size.n_out, size.n_basis), math.nan),
            "bias": torch.full((size.n_out,), math.nan),
        }
        for size in sizes
    ]


def test_every_preset_is_filled_by_its_law_or_answered(kan_run, presets):
    width = "width=" + "-".join(map(str, WIDTH))
    for name in presets.options("init"):
        printed = kan_run("explain", f"init={name}", width, "grid=7", "--code", "torch")
        if name in WITHOUT_CODE:
            assert (printed.code, printed.out) == (2, "")
            assert WITHOUT_CODE[name] in printed.err
            continue
        assert printed.code == 0, printed.err
        settings = compose([f"init={name}", width, "grid=7"], presets).settings
        sizes = settings.layer_sizes()
        layers = filled(printed.out, empty(sizes))
        for layer, size in zip(layers, sizes, strict=True):
            for tensor, law in settings.init.laws(size).items():
                check_law(layer[tensor], law)


def test_a_model_of_efficient_kan_is_filled(kan_run, presets):
    words = ["glorot_fine", "width=30-40-40-20", "grid=7", "k=2"]
    printed = kan_run("explain", *words, "--code", "efficient_kan")
    model = filled(printed.out, efficient_kan.KAN(WIDTH, grid_size=7, order=2))
    settings = compose(["init=glorot_fine", *words[1:]], presets).settings
    for layer, size in zip(model.layers, settings.layer_sizes(), strict=True):
        laws = settings.init.laws(size)
        check_law(layer.base_weight, laws["scale_base"])
        check_law(layer.spline_weight, laws["coef"])
        assert (layer.spline_scaler == laws["scale_sp"].value).all()
    again = filled(printed.out, efficient_kan.KAN(WIDTH, grid_size=7, order=2))
    other = filled(printed.out, efficient_kan.KAN(WIDTH, grid_size=7, order=2), seed=1)
    weight = model.layers[1].spline_weight
    assert torch.equal(again.layers[1].spline_weight, weight), "one seed, one set of numbers"
    assert not torch.equal(other.layers[1].spline_weight, weight)
    assert not torch.equal(model.layers[1].base_weight.flatten()[:50], model.layers[2].base_weight.flatten()[:50])
    with pytest.raises(AssertionError, match="other sizes"):
        filled(printed.out, efficient_kan.KAN(WIDTH, grid_size=8, order=2))


ANSWERED = {
    "explain glorot --code keras": "allowed: one of torch, pykan, efficient_kan",
    "explain model=mlp --code torch": "leave model out",
    "explain pykan_0_2_8 --code pykan": "use kancli.initialise(model, ...)",
    "explain glorot width=2 --code torch": "width=2",
    "explain model=model.pt": "model.pt: no such file",
}


@pytest.mark.parametrize("words", ANSWERED)
def test_what_has_no_code_is_answered(kan_run, words):
    refused = kan_run(*words.split())
    assert (refused.code, refused.out) == (2, "")
    assert ANSWERED[words] in refused.err
