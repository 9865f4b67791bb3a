"""Tests of pykan's penalty, against its formula written edge by edge."""

import numpy as np
import pytest
import torch

from kancli.training.fit import fit_
from kancli.training.options import Train
from kancli.training.regularisation import Penalty
from tests.oracles import kan as oracle
from tests.training.networks import kan, regression


def entropy(shares):
    return -sum(share * np.log2(share + 1e-4) for share in shares)


def by_the_formula(model, x, l1, entropy_weight, coef, coefdiff):
    total = 0.0
    for layer in model.layers:
        weights, base, spline = (getattr(layer, name).detach().numpy() for name in ("coef", "scale_base", "scale_sp"))
        postacts = oracle.layer(x, weights, base, spline, "silu")
        sizes = postacts.std(0, ddof=1) / (x.std(0, ddof=1) + 0.1)[:, None]  # [i, o]
        n_in, n_out = sizes.shape
        to_outputs = [entropy(sizes[:, j] / (sizes[:, j].sum() + 1)) for j in range(n_out)]
        from_inputs = [entropy(sizes[i] / (sizes[i].sum() + 1)) for i in range(n_in)]
        total += l1 * sizes.sum() + entropy_weight * (np.mean(to_outputs) + np.mean(from_inputs))
        total += coef * np.abs(weights).mean(1).sum() + coefdiff * np.abs(np.diff(weights)).mean(1).sum()
        x = postacts.sum(1)
    return total


@torch.no_grad()
@pytest.mark.parametrize("weights", [(1.0, 2.0, 0.0, 0.0), (0.5, 0.0, 1.0, 3.0), (0.0, 1.0, 0.0, 0.0)])
def test_the_penalty_is_that_of_the_formula(weights):
    model, x = kan((2, 3, 2), n_members=1), regression(n=40).train.x
    output, penalty = Penalty(0.1, *weights).forward(model, x)
    single = kan((2, 3, 2))
    assert float(penalty) == pytest.approx(0.1 * by_the_formula(single, x.numpy(), *weights), rel=1e-9)
    torch.testing.assert_close(output[0], single(x))


def test_the_penalty_makes_edges_smaller_and_is_not_in_the_loss():
    plain, small, data = kan(), kan(), regression()
    train = Train(optimizer="adam", lr=0.01, steps=40, every=40)
    first = fit_(plain, data, train).rows[0]
    rows = fit_(small, data, Train(optimizer="adam", lr=0.01, steps=40, every=40, lamb=0.1)).rows
    torch.testing.assert_close(rows[0].train_loss, first.train_loss, rtol=1e-12, atol=0)
    with torch.no_grad():
        sizes = [
            float(Penalty(1.0, 1.0, 0.0).forward(model.ensemble_in_float64(), data.train.x)[1])
            for model in (plain, small)
        ]
    assert sizes[1] < 0.9 * sizes[0]
