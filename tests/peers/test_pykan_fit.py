"""pykan 0.2.8's `fit` as a live oracle: hello KAN from the same parameters, knots and data."""

import json

import numpy as np
import pytest
import torch

from kancli import KAN, create_dataset
from tests.peers.test_pykan import pytestmark

__all__ = ["pytestmark"]

ADAM = {"opt": "Adam", "steps": 20, "lr": 0.01}
SEEDS = range(4)
CASES = {
    "adam": {"seed": 0, "fit": ADAM | {"update_grid": False}},
    "adam, penalty": {
        "seed": 1,
        "fit": ADAM | {"update_grid": False, "lamb": 0.01, "lamb_coef": 0.5, "lamb_coefdiff": 0.5},
    },
    "adam, grid updates": {"seed": 2, "fit": ADAM | {"stop_grid_update_step": 16, "grid_update_num": 4}},
} | {f"lbfgs {seed}": {"seed": seed, "fit": {"opt": "LBFGS", "steps": 6, "lamb": 0.001}} for seed in SEEDS}


def model_of(seed):
    return KAN([2, 5, 1], grid=3, k=3, seed=seed, init="pykan_0_2_8", dtype="float64")


def hello(x):
    return torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2)


@pytest.fixture(scope="module")
def dataset():
    """300 samples, in float64."""
    inputs = {name: tensor.double() for name, tensor in create_dataset(hello, train_num=300, test_num=300).items()}
    return inputs | {f"{part}_label": hello(inputs[f"{part}_input"]) for part in ("train", "test")}


@pytest.fixture(scope="module")
def theirs(dataset, run_pykan, tmp_path_factory):
    """The library's curves."""
    folder = tmp_path_factory.mktemp("fit")
    given = {name: tensor.numpy() for name, tensor in dataset.items()}
    for seed in SEEDS:
        for layer, ours in enumerate(model_of(seed).layers):
            names = ("coef", "scale_base", "scale_sp")
            given |= {f"{seed}.{layer}.{name}": getattr(ours, name).detach().numpy() for name in names}
    (folder / "cases.json").write_text(json.dumps(CASES))
    np.savez(folder / "given.npz", **given)
    run_pykan("pykan_fit.py", folder / "cases.json", folder / "given.npz", folder / "found.npz")
    return np.load(folder / "found.npz")


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("adam")])
def test_curves_of_adam_are_the_librarys(name, dataset, theirs):
    ours = model_of(CASES[name]["seed"]).fit(dataset, **CASES[name]["fit"])
    for curve, values in ours.items():
        np.testing.assert_allclose(values, theirs[f"{name}.{curve}"], rtol=1e-6, err_msg=curve)


@pytest.fixture(scope="module")
def ours(dataset):
    """Our curves of LBFGS."""
    return {name: model_of(case["seed"]).fit(dataset, **case["fit"]) for name, case in CASES.items() if "lb" in name}


@pytest.mark.parametrize("curve", ["train_loss", "test_loss", "reg"])
def test_lbfgs_ends_within_the_spread_of_the_library(curve, ours, theirs):
    last = [curves[curve][-1] for curves in ours.values()]
    wanted = [theirs[f"{name}.{curve}"][-1] for name in ours]
    assert min(wanted) < np.exp(np.mean(np.log(last))) < max(wanted)
