"""Tests of the pass without automatic differentiation, against automatic differentiation."""

import pytest
import torch

from kancli.kan import splines
from kancli.training.dense import DenseRegression, Factors, Space
from kancli.training.fit import fit_
from kancli.training.objectives import RegressionObjective
from kancli.training.options import Train
from kancli.training.parameters import ParameterRows
from tests.training.networks import kan, regression


def both(model, data, step=0, batch=None, only=None):
    members = list(range(model.n_members))
    options = {"batch": batch, "seeds": members, "penalty": None}
    kinds = (RegressionObjective, DenseRegression)
    return [kind(ParameterRows(model, only), members, data, **options).evaluate(step) for kind in kinds]


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_factors_are_the_bases_and_their_derivatives(k):
    (layer,) = kan((2, 1), grid=7, k=k, base="sin", grid_range=(-1.0, 2.0)).layers
    x = 8 * torch.rand(40, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) - 4
    factors = Factors.of(layer, x.T.contiguous(), Space(), slopes=True)
    bases = factors.rows[:-2].view(-1, 2, 40).permute(2, 1, 0)  # [n, i, K]
    torch.testing.assert_close(bases, splines.basis(x, (-1.0, 2.0), 7, k), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(factors.rows[-2:], x.T.sin())
    table = torch.randn(3, factors.rows.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    grad = torch.ones(3, 40, dtype=torch.float64)
    slopes = torch.cat(
        [splines.basis(x, (-1.0, 2.0), 7, k, 1).permute(2, 1, 0), x.T.cos().unsqueeze(0)]
    )  # [K + 1, i, n]
    wanted = (table.sum(0).view(-1, 2, 1) * slopes).sum(0)
    torch.testing.assert_close(factors.gradient(table, grad), wanted, rtol=1e-9, atol=1e-9)


def test_a_value_that_is_not_a_number_stays_one():
    (layer,) = kan((1, 1)).layers
    factors = Factors.of(layer, torch.tensor([[torch.nan, 0.5]], dtype=torch.float64), Space(), slopes=True)
    assert factors.rows[-1].isnan().tolist() == [True, False]
    assert factors.rows[:-1].isfinite().all()


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("base", ["silu", "tanh", "zero"])
def test_loss_and_gradients_are_those_of_automatic_differentiation(k, base, monkeypatch):
    monkeypatch.setattr("kancli.training.dense.NUMBERS_OF_A_BLOCK", 1)  # blocks of 64 samples
    model = kan((2, 5, 4, 2), k=k, grid=4, base=base, bias=k % 2 == 0, n_members=2, size=0.6)
    by_torch, by_hand = both(model, regression(n=150, n_out=2, low=-2.5, high=2.5))
    torch.testing.assert_close(by_hand.loss, by_torch.loss, rtol=1e-11, atol=0)
    torch.testing.assert_close(by_hand.grads, by_torch.grads, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("options", [{"batch": 9}, {"only": ("scale_sp", "bias")}])
def test_batches_and_parameters_that_do_not_train(options):
    model = kan((2, 3, 1), n_members=3, bias=True)
    by_torch, by_hand = both(model, regression(), step=4, **options)
    torch.testing.assert_close(by_hand.loss, by_torch.loss, rtol=1e-11, atol=0)
    torch.testing.assert_close(by_hand.grads, by_torch.grads, rtol=1e-9, atol=1e-11)


def test_edges_that_are_off():
    model = kan((2, 3, 1), n_members=2, masked=True)
    mask = model.layers[0].mask
    assert mask is not None
    mask[0, 1, 2] = False
    by_torch, by_hand = both(model, regression())
    torch.testing.assert_close(by_hand.loss, by_torch.loss, rtol=1e-11, atol=0)
    torch.testing.assert_close(by_hand.grads, by_torch.grads, rtol=1e-9, atol=1e-11)


def test_bits_do_not_depend_on_threads():
    data, train, before = regression(n=3000), Train(optimizer="adam", steps=3, compile=False), torch.get_num_threads()
    rows = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        try:
            rows.append(fit_(kan((2, 8, 1), n_members=2, dtype=torch.float32), data, train).rows[-1].train_loss)
        finally:
            torch.set_num_threads(before)
    assert torch.equal(*rows)
