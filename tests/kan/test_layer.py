"""The forward pass and its trace against a KAN written naively from the definition."""

import numpy as np
import pytest
import torch

from kancli.inits.initialise import init_
from kancli.inits.jaxkan import Baseline, PowerLaw
from kancli.inits.variance_scaling import Glorot, GlorotFine, Lecun
from kancli.kan import splines
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from tests.oracles import jaxkan
from tests.oracles import kan as oracle


def random_model(width, base="silu", grid=5, k=3, dtype=torch.float64, **more):
    model = KAN(width, grid=grid, k=k, base_fun=base_function(base), dtype=dtype, **more)
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
    with torch.no_grad():
        assert torch.equal(traces[-1].output, model(x))
    torch.testing.assert_close(traces[-1].output, model(x).detach(), rtol=1e-13, atol=1e-13)
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
        sum(layer.edge_parts(x[:, sources], sources, targets)), model.trace(x)[0].postacts[:, sources, targets]
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


def standardised_oracle(model, x, standards=None):
    """Layer by layer (B - mean) / sqrt(var + 1e-5) over the batch, or by the means and variances given."""
    used = []
    for number, layer in enumerate(model.layers):
        bases = np.stack([oracle.basis(each, oracle.uniform_knots(-1, 1, 5, 3), 3) for each in x.T], 1)  # [n, i, K]
        mean, var = (bases.mean(0), bases.var(0)) if standards is None else standards[number]
        used.append((mean, var))
        bases = (bases - mean) / np.sqrt(var + 1e-5)
        coef, scale_base, scale_sp = (t.detach().numpy() for t in (layer.coef, layer.scale_base, layer.scale_sp))
        spline = np.einsum("nim,iom->nio", bases, coef)
        postacts = scale_base * oracle.BASE_FUNCTIONS["silu"](x)[:, :, None] + scale_sp * spline
        x = postacts.sum(1)
    return x, postacts, spline, used


def test_bases_standardised_over_the_batch():
    model, x = random_model([3, 4, 2], standardise=True), samples(60, 3)
    y, postacts, spline, _ = standardised_oracle(model, x.numpy())
    np.testing.assert_allclose(model(x).detach(), y, rtol=1e-10, atol=1e-11)
    trace = model.trace(x)[-1]
    np.testing.assert_allclose(trace.postacts, postacts, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(trace.spline, spline, rtol=1e-10, atol=1e-11)
    assert torch.equal(trace.output, model(x))


@pytest.mark.parametrize("chunk", [None, 7, 60])
def test_bases_standardised_over_given_samples(chunk):
    """Whatever batch is at hand: in chunks, in single edges, in members taken out."""
    model, x = random_model([3, 4, 2], standardise=True), samples(60, 3)
    _, _, _, standards = standardised_oracle(model, x.numpy())
    few = samples(5, 3) + 0.1
    wanted, postacts, _, _ = standardised_oracle(model, few.numpy(), standards)
    with model.with_basis_statistics(x, chunk):
        np.testing.assert_allclose(model(few).detach(), wanted, rtol=1e-9, atol=1e-10)
        kept = model.member(None)
    hidden = kept.trace(few)[0].output
    sources, targets = torch.tensor([0, 3]), torch.tensor([1, 0])
    single = sum(kept.layers[1].edge_parts(hidden[:, sources], sources, targets))
    np.testing.assert_allclose(single.detach(), postacts[:, sources, targets], rtol=1e-9, atol=1e-10)
    with pytest.raises(RuntimeError, match="standardised over a batch"):
        sum(model.layers[1].edge_parts(hidden[:, sources], sources, targets))
    assert not torch.allclose(model(few), kept(few))


def test_gradients_of_standardised_bases():
    model = random_model([2, 2], standardise=True, k=4)
    x = samples(9, 2).requires_grad_()
    assert torch.autograd.gradcheck(model.layers[0], (x,), atol=1e-5)


def test_second_derivatives():
    """Through the dense backward, twice."""
    layer = random_model([2, 3]).layers[0]
    x = samples(4, 2).requires_grad_()
    assert torch.autograd.gradgradcheck(layer, (x,), atol=1e-4)


@pytest.mark.parametrize("grid", [5, 60])
def test_an_ensemble_is_its_members(grid):
    ensemble = random_model([3, 4, 2], grid=grid, n_members=3, bias=True)
    x = samples(3 * 20, 3).view(3, 20, 3).requires_grad_()
    y = ensemble(x)
    for member in range(3):
        single = ensemble.member(member)
        assert torch.equal(single(x[member]), y[member])
        of_x, *alone = torch.autograd.grad(single(x[member]).square().sum(), [x, *single.parameters()])
        all_x, *together = torch.autograd.grad(y[member].square().sum(), [x, *ensemble.parameters()], retain_graph=True)
        torch.testing.assert_close(of_x, all_x)
        for one, other in zip(alone, together, strict=True):
            torch.testing.assert_close(one, other[member])


@pytest.mark.parametrize("scheme", [Baseline, Lecun, Glorot, GlorotFine, PowerLaw])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_forward_against_jaxkans_formulas(scheme, dtype, tolerance):
    """c_res is scale_base, c_basis coef, c_spl scale_sp."""
    model = KAN([3, 5, 2], grid=6, k=3, base_fun=base_function("silu"), base_name="silu", bias=True, dtype=dtype)
    init_(model, scheme(), seed=4)
    x = samples(60, 3, dtype)
    y = x.double().numpy()
    for layer in model.layers:
        named = {name: tensor.detach().double().numpy() for name, tensor in layer.named_parameters()}
        flat = {name: np.swapaxes(named[name], 0, 1).reshape(layer.n_in * layer.n_out, -1) for name in
                ("coef", "scale_sp", "scale_base")}  # fmt: skip
        y = jaxkan.layer(y, flat["coef"], flat["scale_sp"][:, 0], flat["scale_base"][:, 0], named["bias"],
                         oracle.BASE_FUNCTIONS["silu"])  # fmt: skip
    with torch.no_grad():
        np.testing.assert_allclose(model(x), y, atol=tolerance * np.abs(y).max())
