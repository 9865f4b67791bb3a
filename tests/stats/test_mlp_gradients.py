"""The backward pass of an MLP against automatic differentiation."""

import pytest
import torch

from kancli.stats.mlp_gradients import measure_mlp_gradients
from tests.kan.test_mlp import drawn, sequential


@pytest.fixture(scope="module")
def model():
    return drawn(3, 5, 4, 2)


X = torch.linspace(-2, 2, 21, dtype=torch.float64).reshape(7, 3)


def parameter_jacobian(plain):
    """dy_c/dp of every sample, `[n, c, P]`, by name."""
    names, parameters = zip(*plain.named_parameters())
    rows = [[torch.autograd.grad(y, parameters, retain_graph=True) for y in sample] for sample in plain(X)]
    return {
        name: torch.stack([torch.stack([grads[place].flatten() for grads in sample]) for sample in rows])
        for place, name in enumerate(names)
    }


def test_the_kernel_and_the_gradients_of_the_parameters(model):
    found, by_name = measure_mlp_gradients(model, X), parameter_jacobian(sequential(model))
    whole = torch.cat(list(by_name.values()), dim=2)
    kernel = torch.einsum("ncp,mcp->nm", whole, whole)
    eigenvalues = torch.linalg.eigvalsh(kernel).flip(0)
    assert found.ntk["eigenvalues"][0] == pytest.approx(eigenvalues.numpy(), rel=1e-9, abs=1e-10)
    share = sum(values.square().sum() for name, values in by_name.items() if "bias" in name) / kernel.trace()
    assert found.ntk["trace_share"]["bias"][0] == pytest.approx(share.item())
    for layer, place in enumerate((0, 2, 4)):
        for name in ("weight", "bias"):
            values = by_name[f"{place}.{name}"]
            expected = (values.square().sum(1) / values.shape[1]).mean().sqrt().item()
            assert found.layers[layer]["gradient"][name][0] == pytest.approx(expected, rel=1e-12)


def test_the_jacobian_and_the_gradients_of_the_values(model):
    found, plain = measure_mlp_gradients(model, X), sequential(model)
    jacobians = torch.stack([torch.autograd.functional.jacobian(plain, x) for x in X])  # pyright: ignore
    values = torch.linalg.svdvals(jacobians)
    assert found.jacobian["max"][0] == pytest.approx(values.max().item(), rel=1e-12)
    assert found.jacobian["min"][0] == pytest.approx(values.min().item(), rel=1e-12)
    rms = (jacobians.square().sum(1) / 2).mean().sqrt().item()
    assert found.layers[0]["gradient"]["values"][0] == pytest.approx(rms, rel=1e-12)
    gains = [layer["gradient_gain"][0] for layer in found.layers]
    assert gains[0] * gains[1] * gains[2] == pytest.approx(rms * 2**0.5, rel=1e-12)


def test_a_member_has_the_bits_of_a_single_model():
    several, one = drawn(3, 9, 2, seeds=(0, 1, 2), n_members=3), drawn(3, 9, 2, seeds=(2,))
    for name, tensor in one.state_dict().items():
        tensor.copy_(several.state_dict()[name][2])
    found, expected = measure_mlp_gradients(several, X), measure_mlp_gradients(one, X)
    assert found.ntk["trace"][2] == expected.ntk["trace"][0]
    assert found.jacobian["median"][2] == expected.jacobian["median"][0]
