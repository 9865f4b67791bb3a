"""pykan 0.2.8's grid update as a live oracle: `init=pykan_fit` starts where the library's `fit` does."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.peers.test_pykan import pytestmark

__all__ = ["pytestmark"]


@pytest.mark.parametrize("words", [["width=[2,5,1]", "grid=5"], ["width=[3,2,2]", "grid=7", "inputs.n=53"]])
def test_knots_and_coefficients_after_the_first_grid_update(kan_run, run_pykan, tmp_path, words):
    common = [*words, "dtype=float64", "figures=none", "noise_scale=1", "inputs=normal"]
    drawn, fitted = kan_run("init=pykan_0_2_8", *common), kan_run("init=pykan_fit", *common)
    assert fitted.code == 0, fitted.err
    before, after = (load_file(run.folder / "params.safetensors") for run in (drawn, fitted))
    x = load_file(fitted.folder / "activations.safetensors")["inputs"]
    config = fitted.json("run.json")["config"]
    np.savez(tmp_path / "given.npz", x=x, width=config["width"], grid=config["grid"]["size"], **before)
    run_pykan("pykan_grid.py", tmp_path / "given.npz", tmp_path / "found.npz")
    theirs = np.load(tmp_path / "found.npz")
    for layer in range(len(config["width"]) - 1):
        np.testing.assert_allclose(after[f"layers.{layer}.knots"], theirs[f"{layer}.grid"], rtol=1e-7, atol=1e-7)
        coef = theirs[f"{layer}.coef"]
        np.testing.assert_allclose(after[f"layers.{layer}.coef"], coef, atol=1e-6 * np.abs(coef).max())
