"""Tests of training, against torch.optim on a network restated in the tests (`oracles.training`)."""

import pytest
import torch

from kancli.kan.modes import standard_modes
from kancli.tasks.task import Regression, Samples
from kancli.training.fit import fit_
from kancli.training.options import Train
from tests.alike import slow_but
from tests.oracles import training as oracle
from tests.training.networks import burgers, kan, regression

OPTIMISERS = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "sgd": (torch.optim.SGD, {}),
}


def losses(result, member=0):
    return [float(row.train_loss[member]) for row in result.rows]


def parameters(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize(
    "options", slow_but(1, [{"width": (2, 3, 2), "k": 2, "bias": True, "base": "tanh"}, {}]), ids=["tanh", "silu"]
)
def test_losses_and_parameters_are_those_of_torch_optim(name, options):
    model = kan(**options)
    data = regression(n_out=model.width[-1], low=-1.5, high=1.5)
    make, further = OPTIMISERS[name]
    layers, knots = oracle.copy_of(model), oracle.knots_of(model)
    base = torch.tanh if "base" in options else torch.nn.functional.silu

    def loss(step):
        return (oracle.forward(layers, data.train.x, knots, model.layers[0].k, base) - data.train.y).square().mean()

    wanted = oracle.train(layers, loss, 30, make, lr=0.01, **further)
    result = fit_(model, data, Train(optimizer=name, lr=0.01, steps=30, every=1))
    torch.testing.assert_close(losses(result), wanted, rtol=1e-9, atol=0)
    assert [row.step for row in result.rows] == list(range(31))
    theirs = torch.cat([tensor.detach().flatten() for layer in layers for tensor in layer.values()])
    torch.testing.assert_close(parameters(model), theirs, rtol=1e-7, atol=1e-9)


def test_members_train_as_they_do_alone():
    data, train = regression(), Train(optimizer="adam", lr=0.01, steps=25, every=5, batch=16)
    model = kan(n_members=3)
    together = fit_(model, data, train, seeds=(7, 8, 9))
    for member in range(3):
        single = kan(seed=member)
        alone = fit_(single, data, train, seeds=(7 + member,))
        torch.testing.assert_close(losses(together, member), losses(alone), rtol=1e-10, atol=0)
        for mine, theirs in zip(model.parameters(), single.parameters(), strict=True):
            torch.testing.assert_close(mine[member], theirs, rtol=1e-9, atol=1e-12)


def test_rows_are_the_losses_and_errors_at_their_step():
    model, data = kan(), regression()
    result = fit_(model, data, Train(optimizer="adam", steps=7, every=3))
    assert [row.step for row in result.rows] == [0, 3, 6, 7]
    last = result.rows[-1]
    with torch.no_grad():
        error = (model(data.test.x) - data.test.y).square().mean()
        relative = (model(data.mesh.x) - data.mesh.y).norm() / data.mesh.y.norm()
        assert float(last.train_loss) == pytest.approx(float((model(data.train.x) - data.train.y).square().mean()))
    assert (float(last.test_loss), float(last.rel_l2)) == pytest.approx((float(error), float(relative)))
    assert last.running.all()
    assert last.seconds >= result.rows[0].seconds >= 0


def test_without_test_samples_there_is_no_test_loss():
    data = regression()
    (row, _) = fit_(kan(), Regression(data.train, None, None), Train(optimizer="sgd", steps=1)).rows
    assert (row.test_loss, row.rel_l2) == (None, None)
    (row, _) = fit_(kan(), Regression(data.train, data.test, None), Train(optimizer="sgd", steps=1)).rows
    assert row.test_loss is not None
    size = float((row.test_loss * len(data.test.y)).sqrt())
    assert float(row.rel_l2) == pytest.approx(size / float(data.test.y.norm()))


@pytest.mark.parametrize("only", [("coef",), ("scale_base", "bias")])
def test_only_some_parameters_train(only):
    model = kan(bias=True)
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    fit_(model, regression(), Train(optimizer="adam", steps=3, only=only))
    for name, tensor in model.named_parameters():
        assert torch.equal(tensor, before[name]) == (name.split(".")[-1] not in only), name


def test_batches_are_drawn_by_seed_and_step_alone():
    data = regression(n=20)
    first = fit_(kan(), data, Train(optimizer="sgd", lr=0.1, steps=4, every=1, batch=5), seeds=(3,))
    longer = fit_(kan(), data, Train(optimizer="sgd", lr=0.1, steps=6, every=2, batch=5), seeds=(3,))
    other = fit_(kan(), data, Train(optimizer="sgd", lr=0.1, steps=4, every=1, batch=5), seeds=(4,))
    assert losses(first)[2] == losses(longer)[1]
    assert losses(first)[1] != losses(other)[1]


def test_a_member_stops_at_the_target():
    data, model = regression(), kan(n_members=2)
    start = parameters(kan(seed=1))
    first = fit_(kan(n_members=2), data, Train(optimizer="adam", steps=1)).rows[0].train_loss
    assert first[0] < first[1]
    target = float(first.mean())
    result = fit_(model, data, Train(optimizer="sgd", lr=0.05, steps=12, every=4, target=target))
    early, late = result.stops
    assert (early.reason, early.step, early.loss) == ("target", 0, float(first[0]))
    assert late is None or late.step > 0
    assert [bool(row.running[0]) for row in result.rows] == [True, *[False] * (len(result.rows) - 1)]
    assert {float(row.train_loss[0]) for row in result.rows} == {float(first[0])}
    assert torch.equal(torch.cat([p.detach()[0].flatten() for p in model.parameters()]), parameters(kan(seed=0)))
    assert not torch.equal(torch.cat([p.detach()[1].flatten() for p in model.parameters()]), start)


def test_a_member_that_diverges_is_named_and_the_others_go_on():
    data, model = regression(), kan(n_members=3)
    with torch.no_grad():
        model.layers[1].scale_base[1] = torch.inf
    result = fit_(model, data, Train(optimizer="adam", steps=10, every=5))
    assert result.stops[0] is None
    assert result.stops[1].describe() == "diverged at step 0: layers.1.scale_base"
    assert not result.all_diverged
    alone = fit_(kan(seed=2), data, Train(optimizer="adam", steps=10, every=5))
    torch.testing.assert_close(losses(result, 2), losses(alone), rtol=1e-10, atol=0)


def test_a_loss_that_grows_a_thousandfold_is_divergence():
    model = kan()
    result = fit_(model, regression(), Train(optimizer="sgd", lr=1e3, steps=50))
    assert result.all_diverged
    assert result.ended == "stopped"
    assert result.stops[0].loss > 1e3 * float(result.rows[0].train_loss)
    assert "gradient" in result.stops[0].describe()


def test_an_input_that_overflows_is_named_by_its_layer():
    data = regression(n=4)
    huge = Regression(Samples(1e200 * data.train.x, data.train.y), None, None)
    result = fit_(kan(width=(2, 3, 3, 1), base="square"), huge, Train(optimizer="adam", steps=3))
    assert result.stops[0].describe() == "diverged at step 0: layers.0.output"


def test_should_stop_leaves_rows_and_parameters():
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 5

    model = kan()
    result = fit_(model, regression(), Train(optimizer="adam", steps=100, every=2), should_stop=stop)
    assert result.ended == "interrupted"
    assert 0 < result.state.step < 100
    again = kan()
    fit_(again, regression(), Train(optimizer="adam", steps=result.state.step))
    assert torch.equal(parameters(model), parameters(again))


def test_no_time_is_no_steps():
    model = kan()
    result = fit_(model, regression(), Train(optimizer="adam", steps=100, minutes=0))
    assert (result.ended, result.state.step, len(result.rows)) == ("minutes", 0, 1)
    assert torch.equal(parameters(model), parameters(kan()))


@pytest.mark.parametrize("rba", ["published", "detached", "none"])
def test_residual_based_weights(rba):
    model, data = kan(), burgers(rba=rba)
    layers, knots = oracle.copy_of(model), oracle.knots_of(model)
    weights = [torch.ones(len(data.collocation), 1, dtype=torch.float64)]

    def loss(step):
        x = data.collocation.clone().requires_grad_()
        u = oracle.forward(layers, x, knots, 3)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(slope[:, 1].sum(), x, create_graph=True)
        residual = slope[:, :1] + u * slope[:, 1:] - data.nu * second[:, 1:]
        if rba != "none":
            new = 0.999 * weights[-1] + 0.01 * residual.abs() / residual.abs().max()
            weights.append(new.detach())
            residual = (new if rba == "published" else new.detach()) * residual
        boundary = oracle.forward(layers, data.boundary.x, knots, 3) - data.boundary.y
        return residual.square().mean() + boundary.square().mean()

    wanted = oracle.train(layers, loss, 12, lr=0.01)
    result = fit_(model, data, Train(optimizer="adam", lr=0.01, steps=12, every=1))
    torch.testing.assert_close(losses(result), wanted, rtol=1e-8, atol=0)
    assert result.rows[0].test_loss is None


def test_inference_mode_and_global_streams_do_not_matter():
    plain, inside = kan(), kan()
    fit_(plain, regression(), Train(optimizer="adam", steps=3))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    with torch.inference_mode():
        fit_(inside, regression(), Train(optimizer="adam", steps=3, batch=None))
    assert torch.equal(parameters(plain), parameters(inside))
    assert torch.equal(torch.get_rng_state(), state)
    with standard_modes():
        fit_(inside, regression(), Train(optimizer="adam", steps=3, batch=7))
    assert torch.equal(torch.get_rng_state(), state)
