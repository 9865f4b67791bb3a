"""Tests of derivatives by the inputs, against automatic differentiation."""

import pytest
import torch

from kancli.kan.jets import jets, needed
from tests.alike import slow_but
from tests.training.networks import kan

ALL = ((0,), (1,), (0, 0), (0, 1), (1, 1))


def test_what_a_derivative_is_computed_from():
    assert needed([(1, 0)]) == [(), (0,), (1,), (0, 1)]
    assert needed([]) == [()]


def test_third_derivatives_are_refused():
    with pytest.raises(ValueError, match="second order"):
        needed([(0, 0, 1)])


@pytest.mark.parametrize("base", slow_but(1, ["silu", "sin", "identity", "zero"]))
@pytest.mark.parametrize("k", [2, 3, 4])
def test_equal_those_of_automatic_differentiation(base, k):
    model = kan((2, 5, 3, 2), k=k, base=base, bias=True)
    x = 2.2 * torch.rand(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) - 1.1
    ours = jets(model, x, ALL)
    for number, point in enumerate(x):
        outputs = [lambda x, out=out: model(x[None])[0, out] for out in (0, 1)]
        jacobian = torch.stack([torch.autograd.functional.jacobian(output, point) for output in outputs])
        hessian = torch.stack([torch.autograd.functional.hessian(output, point) for output in outputs])
        torch.testing.assert_close(ours[()][number], model(point[None])[0])
        for derivative, wanted in (
            *(((axis,), jacobian[:, axis]) for axis in (0, 1)),
            *(((a, b), hessian[:, a, b]) for a, b in ((0, 0), (0, 1), (1, 1))),
        ):
            torch.testing.assert_close(ours[derivative][number], wanted, rtol=1e-9, atol=1e-9)


def test_gradients_by_the_parameters():
    model = kan((2, 4, 1), k=3)
    x = torch.rand(8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) - 0.5
    weights = torch.linspace(1, 2, 8, dtype=torch.float64)[:, None]
    ours = jets(model, x, [(0,), (1, 1)])
    got = torch.autograd.grad(((ours[(0,)] + ours[(1, 1)]) * weights).sum(), list(model.parameters()))

    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model(leaf).sum(), leaf, create_graph=True)
    (second,) = torch.autograd.grad(slope[:, 1].sum(), leaf, create_graph=True)
    total = ((slope[:, :1] + second[:, 1:]) * weights).sum()
    for mine, theirs in zip(got, torch.autograd.grad(total, list(model.parameters())), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)


def test_members_and_no_grad():
    model = kan((2, 3, 1), n_members=2)
    x = torch.rand(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        together = jets(model, x, ALL)
        for member in (0, 1):
            alone = jets(kan((2, 3, 1), seed=member), x, ALL)
            for derivative, value in alone.items():
                torch.testing.assert_close(together[derivative][member], value, rtol=1e-12, atol=1e-12)
