"""pykan 0.2.8's frozen mask as a live oracle: the kernel of a sparse network, and where training takes it."""

import numpy as np
import pytest
import torch

import kancli
from kancli import KAN
from tests.peers.test_pykan import pytestmark

WORDS = ["init=pykan_0_2_8", "sparse_init=true", "stream=source", "width=[4,5,1]", "inputs=uniform", "stats=full"]
STEPS = 200
__all__ = ["pytestmark"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sparse") / "run"
    return kancli.run([*WORDS, "dtype=float64", "figures=none", f"hydra.run.dir={folder}"])


@pytest.fixture(scope="module")
def theirs(run, run_pykan, tmp_path_factory):
    """The library's kernel on the run's samples, and its parameters after training on them."""
    folder = tmp_path_factory.mktemp("sparse")
    x = run.tensors("activations.safetensors")["inputs"]
    y = torch.sin(3 * x.sum(-1, keepdim=True))
    coef = {name: tensor for name, tensor in run.tensors("params.safetensors").items() if name.endswith("coef")}
    np.savez(folder / "given.npz", x=x, y=y, steps=STEPS, **coef)
    run_pykan("pykan_sparse.py", folder / "given.npz", folder / "found.npz")
    return {"x": x, "y": y, **np.load(folder / "found.npz")}


def test_kernel_and_dead_edges_of_a_sparse_network(run, theirs):
    stats = run.stats
    eigenvalues = np.linalg.eigvalsh(theirs["kernel"])[::-1]
    np.testing.assert_allclose(stats["ntk"]["eigenvalues"], eigenvalues, atol=1e-5 * eigenvalues[0])
    assert stats["ntk"]["trace"] == pytest.approx(50.46, abs=0.005)
    assert stats["ntk"]["effective_rank"] == pytest.approx(1.208, abs=0.0005)
    assert [layer["flat_edges"] for layer in stats["layers"]] == [0, 0]


def test_training_leaves_the_librarys_edges_alive(run, theirs):
    model = KAN.load(run.folder)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (model(theirs["x"]) - theirs["y"]).square().mean().backward()
        optimizer.step()
    traces = model.trace(theirs["x"])
    assert [int((trace.postacts.std(0) > 0).sum()) for trace in traces] == [5, 5] == list(theirs["live"])
    for number, layer in enumerate(model.layers):
        np.testing.assert_array_equal(layer.mask, theirs[f"{number}.mask"] == 1)
        for name in ("scale_base", "scale_sp", "coef"):
            np.testing.assert_allclose(getattr(layer, name).detach(), theirs[f"{number}.{name}"], atol=1e-5)
