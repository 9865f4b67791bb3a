"""Gradients, Jacobian and kernel against torch's automatic differentiation, hand-made cases and exact expectations."""

import math

import numpy as np
import pytest
import torch
from torch.func import functional_call, jacrev

from kancli.inits import SCHEMES
from kancli.inits.initialise import init_
from kancli.inits.reference import Reference
from kancli.inputs.samplers import SAMPLERS
from kancli.kan.base_functions import base_function
from kancli.kan.grid_adaptation import adapt_grid_
from kancli.kan.network import KAN
from kancli.stats import tangent_kernel
from kancli.stats.collector import Collector
from kancli.stats.gradients import measure_gradients
from kancli.stats.stats_json import as_json
from tests.alike import slow_but


def model_of(width, scheme=None, base="silu", grid=5, k=3, members=None, seed=0, dtype=torch.float64):
    scheme = scheme or Reference()
    options = {"bias": scheme.has_bias, "standardise": scheme.standardises, "masked": scheme.has_mask}
    model = KAN(
        width, grid=grid, k=k, base_fun=base_function(base), base_name=base, n_members=members, dtype=dtype, **options
    )
    return init_(model, scheme, seed=seed)


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(30, 2)))


def scaled(width):
    """scale_sp is not the same for all edges out of an input."""
    model = model_of(width, SCHEMES["efficient_kan"](scale_noise=5.0))
    with torch.no_grad():
        model.layers[0].scale_sp[1] = 0.5  # here it is
    return model


CASES = {
    "one output": lambda x: model_of([2, 4, 3, 1]),
    "three outputs": lambda x: model_of([2, 4, 3], Reference(noise_scale=3.0)),
    "masked": lambda x: model_of([2, 5, 2], SCHEMES["pykan_0_2_8"](sparse_init=True)),
    "biases": lambda x: model_of([2, 5, 2], SCHEMES["pykan_0_0_5"]()),
    "scales of their own": lambda x: scaled([2, 4, 2]),
    "scales of their own, one output": lambda x: scaled([2, 4, 1]),
    "masked, one output": lambda x: model_of([2, 5, 1], SCHEMES["pykan_0_2_8"](sparse_init=True)),
    "steps": lambda x: model_of([2, 3, 1], k=0),
    "many bases": lambda x: model_of([2, 3, 2], grid=60),
    "standardised": lambda x: model_of([2, 4, 2], SCHEMES["lecun_norm"]()),
    "a constant base": lambda x: model_of([2, 3, 1], base="zero"),
}


def adapted(x):
    model = model_of([2, 4, 1], Reference(noise_scale=2.0))
    for layer in model.layers:
        layer.use_per_input_knots_()
    adapt_grid_(model, x, eps=0.3, chunk=100)
    return model


CASES["knots of their own"] = adapted


