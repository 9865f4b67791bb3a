"""`KAN.load`: the model of a run's folder gives the run's output, bit for bit."""

import pytest
import torch
from safetensors.torch import load_file

from kancli import KAN
from kancli.errors import ConfigError

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


@pytest.mark.parametrize("words", [["grid.adapt=samples"], ["n_seeds=3"], ["grid=7"]])
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
