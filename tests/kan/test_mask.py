"""A mask switches edges off for good: in values, slopes and gradients, in files, and in statistics."""

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kancli import KAN
from kancli.inits.pykan import nearest_edges
from kancli.inits.scheme import LayerSize
from kancli.kan import network
from kancli.kan.base_functions import base_function
from kancli.stats.collector import Collector
from tests.oracles import kan as oracle

SPARSE = ("init=pykan_0_2_8", "sparse_init=true")


@pytest.fixture
def model():
    """All parameters at random, and a mask with rows and columns of both kinds."""
    model = network.KAN([3, 4], grid=5, k=3, base_fun=base_function("silu"), base_name="silu", masked=True,
                        dtype=torch.float64)  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    (layer,) = model.layers
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    layer.mask.copy_(torch.tensor([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 0]], dtype=torch.bool))
    return model


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).uniform(-1.2, 1.2, size=(40, 3)))


def test_values_and_parts_are_those_of_the_definition(model, x):
    (layer,) = model.layers
    coef, scale_base, scale_sp = (getattr(layer, name).detach().numpy() for name in ("coef", "scale_base", "scale_sp"))
    mask = layer.mask.numpy()
    expected = oracle.layer(x.numpy(), coef, scale_base, scale_sp, "silu") * mask
    (trace,) = model.trace(x)
    np.testing.assert_allclose(trace.postacts, expected, atol=1e-12)
    np.testing.assert_allclose(model(x).detach(), expected.sum(1), atol=1e-12)
    sources, targets = (torch.from_numpy(index.ravel()) for index in np.indices((3, 4)))
    base, spline = layer.edge_parts(x[:, sources], sources, targets)
    np.testing.assert_allclose((base + spline).detach(), expected.reshape(40, 12), atol=1e-12)
    assert (layer.slopes(x)[:, ~layer.mask] == 0).all()


def test_parameters_of_edges_that_are_off_have_no_gradient(model, x):
    (layer,) = model.layers
    model(x).square().sum().backward()
    for parameter in (layer.coef, layer.scale_base, layer.scale_sp):
        moved = parameter.grad.reshape(3, 4, -1).abs().amax(-1) > 0
        assert torch.equal(moved, layer.mask)
    assert "mask" not in dict(layer.named_parameters())


def test_flat_edges_are_counted_among_those_that_are_on(model, x):
    """Of 7 edges that are on, one is made constant."""
    (layer,) = model.layers
    with torch.no_grad():
        layer.scale_base[1, 2] = layer.scale_sp[1, 2] = 0
    collector = Collector(model)
    collector.update(model.trace(x))
    stats, _ = collector.compute()
    assert stats.layers[0].layer["flat_edges"].tolist() == [1 / 7]


def test_state_dict_and_copies_keep_the_mask(model, x):
    fresh = network.KAN(model.width, **model.layer_options)
    fresh.load_state_dict(model.state_dict())
    for other in (fresh, copy.deepcopy(model), copy.deepcopy(model).float(), model.member(None)):
        assert torch.equal(other.layers[0].mask, model.layers[0].mask)
    assert torch.equal(fresh(x), model(x))


def test_a_mask_of_another_model_is_refused(model):
    without = network.KAN(model.width, **{**model.layer_options, "masked": False})
    with pytest.raises(RuntimeError, match=r"layers\.0\.mask"):
        without.load_state_dict(model.state_dict())


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_run_keeps_its_mask(kan_run, n_seeds):
    run = kan_run(*SPARSE, f"n_seeds={n_seeds}", "figures=none")
    assert run.code == 0, run.err
    tensors = load_file(run.folder / "params.safetensors")
    for layer, (n_in, n_out) in enumerate([(2, 5), (5, 1)]):
        expected = torch.tensor(nearest_edges(n_in, n_out))
        assert tensors[f"layers.{layer}.mask"].dtype == torch.bool
        assert torch.equal(tensors[f"layers.{layer}.mask"], expected.expand(n_seeds, -1, -1).squeeze(0))
    saved = load_file(run.folder / "activations.safetensors")
    loaded = KAN.load(run.folder)
    output = loaded(saved["inputs"]).detach()
    assert torch.equal(output if n_seeds == 1 else output[0], saved["output"])
    edges = run.json("stats.json")["layers"][0]["edges"]
    shown = edges["mask"] if n_seeds == 1 else edges["mask"]["mean"]
    assert shown == expected_mask(2, 5)
    assert kan_run("draw", str(run.folder), "figures=default").code == 0


def expected_mask(n_in, n_out):
    return [float(is_on) for row in nearest_edges(n_in, n_out) for is_on in row]


@pytest.mark.slow
def test_runs_with_and_without_a_mask_are_not_computed_together(kan_run):
    """Each job of a sweep has the numbers of the run alone."""
    sweep = kan_run("-m", "init=pykan_0_2_8", "sparse_init=true,false", "seed=0,1", "figures=none")
    assert sweep.code == 0, sweep.err
    for folder in (path.parent for path in sweep.cwd.glob("multirun/*/*/*/stats.json")):
        config = json.loads((folder / "run.json").read_text())["config"]
        alone = kan_run("init=pykan_0_2_8", f"sparse_init={str(config['init']['sparse_init']).lower()}",
                        f"seed={config['seed']}", "figures=none")  # fmt: skip
        assert alone.json("stats.json") == json.loads((folder / "stats.json").read_text())


def test_a_mask_changes_the_identity_of_its_runs_alone(presets):
    from kancli.config.compose import compose
    from kancli.config.identity import identity

    of = {words: identity(compose(words.split(), presets).settings) for words in
          ("init=pykan_0_2_8", "init=pykan_0_2_8 sparse_init=true")}  # fmt: skip
    assert of["init=pykan_0_2_8"] == "bbcc086ebbdb3a9527e2f64fcd35647d272c03db04c03d56322b7481189e3163"
    # that of runs whose edges were switched off by scales of 0
    assert of["init=pykan_0_2_8 sparse_init=true"] != "c188459912c2ec36032ff54569217b5fc5da6d65a342252f7b0d45865915bade"


def test_a_baseline_from_before_the_mask_is_inconclusive(kan_run):
    """Not damaged: its config's hash and its tensors are those of the scheme as it was."""
    run = kan_run(*SPARSE, "figures=none")
    assert kan_run("bless", str(run.folder), "-o", "old.json").code == 0
    assert kan_run("check", "old.json").code == 0
    path = run.cwd / "old.json"
    content = json.loads(path.read_text())
    del content["sha256"]
    content["ladder"] = {name: value for name, value in content["ladder"].items() if "mask" not in name}
    content["ladder"]["config"] = "0" * 64
    path.write_text(json.dumps(content))
    answer = kan_run("check", "old.json")
    assert answer.code == 5
    assert "old.json: inconclusive: recorded before its scheme changed: it lacks layer 0 mask" in answer.out


def test_a_scheme_with_a_mask_needs_a_layer_with_one():
    from kancli.inits import SCHEMES
    from kancli.inits.initialise import init_

    model = network.KAN([2, 5], grid=5, k=3, base_fun=base_function("silu"))
    scheme = SCHEMES["pykan_0_2_8"](sparse_init=True)
    assert scheme.mask(LayerSize(2, 5, 5, 3)) == nearest_edges(2, 5)
    with pytest.raises(ValueError, match="masked=True"):
        init_(model, scheme, seed=0)