def jacobians(function, x):
    """`[n, c, n_0]`, sample by sample."""
    return torch.stack([torch.autograd.functional.jacobian(function, each[None])[0, :, 0] for each in x])


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch's, of jacrev over embedding_bag
@pytest.mark.parametrize("case", slow_but(4, CASES))
def test_against_automatic_differentiation(x, case):
    model = CASES[case](x)
    with model.with_basis_statistics(x):
        found = measure_gradients(model, x)
        parameters = {name: each.detach() for name, each in model.named_parameters()}
        by_parameters = jacrev(lambda given: functional_call(model, given, (x,)))(parameters)  # [n, c, ...]
        by_inputs = jacobians(model, x)
        by_values = jacobians(model.layers[-1], model.trace(x)[-1].preacts)
    n_last = model.width[-1]
    kernel = sum(torch.einsum("ncp,mcp->nm", each.flatten(2), each.flatten(2)) for each in by_parameters.values())
    values = torch.linalg.eigvalsh(kernel).flip(0).numpy()
    np.testing.assert_allclose(found.ntk["eigenvalues"][0], values, rtol=1e-8, atol=1e-12 * values[0])
    assert found.ntk["trace"][0] == pytest.approx(float(kernel.trace()), rel=1e-10)
    shares = found.ntk["trace_share"]
    assert set(shares) == {name.rpartition(".")[2] for name in by_parameters}
    for tensor, share in shares.items():
        part = sum(grad.square().sum() for name, grad in by_parameters.items() if name.endswith(f".{tensor}"))
        assert share[0] * found.ntk["trace"][0] == pytest.approx(float(part), rel=1e-9)
    assert sum(share[0] for share in shares.values()) == pytest.approx(1, rel=1e-12)
    assert found.ntk["largest"][0] == pytest.approx(values[0], rel=1e-10)
    assert found.ntk["condition"][0] == pytest.approx(values[0] / max(values[-1], 1e-9 * values[0]), rel=1e-3)
    assert found.ntk["effective_rank"][0] == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=1e-9)
    for number, layer in enumerate(model.layers):
        for name, _ in layer.named_parameters():
            square = by_parameters[f"layers.{number}.{name}"].square().sum(1) / n_last
            assert found.layers[number]["gradient"][name][0] == pytest.approx(float(square.mean().sqrt()), rel=1e-9)
    by_input = (by_inputs.square().sum(1) / n_last).mean(0).sqrt().numpy()
    np.testing.assert_allclose(found.nodes[0][0], by_input, rtol=1e-9)
    assert found.layers[0]["gradient"]["values"][0] == pytest.approx(np.sqrt((by_input**2).mean()), rel=1e-9)
    gain = float((by_values.square().sum(1) / n_last).mean().sqrt()) * math.sqrt(n_last)
    assert found.layers[-1]["gradient_gain"][0] == pytest.approx(gain, rel=1e-9)
    singular = torch.linalg.svdvals(by_inputs).numpy()
    for name, wanted in (("median", np.median(singular)), ("min", singular.min()), ("max", singular.max())):
        assert found.jacobian[name][0] == pytest.approx(wanted, rel=1e-7)
    condition = np.median(singular[:, 0] / singular[:, -1]) if singular.shape[1] > 1 else math.nan
    assert found.jacobian["condition"][0] == pytest.approx(condition, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("case", ["one output", "scales of their own, one output", "masked, one output"])
def test_columns_of_the_kernel_may_be_added_in_parts(monkeypatch, x, case):
    whole = measure_gradients(CASES[case](x), x).ntk["eigenvalues"][0]
    monkeypatch.setattr(tangent_kernel, "MAX_COLUMNS", 1)
    parts = measure_gradients(CASES[case](x), x).ntk["eigenvalues"][0]
    np.testing.assert_allclose(parts, whole, atol=1e-13 * whole[0])


def test_the_gradient_is_that_of_random_unit_cotangents(x):
    """The exact mean over cotangents against the mean over 4,000 of them."""
    model = model_of([2, 3, 4], Reference(noise_scale=2.0))
    u = np.random.default_rng(1).normal(size=(4000, 4))
    u = torch.from_numpy(u / np.linalg.norm(u, axis=1, keepdims=True))
    grads = torch.einsum("rc,nci->rni", u, jacobians(model, x))
    squares = grads.square().mean((1, 2))
    error = float(squares.std()) / math.sqrt(len(squares))
    assert measure_gradients(model, x).layers[0]["gradient"]["values"][0] ** 2 == pytest.approx(
        float(squares.mean()), abs=4 * error
    )


def test_known_jacobians():
    """phi_ij(x) = a_ij x: the Jacobian is the product of the matrices, whatever the samples."""
    model = model_of([2, 2, 2], Reference(noise_scale=0.0), base="identity")
    matrices = [torch.tensor([[2.0, 0], [0, 1]]), torch.tensor([[0.0, 3], [1, 0]])]  # [i, o]
    with torch.no_grad():
        for layer, matrix in zip(model.layers, matrices, strict=True):
            layer.scale_base.copy_(matrix)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 2)))
    found = measure_gradients(model, x)
    assert {name: each[0] for name, each in found.jacobian.items()} == pytest.approx(
        {"median": 3.5, "min": 1, "max": 6, "condition": 6}
    )
    assert found.nodes[0][0] == pytest.approx([6 / math.sqrt(2), 1 / math.sqrt(2)])
    assert found.layers[1]["gradient_gain"][0] == pytest.approx(math.sqrt((9 + 1) / 2))


def test_the_kernel_of_one_edge():
    """phi(x) = scale_base x + scale_sp sum coef B with coef = 0: K = x x' + sum_m B_m(x) B_m(x')."""
    model = model_of([1, 1], Reference(noise_scale=0.0), base="identity")
    x = torch.linspace(-1.5, 1.5, 12, dtype=torch.float64)[:, None]
    bases = model.layers[0].local_basis(x).dense()[:, 0]
    values = torch.linalg.eigvalsh(x @ x.T + bases @ bases.T).flip(0).numpy()
    np.testing.assert_allclose(measure_gradients(model, x).ntk["eigenvalues"][0], values, rtol=1e-9, atol=1e-13)


