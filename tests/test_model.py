"""The forward pass and its trace against a KAN written naively from the definition."""

import numpy as np
import pytest
import torch

from kancli import splines
from kancli.base_functions import base_function
from kancli.model import KAN
from tests.oracles import kan as oracle


def random_model(width, base="silu", grid=5, k=3, dtype=torch.float64, grid_range=(-1.0, 1.0), bias=False):
    model = KAN(width, grid=grid, k=k, base_fun=base_function(base), grid_range=grid_range, dtype=dtype, bias=bias)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def samples(n, n_in, dtype=torch.float64):
    return torch.randn(n, n_in, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype)


def oracle_output(model, x, base, grid_range=(-1.0, 1.0)):
    for layer in model.layers:
        tensors = [t.detach().double().numpy() for t in (layer.coef, layer.scale_base, layer.scale_sp)]
        postacts = oracle.layer(x, *tensors, base, *grid_range, k=layer.k)
        x = postacts.sum(axis=1) + (0 if layer.bias is None else layer.bias.detach().double().numpy())
    return x


@pytest.mark.parametrize("base", ["silu", "identity", "zero", "tanh", "gelu", "sin"])
@pytest.mark.parametrize("k", [0, 1, 3, 5])
def test_forward_float64(base, k):
    model = random_model([3, 4, 2], base, k=k)
    x = samples(50, 3)
    np.testing.assert_allclose(model(x).detach(), oracle_output(model, x.numpy(), base), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("k", [0, 3, 5])
def test_forward_and_gradients_on_a_fine_grid(k):
    """Where the zeros of the bases are left out of the products, forward and backward."""
    model = random_model([3, 4, 2], grid=60, k=k)
    x = samples(50, 3).requires_grad_()
    y = model(x)
    np.testing.assert_allclose(y.detach(), oracle_output(model, x.detach().numpy(), "silu"), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(model.trace(x.detach())[0].postacts.sum(1), model.layers[0](x).detach())
    if k > 1:  # smooth enough for finite differences
        layer = model.layers[0]
        assert torch.autograd.gradcheck(layer, (x[:3],), atol=1e-5)
        inputs = (layer.coef, layer.scale_base, layer.scale_sp)
        found = torch.autograd.grad(layer(x).square().sum(), inputs)
        dense = layer.scale_base.T @ layer.base_fun(x).T + torch.einsum(
            "nik,iok,io->on", splines.basis(x, layer.grid_range, 60, k), layer.coef, layer.scale_sp
        )
        for one, other in zip(found, torch.autograd.grad(dense.square().sum(), inputs), strict=True):
            torch.testing.assert_close(one, other)


def test_forward_float32():
    model = random_model([3, 4, 2], dtype=torch.float32)
    x = samples(50, 3, torch.float32)
    wanted = oracle_output(model, x.double().numpy(), "silu")
    np.testing.assert_allclose(model(x).detach(), wanted, atol=1e-5 * np.abs(wanted).max())


def test_forward_with_bias_and_another_grid():
    model = random_model([2, 3, 1], grid=8, k=2, grid_range=(-2.0, 0.5), bias=True)
    x = samples(40, 2)
    np.testing.assert_allclose(model(x).detach(), oracle_output(model, x.numpy(), "silu", (-2.0, 0.5)), atol=1e-12)


def test_trace_is_the_forward_pass_edge_by_edge():
    model = random_model([3, 4, 2])
    x = samples(30, 3)
    traces = model.trace(x)
    assert torch.equal(traces[-1].output, model(x))
    for layer, trace in zip(model.layers, traces, strict=True):
        tensors = [t.detach().numpy() for t in (layer.coef, layer.scale_base, layer.scale_sp)]
        np.testing.assert_allclose(trace.postacts, oracle.layer(trace.preacts.numpy(), *tensors, "silu"), atol=1e-12)
        torch.testing.assert_close(trace.postacts.sum(1), trace.output)
    assert torch.equal(traces[1].preacts, traces[0].output)


def test_single_edges_are_the_traced_edges():
    model = random_model([3, 4])
    x = samples(20, 3)
    layer = model.layers[0]
    sources, targets = torch.tensor([0, 2, 2]), torch.tensor([3, 0, 1])
    torch.testing.assert_close(
        layer.edge_values(x[:, sources], sources, targets), model.trace(x)[0].postacts[:, sources, targets]
    )


def test_gradients_reach_every_parameter():
    model = random_model([2, 3, 1], bias=True)
    model(samples(20, 2)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0, name


def test_tensors_of_another_grid_are_refused():
    model, other = random_model([2, 1]), random_model([2, 1], grid_range=(-2.0, 2.0))
    with pytest.raises(ValueError, match=r"layers\.0\.knots"):
        model.load_state_dict(other.state_dict())
    model.load_state_dict(random_model([2, 1]).state_dict())


def test_tracing_changes_nothing():
    model = random_model([2, 3, 1])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    trace = model.trace(samples(10, 2))
    assert model.training
    assert not trace[-1].output.requires_grad
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(parameter.grad is None for parameter in model.parameters())
