"""Training of an MLP against torch.nn and torch.optim."""

import dataclasses

import pytest
import torch

from kancli.inits.he_normal import he_normal_
from kancli.kan.mlp import MLP
from kancli.tasks.functions import Function
from kancli.tasks.pdes import Equation
from kancli.training.fit import fit_
from kancli.training.mlp_pass import MLPRegression
from kancli.training.objectives import DifferentialObjective, RegressionObjective
from kancli.training.options import Train
from kancli.training.parameters import ParameterRows, ensemble_copy
from tests.kan.test_mlp import sequential

ADAM = Train(optimizer="adam", lr=1e-2, steps=50, every=10)


def mlp(*width, seeds=(0,), ensemble=False):
    return he_normal_(MLP(width, n_members=len(seeds) if ensemble else None, dtype=torch.float64), seeds=seeds)


@pytest.fixture(scope="module")
def data():
    return Function(name="f2", n=300, test_n=50).data()


def test_fifty_steps_of_adam_are_those_of_torch(data):
    model = mlp(2, 7, 5, 1)
    plain = sequential(model)
    optimizer, losses = torch.optim.Adam(plain.parameters(), lr=1e-2), []
    for _ in range(50):
        loss = (plain(data.train.x) - data.train.y).square().mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    result = fit_(model, data, ADAM)
    assert [row.train_loss.item() for row in result.rows[:5]] == pytest.approx(losses[::10], rel=1e-10)
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    with torch.no_grad():
        error = (plain(data.test.x) - data.test.y).square().mean().item()
    assert result.rows[-1].test_loss is not None
    assert result.rows[-1].test_loss.item() == pytest.approx(error, rel=1e-6)


def test_a_member_trains_as_alone_to_the_bit(data):
    several, one = mlp(2, 7, 1, seeds=(3, 4), ensemble=True), mlp(2, 7, 1, seeds=(4,))
    train = dataclasses.replace(ADAM, steps=8, batch=100)
    fit_(several, data, train, seeds=(3, 4))
    fit_(one, data, train, seeds=(4,))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, several.state_dict()[name][1])


def test_the_pass_has_the_gradients_of_automatic_differentiation(data, monkeypatch):
    monkeypatch.setattr("kancli.training.mlp_pass.NUMBERS_OF_A_BLOCK", 700)  # three blocks of 100 samples
    rows = ParameterRows(ensemble_copy(mlp(2, 7, 6, 1, seeds=(0, 1), ensemble=True)), None)
    options = {"batch": None, "seeds": (0, 1), "penalty": None}
    found, expected = (kind(rows, [0, 1], data, **options).evaluate(0) for kind in (MLPRegression, RegressionObjective))
    torch.testing.assert_close(found.loss, expected.loss, rtol=1e-13, atol=0)
    torch.testing.assert_close(found.grads, expected.grads, rtol=1e-11, atol=1e-13)


def test_the_loss_of_an_equation_is_that_of_its_residual_by_automatic_differentiation():
    data = Equation(name="poisson", rba="none").data()
    model = mlp(2, 6, 5, 1)
    x = data.collocation.clone().requires_grad_()
    plain = sequential(model)
    (first,) = torch.autograd.grad(plain(x).sum(), x, create_graph=True)
    laplacian = sum(torch.autograd.grad(first[:, axis].sum(), x, retain_graph=True)[0][:, axis] for axis in (0, 1))
    source = 2 * torch.pi**2 * (torch.pi * x).sin().prod(1)
    boundary = (plain(data.boundary.x) - data.boundary.y).square().mean()
    expected = data.residual_weight * (laplacian + source).square().mean() + boundary
    objective = DifferentialObjective(ParameterRows(ensemble_copy(model), None), [0], data)
    assert objective.loss(0).item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_training_goes_on_from_a_state_to_the_same_bits(data, optimizer):
    train = Train(optimizer=optimizer, steps=6, every=2)
    whole, halves = (mlp(2, 4, 1, seeds=(0, 1), ensemble=True) for _ in range(2))
    fit_(whole, data, train)
    calls = iter([False] * 3)
    first = fit_(halves, data, train, should_stop=lambda: next(calls, True))
    assert first.ended == "interrupted"
    assert 0 < first.state.step < 6
    fit_(halves, data, train, state=first.state)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, halves.state_dict()[name])


def test_a_member_that_diverges_stops_and_names_the_tensor(data):
    model = mlp(2, 4, 1, seeds=(0, 1), ensemble=True)
    with torch.no_grad():
        model.layers[1].weight[1] = torch.inf
    result = fit_(model, data, dataclasses.replace(ADAM, steps=3))
    assert result.stops[0] is None
    assert result.stops[1].describe() == "diverged at step 0: layers.1.weight"