# What E[y^2] of a node and sum_j E[(dy_j/dx)^2] are at 64 -> 64, G = 5, k = 3, x ~ U(-1, 1), base silu.
BUDGETS = {"lecun": (0.3333, 2.70), "glorot": (0.0781, 0.589), "baseline": (0.4013, 2.99)}


@pytest.mark.slow
@pytest.mark.parametrize("name", BUDGETS)
def test_an_ensemble_meets_the_exact_budgets(name):
    """Within 3 standard errors over members, each with samples of its own; the table has 3 or 4 digits."""
    members = 60
    model = model_of([64, 64], SCHEMES[name](), members=members)
    x = torch.from_numpy(SAMPLERS["uniform"](n=60).sample_each(64, seeds=range(members)))
    collector = Collector(model)
    collector.update(model.trace(x))
    back = measure_gradients(model, x)
    (layer,) = collector.compute(back)[0].layers
    forward = layer.layer["output"]["rms"] ** 2
    backwards = 64 * layer.layer["gradient"]["values"] ** 2
    for values, budget, digits in ((forward, BUDGETS[name][0], 5e-5), (backwards, BUDGETS[name][1], 5e-3)):
        error = values.std(ddof=1) / math.sqrt(members)
        assert error < 0.03 * budget
        assert abs(values.mean() - budget) < 3 * error + digits


def test_values_that_are_not_finite_have_reasons(x):
    model = model_of([2, 3, 2])
    with torch.no_grad():
        model.layers[1].scale_base[0, 0] = math.nan
    collector = Collector(model, level="full")
    collector.update(model.trace(x))
    told = as_json(collector.compute(measure_gradients(model, x))[0], [], epsilon=0, ensemble=False)
    assert told["ntk"]["trace"] is None
    assert told["ntk"]["eigenvalues"] == [None] * len(x)
    assert told["jacobian"]["max"] is None
    assert told["reasons"]["ntk.trace"] == "some values are not finite, or 0"
    assert told["layers"][1]["gradient"]["coef"] is not None, "the last layer's bases are finite"


def test_nothing_drawn_leaves_no_gradient(x):
    model = model_of([2, 3, 1])
    with torch.no_grad():
        for each in model.layers[1].parameters():
            each.zero_()
    found = measure_gradients(model, x)
    assert found.layers[0]["gradient"]["values"][0] == 0
    assert found.layers[0]["gradient"]["coef"][0] == 0
    assert found.layers[1]["gradient"]["scale_base"][0] > 0
    assert np.isnan(found.jacobian["condition"][0])


def test_float32_models_are_measured_in_float64(x):
    model = model_of([2, 4, 1], dtype=torch.float32)
    exact = model_of([2, 4, 1])
    with torch.no_grad():
        for mine, theirs in zip(exact.parameters(), model.parameters(), strict=True):
            mine.copy_(theirs)
    single, double = measure_gradients(model, x.float()), measure_gradients(exact, x.float().double())
    np.testing.assert_array_equal(single.ntk["eigenvalues"], double.ntk["eigenvalues"])


@pytest.mark.parametrize(("width", "is_null"), [([2, 3, 1], True), ([1, 3, 2], True), ([2, 3, 2], False)])
@pytest.mark.parametrize("members", [None, 3])
def test_one_singular_value_has_no_condition(width, is_null, members):
    model = KAN(width, grid=5, k=3, base_fun=base_function("silu"), base_name="silu", n_members=members)
    init_(model, SCHEMES["default"](), seed=0)
    x = torch.linspace(-1, 1, 10 * width[0]).reshape(10, width[0])
    collector = Collector(model, level="full")
    collector.update(model.trace(x))
    stats, _ = collector.compute(measure_gradients(model, x))
    content = as_json(stats, [], epsilon=0, ensemble=members is not None)
    condition = content["jacobian"]["condition"]
    found = condition if members is None else condition["mean"]
    reasons = {path: reason for path, reason in content["reasons"].items() if path.startswith("jacobian.condition")}
    if is_null:
        assert found is None
        assert set(reasons.values()) == {"the Jacobian of one input or one output has one singular value"}
    else:
        assert found > 1
        assert not reasons
