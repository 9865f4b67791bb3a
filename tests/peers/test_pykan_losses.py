"""pykan 0.2.8's `fit` as a live oracle: the losses of 200 steps of Adam from the same parameters and data."""

import numpy as np
import pytest

from kancli.training.fit import fit_
from kancli.training.options import Train
from tests.peers.test_pykan import pytestmark
from tests.training.networks import kan, regression

__all__ = ["pytestmark"]


@pytest.mark.parametrize(("lamb", "rtol"), [(0.0, 1e-8), (0.002, 1e-4)])
def test_losses_are_those_of_fit(run_pykan, tmp_path, lamb, rtol):
    model, data = kan((2, 5, 1), size=0.2), regression(n=100)
    assert data.test is not None
    given = {
        "train_input": data.train.x,
        "train_label": data.train.y,
        "test_input": data.test.x,
        "test_label": data.test.y,
        **{name: tensor.detach() for name, tensor in model.named_parameters()},
    }
    options = {"width": [2, 5, 1], "grid": 5, "opt": "Adam", "steps": 200, "lr": 0.01, "lamb": lamb}
    np.savez(tmp_path / "given.npz", **{name: tensor.numpy() for name, tensor in given.items()}, **options)
    run_pykan("pykan_losses.py", tmp_path / "given.npz", tmp_path / "found.npz")
    theirs = np.load(tmp_path / "found.npz")
    rows = fit_(model, data, Train(optimizer="adam", steps=200, lr=0.01, lamb=lamb, every=1)).rows
    np.testing.assert_allclose([float(row.train_loss) ** 0.5 for row in rows[:-1]], theirs["train_loss"], rtol=rtol)
    test_loss = [float(row.test_loss) ** 0.5 for row in rows[1:]]  # theirs is taken after the update
    np.testing.assert_allclose(test_loss, theirs["test_loss"], rtol=rtol)
