"""The MLP against torch.nn, its derivatives against automatic differentiation, and its members one by one."""

import itertools

import pytest
import torch
from torch import nn

from kancli.inits.he_normal import he_normal_
from kancli.kan.jets import jets
from kancli.kan.mlp import MLP


def sequential(model):
    """The same function as plain modules of torch."""
    modules = []
    for layer in model.layers:
        linear = nn.Linear(layer.n_in, layer.n_out, dtype=layer.weight.dtype)
        linear.load_state_dict(layer.state_dict())
        modules += [nn.SiLU(), linear] if modules else [linear]
    return nn.Sequential(*modules)


def drawn(*width, seeds=(0,), n_members=None, dtype=torch.float64):
    model = he_normal_(MLP(width, n_members=n_members, dtype=dtype), seeds=seeds)
    for layer in model.layers:
        nn.init.uniform_(layer.bias, generator=torch.Generator().manual_seed(5))  # He's are 0
    return model


def test_the_forward_pass_is_that_of_torchs_modules():
    model, x = drawn(3, 5, 4, 2), torch.linspace(-3, 3, 60, dtype=torch.float64).reshape(20, 3)
    expected = sequential(model)(x)
    torch.testing.assert_close(model(x), expected, rtol=1e-14, atol=1e-14)
    trace = model.trace(x)
    torch.testing.assert_close(trace[-1].output, expected.detach(), rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(trace[1].preacts, model.layers[0](x).detach(), rtol=1e-14, atol=1e-14)


def test_derivatives_up_to_the_second_order_are_those_of_automatic_differentiation():
    model, x = drawn(2, 5, 4, 1), torch.linspace(-2, 2, 30, dtype=torch.float64).reshape(15, 2).requires_grad_()
    wanted = [(0,), (1,), (0, 0), (0, 1), (1, 1)]
    found, (plain, y) = jets(model, x.detach(), wanted), (sequential(model), None)
    y = plain(x)
    first = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
    second = [torch.autograd.grad(first[:, axis].sum(), x, retain_graph=True)[0] for axis in (0, 1)]
    expected = {(): y[:, 0], (0,): first[:, 0], (1,): first[:, 1]}
    expected |= {(a, b): second[a][:, b] for a, b in itertools.combinations_with_replacement((0, 1), 2)}
    for derivative, values in expected.items():
        torch.testing.assert_close(found[derivative][:, 0], values, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_member_has_the_bits_of_a_single_model(dtype):
    x = torch.linspace(-3, 3, 99, dtype=dtype).reshape(33, 3)
    ensemble = he_normal_(MLP((3, 17, 9, 2), n_members=3, dtype=dtype), seeds=(4, 5, 6))
    single = he_normal_(MLP((3, 17, 9, 2), dtype=dtype), seeds=(5,))
    for name, tensor in single.state_dict().items():
        assert torch.equal(tensor, ensemble.member(1).state_dict()[name])
    for one, of_all in zip(single.trace(x), ensemble.trace(x), strict=True):
        assert torch.equal(one.output, of_all.output[1])
