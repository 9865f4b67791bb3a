"""Presets, statistics and verdicts of `kancli.KAN`, and `kancli.run`: the numbers of the command line."""

import copy
import json
import pickle

import pytest
import torch

import kancli
from kancli import KAN
from kancli.errors import ConfigError, NonFiniteError
from tests.alike import slow_but

SAME = [
    (["init=linear"], {"width": [2, 5, 1], "init": "linear"}),
    (["init=glorot", "gain=1.5", "width=deep", "grid=coarse", "k=quadratic", "seed=7"],
     {"width": "deep", "grid": "coarse", "k": "quadratic", "init": "glorot", "gain": 1.5, "seed": 7}),
    (["init=symmetric", "base_fun=gelu"], {"width": [2, 5, 1], "init": "symmetric", "base_fun": "gelu"}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "arguments"), slow_but(1, SAME), ids=[" ".join(words) for words, _ in SAME])
def test_presets_and_statistics_are_those_of_the_command_line(kan_run, words, arguments):
    run = kancli.run([*words, "stats=full", "figures=none"])
    model = KAN(**arguments)
    parameters = run.tensors("params.safetensors")
    assert model.state_dict().keys() == parameters.keys()
    assert all(torch.equal(tensor, parameters[name]) for name, tensor in model.state_dict().items())
    x = run.tensors("activations.safetensors")["inputs"]
    stats = model.stats(x, "full")
    assert stats == run.stats
    assert model.verdicts(x, "full") == run.stats["verdicts"]
    assert model.stats(x) == kancli.run([*words, "figures=none"]).stats


def test_a_preset_that_does_not_exist():
    with pytest.raises(ConfigError, match="did you mean glorot"):
        KAN([2, 1], init="xavier")


def test_measuring_changes_nothing():
    model = KAN([2, 3, 1], init="lecun_norm", dtype="float64")
    x = torch.randn(50, 2, dtype=torch.float64)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    y = model(x)
    model.stats(x, "full")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(model(x), y)
    assert torch.equal(torch.get_rng_state(), state)


def test_parameters_are_held_against_their_law_only_as_drawn():
    model, x = KAN([2, 5, 1]), torch.randn(100, 2)
    (as_drawn,) = (verdict for verdict in model.verdicts(x) if verdict["name"] == "off_law")
    assert as_drawn["verdict"] == "pass"
    with torch.no_grad():
        model.layers[0].coef += 1
    (trained,) = (verdict for verdict in model.verdicts(x) if verdict["name"] == "off_law")
    assert (trained["value"], trained["verdict"]) == (None, None)
    assert model.stats(x)["layers"][0]["coef"]["mean"] == pytest.approx(1, abs=0.1)


def test_a_level_that_does_not_exist():
    with pytest.raises(ConfigError, match="level=none: allowed: one of basic, full"):
        KAN([2, 1]).stats(torch.zeros(3, 2), "none")


def test_no_samples_have_no_statistics():
    with pytest.raises(ValueError, match="x has no samples"):
        KAN([2, 1]).stats(torch.zeros(0, 2))


def test_a_loaded_run_has_the_statistics_of_the_run(kan_run):
    run = kancli.run("n_seeds=3 grid.adapt=samples figures=none")
    model = KAN.load(run.folder)
    verdicts = {verdict["name"]: verdict["verdict"] for verdict in model.verdicts(torch.randn(100, 2))}
    assert verdicts.keys() == {verdict.name for verdict in run.verdicts}
    assert "init=default, noise_scale=0.1" in repr(model)
    assert "members=3" in repr(model)


@pytest.mark.parametrize("change", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_repr_gives_what_the_model_was_made_by(change):
    model = change(KAN([2, 5, 1], grid=7, k=2, init="linear", seed=3, noise_scale=1.0))
    assert repr(model) == "KAN(width=[2, 5, 1], grid=7, k=2, init=linear, noise_scale=1, seed=3)"


@pytest.mark.parametrize("name", ["folder", "mask", "mode", "varscale", "var_names"])
def test_further_arguments_of_pykans_plot_are_answered(name):
    model = KAN([2, 1])
    with pytest.raises(ConfigError, match=f"{name}=1: (?!plot\\(\\) has no)"):
        model.plot(**{name: 1})


def test_run_returns_the_run_and_prints_nothing(kan_run, capfd, tmp_path):
    run = kancli.run(["init=glorot", "width=2-8-8-1", "hydra.run.dir=here"])
    assert capfd.readouterr() == ("", "")
    assert run.folder.resolve() == tmp_path / "here"
    assert run.record.status == "complete"
    assert run.stats == json.loads((tmp_path / "here/stats.json").read_text())
    assert run.tensors("params.safetensors")["layers.2.coef"].shape == (8, 1, 8)
    assert run.record.identity == kan_run("init=glorot", "width=2-8-8-1").json("run.json")["identity"]


@pytest.mark.parametrize(
    ("words", "error", "part"),
    [
        (["init=xavier"], ConfigError, "did you mean glorot"),
        ("init=glorot gain=1e37 hydra.run.dir=a", NonFiniteError, "not finite"),
        (["-m", "seed=1,2"], ConfigError, "one run"),
        (["check", "x"], ConfigError, "kan-run check x"),
        (["--init", "linear"], ConfigError, "type init=linear"),
        ("--cfg job", ConfigError, "one run"),
    ],
)
def test_run_raises_what_the_command_line_answers(kan_run, tmp_path, words, error, part):
    with pytest.raises(error, match=part):
        kancli.run(words)
    assert [path.name for path in tmp_path.iterdir()] == (["a"] if error is NonFiniteError else [])
