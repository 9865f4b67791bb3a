"""`kan-run export`: the network of a run in the layouts of other libraries."""

import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import kancli
from kancli.bridges.checkpoint import read_checkpoint
from tests.oracles import efficient_kan

TRAINED = ["task=f2", "width=in-3-out", "task.n=20", "task.test_n=10", "train.steps=3", "train.compile=false"]
FILES = {"pykan": "m.pt", "pykan_0_0_5": "m.pth", "efficient_kan": "m.safetensors", "inkan": "m.pt", "jaxkan": "m.npz"}


@pytest.fixture
def trained(kan_run_once):
    return kan_run_once(*TRAINED, "n_seeds=2", "figures=none").folder


def assert_same(y, expected):
    torch.testing.assert_close(y, expected, rtol=0, atol=2e-6 * expected.detach().abs().max().item())


@pytest.mark.parametrize("library", FILES)
def test_the_file_holds_the_functions_of_the_trained_member(kan_run, trained, library):
    file = trained.parent / FILES[library]
    made = kan_run("export", str(trained), "--to", library, "--member", "1", "-o", str(file))
    assert made.code == 0, made.err
    assert made.out.startswith(f"{file}: trained parameters of member 1, seed 1, for {library}\nimport ")
    network, x = kancli.KAN([2, 3, 1]), torch.linspace(-1.5, 1.5, 40).reshape(20, 2)
    tensors = load_file(trained / "trained.safetensors")
    network.load_state_dict({name: tensor[1] for name, tensor in tensors.items()})
    assert_same(read_checkpoint(file, library)(x), network(x))
    before = kan_run(
        "export", str(trained), "--to", library, "--member", "0", "--initial", "-o", str(file), "--overwrite"
    )
    assert "parameters before training of member 0, seed 0" in before.out
    assert_same(read_checkpoint(file, library)(x), kancli.KAN.load(trained)(x)[0])


def test_the_lines_load_the_file(kan_run, monkeypatch):
    """Into a model of efficient-kan, with another base function; `tests/peers` has pykan."""
    run = kan_run("width=2-3-1", "k=2", "base_fun=gelu", "dtype=float64", "inputs.n=5", "figures=none").folder
    options = {"grid_size": "grid_size", "spline_order": "order", "base_activation": "base_activation"}

    def build(width, **given):
        return efficient_kan.KAN(width, **{options[name]: value for name, value in given.items()})

    monkeypatch.setitem(sys.modules, "efficient_kan", SimpleNamespace(KAN=build))
    made = kan_run("export", str(run), "--to", "efficient_kan", "-o", "m.pt")
    assert made.out.startswith("m.pt: parameters as drawn, for efficient_kan\n")
    names, x = {}, torch.linspace(-1.5, 1.5, 40, dtype=torch.float64).reshape(20, 2)
    exec("\n".join(made.out.splitlines()[1:]), names)
    torch.testing.assert_close(names["model"](x), kancli.KAN.load(run)(x), rtol=0, atol=1e-12)


ANSWERED = {
    "export {run} --to pykan -o m.pt": "has 2 networks; choose one: --member 0 to 1",
    "export {run} --to pykan --member 2 -o m.pt": "--member 2: has 2 networks",
    "export {run} --to kan --member 0 -o m.pt": "--to kan: allowed: one of pykan, pykan_0_0_5",
    "export {run} --to jaxkan --member 0 -o m.pt": "allowed for jaxkan: a name that ends with .npz",
    "export {run} --to pykan --member 0 -o m.npz": "allowed for pykan",
    "export {run} --to pykan --member 0": "export: name one run, a library and a file",
    "export none --to pykan -o m.pt": "none/run.json: no such file",
    "export {run}/trained.safetensors --to pykan -o m.pt": "has 2 members",
    "export {run}/run.json --to pykan -o m.pt": "no checkpoint of",
}


@pytest.mark.parametrize("words", ANSWERED)
def test_what_cannot_be_exported_is_answered(kan_run, trained, words, tmp_path):
    refused = kan_run(*words.format(run=trained).split())
    assert refused.code == 2
    assert ANSWERED[words] in refused.err
    assert len(refused.err.splitlines()) <= 3
    assert not list(tmp_path.glob("m.*"))
