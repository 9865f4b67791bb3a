"""pykan 0.2.8's own models, live and from its checkpoints, in kancli's hands."""

import numpy as np
import pytest
import torch

import kancli
from kancli.bridges.checkpoint import read_checkpoint
from kancli.config.compose import compose
from kancli.errors import ConfigError
from tests.cli.test_code import check_law
from tests.peers.test_pykan import pytestmark

__all__ = ["pytestmark"]

PARAMETERS = ("coef", "scale_base", "scale_sp")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, run_pykan):
    folder = tmp_path_factory.mktemp("bridge")
    run_pykan("pykan_bridge.py", folder)
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return dict(np.load(folder / "found.npz"))


def state_of(found, name):
    starts = tuple(f"{name}/{part}" for part in ("act_fun", "node", "subnode", "symbolic"))
    arrays = {key.removeprefix(f"{name}/"): found[key] for key in found if key.startswith(starts)}
    return {key: torch.from_numpy(values) for key, values in arrays.items()}


@pytest.mark.parametrize("name", ["masked", "updated", "affine", "silent"])
def test_functions_are_the_librarys(name, found):
    x, y = torch.from_numpy(found[f"{name}/x"]), found[f"{name}/y"]
    traces = kancli.read(state_of(found, f"{name}/state")).trace(x)
    np.testing.assert_allclose(traces[-1].output, y, rtol=0, atol=2e-6 * np.abs(y).max())
    np.testing.assert_allclose(found[f"{name}/written/y"], y, rtol=0, atol=2e-6 * np.abs(y).max())
    if name in ("masked", "updated"):  # an affine map goes into the edges
        for number, trace in enumerate(traces):
            edges = found[f"{name}/{number}/postacts"]
            np.testing.assert_allclose(trace.postacts, edges, rtol=0, atol=2e-6 * np.abs(edges).max())


@pytest.mark.parametrize("name", ["masked", "updated"])
def test_a_round_trip_keeps_every_bit(name, found):
    written = state_of(found, f"{name}/written")
    for key, tensor in state_of(found, f"{name}/state").items():
        if not key.endswith("affine"):  # of symbolic functions that are off
            assert torch.equal(tensor, written[key]), key


def test_initialise_gives_our_numbers_and_touches_no_generator(found):
    ours = kancli.KAN([2, 3, 1], init="power_law", seed=3)
    for number, layer in enumerate(ours.layers):
        for name in PARAMETERS:
            np.testing.assert_array_equal(found[f"drawn/act_fun.{number}.{name}"], getattr(layer, name).detach())
    assert found["untouched"].all()


def test_training_from_there_gives_the_librarys_losses(found):
    ours, x = kancli.read(state_of(found, "drawn")), torch.from_numpy(found["masked/x"])
    y = torch.sin(2 * x[:, :1]) + torch.tanh(x[:, 1:])
    data = {"train_input": x, "train_label": y, "test_input": x, "test_label": y}
    losses = ours.fit(data, opt="Adam", lr=0.01, steps=200, update_grid=False)["train_loss"]
    np.testing.assert_allclose(losses, found["losses"], rtol=1e-3)
    assert losses[-1] < 0.5 * losses[0]


def test_a_trained_checkpoint_of_its_own_is_examined(folder, found):
    x = torch.from_numpy(found["masked/x"])
    model = kancli.read(folder / "trained_state")
    np.testing.assert_allclose(model(x).detach(), found["trained/y"], rtol=0, atol=2e-6)
    stats = kancli.examine(folder / "trained_state", x)
    assert [layer["n_in"] for layer in stats["layers"]] == [2, 3]
    assert {entry["name"]: entry["verdict"] for entry in stats["verdicts"]}["non_finite"] == "pass"


@pytest.mark.parametrize(
    ("name", "message"), [("symbolic", "edge 1 to 2 has a symbolic"), ("multiplied", "3 nodes from 4")]
)
def test_what_has_no_counterpart_is_named(name, message, folder):
    with pytest.raises(ConfigError, match=rf"{name}_state: .*{message}"):
        read_checkpoint(folder / f"{name}_state", "pykan")


def test_the_lines_of_export_load_the_file(tmp_path, run_pykan, kan_run):
    """A scheme with biases, two members, and a base function that is not the default."""
    words = ("init=glorot", "base_fun=gelu", "width=2-3-1", "n_seeds=2", "figures=none", "hydra.run.dir=run")
    assert kan_run(*words).code == 0
    x = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    expected = kancli.KAN.load(tmp_path / "run")(torch.from_numpy(x))[1].detach()
    for file in ("model.pt", "model.safetensors"):
        exported = kan_run("export", "run", "--to", "pykan", "--member", "1", "-o", str(tmp_path / file))
        title, *lines = exported.out.splitlines()
        assert title == f"{tmp_path / file}: parameters as drawn of member 1, seed 1, for pykan"
        assert len(lines) == 3
        (tmp_path / "lines.py").write_text("\n".join(lines))
        run_pykan("pykan_exported.py", tmp_path / "lines.py", tmp_path / "x.npy", tmp_path / "y.npy")
        y = np.load(tmp_path / "y.npy")
        np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6 * np.abs(y).max())


def test_the_printed_function_fills_a_model(tmp_path, run_pykan, kan_run, presets):
    words = ["init=glorot", "width=30-40-20", "grid=6"]
    (tmp_path / "code.py").write_text(kan_run("explain", *words, "--code", "pykan").out)
    run_pykan("pykan_filled.py", tmp_path / "code.py", tmp_path / "filled.npz")
    tensors, settings = np.load(tmp_path / "filled.npz"), compose(words, presets).settings
    for number, size in enumerate(settings.layer_sizes()):
        laws = settings.init.laws(size)
        for name in ("scale_base", "scale_sp", "coef"):
            check_law(torch.from_numpy(tensors[f"act_fun.{number}.{name}"]), laws[name])
        assert (tensors[f"node_bias_{number}"] == 0).all()
