"""Tests of a layer's outputs by dense products, against the layer's own forward pass and trace."""

import pytest
import torch

from kancli.training.dense_bases import DenseBases, has_dense_bases
from kancli.training.grids import adapt_
from tests.training.networks import kan, regression


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("options", [{}, {"k": 1, "grid": 7, "bias": True}, {"k": 0, "width": (2, 3, 2)}])
def test_outputs_and_edges_are_those_of_the_layer(options, adapted):
    model, x = kan(n_members=2, **options), regression(low=-1.2, high=1.1).train.x
    if adapted:
        for layer in model.layers:
            layer.use_per_input_knots_()
        adapt_(model, x, eps=0.5)
    layer, x = model.layers[0], x.expand(2, -1, -1).clone().requires_grad_()
    bases, trace = DenseBases.of(layer, x), layer.trace(x)
    phi, output = bases.edges(layer)
    torch.testing.assert_close(phi.transpose(1, 2), trace.postacts, rtol=1e-12, atol=1e-13)
    for ours in (output, bases.outputs(layer)):
        torch.testing.assert_close(ours, trace.output, rtol=1e-12, atol=1e-13)
        leaves = [x, layer.coef, layer.scale_base]
        (mine, theirs) = (torch.autograd.grad(y.sin().sum(), leaves, retain_graph=True) for y in (ours, layer(x)))
        for one, other in zip(mine, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)


def test_a_mask_switches_edges_off():
    model = kan(n_members=1, masked=True)
    layer, x = model.layers[0], regression().train.x[None]
    assert layer.mask is not None
    layer.mask[0, 1, 2] = False
    phi, _ = DenseBases.of(layer, x).edges(layer)
    assert not phi[0, 1, :, 2].any()
    assert phi[0, 0, :, 2].any()


def test_wide_grids_and_standardised_bases_have_none():
    assert has_dense_bases(kan(grid=21))
    assert not has_dense_bases(kan(grid=22))
    assert not has_dense_bases(kan(standardise=True))
