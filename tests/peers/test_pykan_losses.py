"""pykan 0.2.8's `fit` as a live oracle: the same losses from the same parameters and data."""

import numpy as np
import pytest

from kancli.training.fit import fit_
from kancli.training.options import Train
from tests.peers.test_pykan import pytestmark
from tests.training.networks import kan, regression

__all__ = ["pytestmark"]


@pytest.mark.parametrize(
    ("opt", "steps", "lr", "lamb", "rtol"),
    [("Adam", 200, 0.01, 0.0, 1e-8), ("Adam", 200, 0.01, 0.002, 1e-4), ("LBFGS", 4, 1.0, 0.0, 1e-5)],
)
def test_losses_are_those_of_fit(run_pykan, tmp_path, opt, steps, lr, lamb, rtol):
    model, data = kan((2, 5, 1), size=0.2), regression(n=100)
    assert data.test is not None
    given = {
        "train_input": data.train.x,
        "train_label": data.train.y,
        "test_input": data.test.x,
        "test_label": data.test.y,
        **{name: tensor.detach() for name, tensor in model.named_parameters()},
    }
    options = {"width": [2, 5, 1], "grid": 5, "opt": opt, "steps": steps, "lr": lr, "lamb": lamb}
    np.savez(tmp_path / "given.npz", **{name: tensor.numpy() for name, tensor in given.items()}, **options)
    run_pykan("pykan_losses.py", tmp_path / "given.npz", tmp_path / "found.npz")
    theirs = np.load(tmp_path / "found.npz")
    train = Train(optimizer=opt.lower(), steps=steps, lr=lr, lamb=lamb, every=1)
    rows = fit_(model, data, train).rows
    train_loss = [float(row.train_loss) ** 0.5 for row in rows]
    # Theirs is that of a step's last evaluation.
    ours = train_loss[:-1] if opt == "Adam" else train_loss[1:]
    np.testing.assert_allclose(ours, theirs["train_loss"], rtol=rtol)
    test_loss = [float(row.test_loss) ** 0.5 for row in rows[1:]]  # theirs is taken after the update
    np.testing.assert_allclose(test_loss, theirs["test_loss"], rtol=rtol)
