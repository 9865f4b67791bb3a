"""`KAN.load`: the model of a run's folder gives the run's output, bit for bit."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from kancli import KAN
from kancli.errors import ConfigError
from tests.runs.records import reseal

RUNS = {
    "default": [],
    "adapted knots": ["grid.adapt=samples", "grid.eps=0.3"],
    "members": ["n_seeds=3"],
    "members with adapted knots": ["n_seeds=3", "grid.adapt=samples"],
    "more members than figures show": ["n_seeds=60"],
    "bias": ["init=pykan_0_0_5", "width=2-3-2"],
    "standardised bases": ["init=lecun_norm", "n_seeds=2"],
    "float64": ["dtype=float64", "base_fun=tanh", "k=2", "grid=7", "grid.range=[-2,3]"],
}


@pytest.mark.slow
@pytest.mark.parametrize("case", RUNS)
def test_a_loaded_model_gives_the_output_of_its_run(kan_run, case):
    run = kan_run(*RUNS[case], "figures=none")
    assert run.code == 0, run.err
    model = KAN.load(run.folder)
    kept = load_file(run.folder / "activations.safetensors")
    assert type(model) is KAN
    with torch.no_grad():
        y = model(kept["inputs"])
    first = y if model.n_members is None else y[0]
    assert torch.equal(first, kept["output"])
    params = load_file(run.folder / "params.safetensors")
    assert all(torch.equal(tensor, params[name].expand_as(tensor)) for name, tensor in model.named_parameters())
    assert model.plot()._repr_png_()
    assert model(torch.zeros(2, dtype=y.dtype)).shape == (*y.shape[:-2], y.shape[-1])


def test_members_take_samples_of_their_own(kan_run):
    run = kan_run("n_seeds=3", "figures=none")
    model, x = KAN.load(str(run.folder)), torch.randn(3, 5, 2)
    y = model(x)
    assert y.shape == (3, 5, 1)
    torch.testing.assert_close(y[1], model(x[1])[1])
    assert model.plot()._repr_png_()
    for wrong in (torch.randn(2, 5, 2), torch.randn(1, 3, 5, 2)):
        with pytest.raises(ValueError, match="allowed for 3 members"):
            model(wrong)


def test_a_loaded_model_takes_the_parameters_of_another(kan_run):
    run = kan_run("grid.adapt=samples", "figures=none")
    model, other = KAN.load(run.folder), KAN.load(run.folder)
    with torch.no_grad():
        model.layers[0].coef.add_(1.0)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.layers[0].coef, model.layers[0].coef)


def test_a_fresh_model_takes_adapted_knots(kan_run):
    run = kan_run("grid.adapt=samples", "figures=none")
    model, kept = KAN([2, 5, 1]), load_file(run.folder / "activations.safetensors")
    model.load_state_dict(load_file(run.folder / "params.safetensors"))
    with torch.no_grad():
        assert torch.equal(model(kept["inputs"]), kept["output"])


@pytest.mark.parametrize("words", [["grid.adapt=samples", "grid=7"], ["n_seeds=3"], ["grid=7"]])
def test_parameters_of_another_model_name_the_way_to_load_them(kan_run, words):
    run = kan_run(*words, "figures=none")
    with pytest.raises(ValueError, match=r"KAN\.load\(RUN\)"):
        KAN([2, 5, 1]).load_state_dict(load_file(run.folder / "params.safetensors"))


def test_what_is_no_run_is_answered(kan_run, tmp_path):
    with pytest.raises(ConfigError, match="no such file; give the folder of a run"):
        KAN.load(tmp_path / "nothing")
    run = kan_run("figures=none")
    (run.folder / "params.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"params\.safetensors"):
        KAN.load(run.folder)


def test_a_run_before_its_scheme_had_a_mask_can_be_measured(kan_run):
    words = ["init=pykan_0_2_8", "width=4-5-1"]
    run = kan_run(*words, "sparse_init=true", "figures=none")
    path = run.folder / "params.safetensors"
    params = load_file(path)
    masks = {name: params.pop(name) for name in list(params) if name.endswith("mask")}
    for name, mask in masks.items():  # as it was: scales of 0, which train
        for scale in ("scale_base", "scale_sp"):
            params[name.replace("mask", scale)] *= mask
    before = KAN.load(run.folder)
    save_file(params, path)
    reseal(run.folder)
    model, x = KAN.load(run.folder), torch.linspace(-1, 1, 40).reshape(10, 4)
    assert all(layer.mask is None for layer in model.layers)
    assert torch.equal(model(x), before(x))
    (law,) = (verdict for verdict in model.verdicts(x) if verdict["name"] == "off_law")
    assert (law["value"], law["verdict"]) == (None, None)
    assert model.stats(x)["layers"][1]["output"] == before.stats(x)["layers"][1]["output"]
