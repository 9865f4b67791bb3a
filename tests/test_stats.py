"""The statistics against plain numpy over whole arrays, against known answers, and in chunks."""

import json
import math

import numpy as np
import pytest
import torch

from kancli.base_functions import base_function
from kancli.inits import init_
from kancli.inits.reference import Reference
from kancli.model import KAN
from kancli.stats import Collector, non_finite, plain, report
from kancli.stats.moments import EdgeMoments, Moments


def model_of(width, base="silu", seed=0, **knobs):
    model = KAN(width, grid=5, k=3, base_fun=base_function(base), dtype=torch.float64)
    return init_(model, Reference(**knobs), seed=seed)


def measured(model, x, chunks=1):
    collector = Collector(model)
    for chunk in x.chunk(chunks, dim=-2):
        collector.update(model.trace(chunk))
    return collector


def reported(model, x, chunks=1):
    found = measured(model, x, chunks).found()
    return report(found, model.layers[0].coef.dtype, ensemble=model.n_members is not None)


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(500, 2)))


@pytest.mark.parametrize("offset", [0, 1e6])
@pytest.mark.parametrize("sizes", [[100], [1, 99], [30, 30, 40]])
def test_moments_in_chunks_are_the_moments_of_the_whole(offset, sizes):
    generator = np.random.default_rng(1)
    x, y = offset + generator.normal(size=(100, 3)), offset + generator.normal(size=(100, 3, 2))
    y += x[:, :, None]
    moments, pair = Moments(), EdgeMoments()
    for part in np.split(np.arange(100), np.cumsum(sizes)[:-1]):
        moments.update(x[part, None])
        pair.update_pair(x[part, None], y[part, None])
    np.testing.assert_allclose(moments.mean[0], x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.variance[0], x.var(0), rtol=1e-8)
    np.testing.assert_array_equal((moments.low[0], moments.high[0]), (x.min(0), x.max(0)))
    for i in range(3):
        for j in range(2):
            covariance = np.cov(x[:, i], y[:, i, j], bias=True)
            assert pair.covariance[0, i, j] == pytest.approx(covariance[0, 1], rel=1e-8)
            assert pair.variance[0, i, j] == pytest.approx(covariance[1, 1], rel=1e-8)


@pytest.mark.parametrize("chunks", [1, 7])
def test_layer_statistics_against_plain_numpy(x, chunks):
    model = model_of([2, 4, 3], noise_scale=2.0, noise_scale_base=0.5)
    found = reported(model, x, chunks)["layers"]
    for layer, trace, entry in zip(model.layers, model.trace(x), found, strict=True):
        pre, post = trace.preacts.numpy(), trace.postacts.numpy()
        base = (layer.scale_base.detach() * trace.base.unsqueeze(-1)).numpy()
        spline = (layer.scale_sp.detach() * trace.spline).numpy()
        for name, values in (("preacts", pre), ("postacts", post), ("output", trace.output.numpy())):
            assert entry[name]["mean"] == pytest.approx(values.mean(), abs=1e-12)
            assert entry[name]["std"] == pytest.approx(values.std(), rel=1e-10)
            assert entry[name]["min"] == values.min()
            assert entry[name]["max"] == values.max()
        assert entry["postacts"]["mean_abs"] == pytest.approx(np.abs(post).mean(), rel=1e-12)
        assert entry["off_grid"] == pytest.approx(((pre < -1) | (pre > 1)).mean(), abs=1e-15)
        var_base, var_spline = base.var(axis=0), spline.var(axis=0)
        assert entry["spline_share"] == pytest.approx(var_spline.sum() / (var_base + var_spline).sum(), rel=1e-10)
        bends = []
        for edge in entry["edges"]:
            i, j = edge["in"], edge["out"]
            slope, intercept = np.polyfit(pre[:, i], post[:, i, j], 1)
            r2 = np.corrcoef(pre[:, i], post[:, i, j])[0, 1] ** 2
            bends.append(1 - r2)
            assert edge["slope"] == pytest.approx(slope, rel=1e-9)
            assert edge["intercept"] == pytest.approx(intercept, abs=1e-9)
            assert edge["nonlinearity"] == pytest.approx(1 - r2, abs=1e-10)
            assert edge["postact_mean"] == pytest.approx(post[:, i, j].mean(), abs=1e-12)
            assert edge["postact_std"] == pytest.approx(post[:, i, j].std(), rel=1e-10)
            assert edge["postact_mean_abs"] == pytest.approx(np.abs(post[:, i, j]).mean(), rel=1e-12)
            assert edge["spline_share"] == pytest.approx(var_spline[i, j] / (var_base + var_spline)[i, j], rel=1e-9)
            assert edge["coef_std"] == pytest.approx(layer.coef.detach().numpy()[i, j].std(), rel=1e-12)
        assert entry["nonlinearity"]["max"] == pytest.approx(max(bends), rel=1e-9)
        coef = layer.coef.detach().numpy()
        assert entry["coef"] == pytest.approx(
            {"mean": coef.mean(), "std": coef.std(), "min": coef.min(), "max": coef.max()}
        )


def test_the_linear_case_is_linear(x):
    model = model_of([2, 5, 1], "identity", noise_scale=0, noise_scale_base=0)
    for layer in reported(model, x)["layers"]:
        assert layer["nonlinearity"]["max"] < 1e-12
        assert layer["spline_share"] == 0
        for edge in layer["edges"]:
            assert edge["slope"] == pytest.approx(edge["scale_base"], rel=1e-12)
            assert edge["intercept"] == pytest.approx(0, abs=1e-12)


def test_a_constant_input_has_no_line_and_says_why():
    told = reported(model_of([2, 1]), torch.ones(10, 2, dtype=torch.float64))
    (layer,) = told["layers"]
    assert layer["preacts"]["std"] == 0
    assert layer["nonlinearity"] == {"mean": None, "max": None}
    assert layer["spline_share"] is None
    assert told["reasons"]["layers.0.nonlinearity.max"] == "nothing varies"
    assert told["reasons"]["layers.0.edges.0.slope"] == "nothing varies"


def test_zero_base_leaves_all_to_the_spline(x):
    (layer,) = reported(model_of([2, 3], "zero"), x)["layers"]
    assert layer["spline_share"] == 1


def test_scopes_are_the_sampled_range_and_the_strength(x):
    model = model_of([2, 3])
    (scope,) = measured(model, x, chunks=3).scopes()
    post = model.trace(x)[0].postacts.numpy()
    np.testing.assert_array_equal(scope.low, x.numpy().min(0))
    np.testing.assert_array_equal(scope.high, x.numpy().max(0))
    np.testing.assert_allclose(scope.mean_abs, np.abs(post).mean(0), rtol=1e-12)
    np.testing.assert_allclose(scope.std, post.std(0), rtol=1e-10)


@pytest.mark.parametrize(("tensor", "branch"), [("scale_base", "base"), ("coef", "spline"), ("scale_sp", "spline")])
def test_a_non_finite_value_is_named_by_layer_edge_and_branch(x, tensor, branch):
    model = model_of([2, 3, 2])
    with torch.no_grad():
        getattr(model.layers[1], tensor)[2, 1] = math.inf
    told = reported(model, x, chunks=2)
    assert "NaN" not in json.dumps(told, allow_nan=False)
    (verdict,) = told["verdicts"]
    assert (verdict["name"], verdict["value"], verdict["verdict"]) == ("non_finite", 1, "fail")
    assert verdict["detail"].startswith(f"layer 1, edge 2 -> 1, {branch} branch")
    assert told["layers"][0]["output"]["mean"] is not None
    assert told["layers"][1]["output"]["mean"] is None
    assert told["reasons"]["layers.1.output.mean"] in ("some values are not finite", "overflow")


def test_a_sum_that_overflows_names_the_node():
    model = KAN([2, 2], grid=5, k=3, base_fun=base_function("identity"))
    init_(model, Reference(noise_scale=0, noise_scale_base=0), seed=0)
    found = measured(model, torch.full((3, 2), 3e38)).found()
    assert non_finite(found) == {0: "layer 0, node 0: the sum of its incoming edges, each finite, is not finite"}


def test_finite_values_pass(x):
    model = model_of([2, 3])
    assert non_finite(measured(model, x).found()) == {}
    assert reported(model, x)["verdicts"][0]["verdict"] == "pass"


def test_huge_values_do_not_overflow_the_sums():
    model = model_of([2, 2], "identity", noise_scale=0)
    x = torch.tensor([[1e100, -1e100], [2e100, 3e100]], dtype=torch.float64)
    (layer,) = reported(model, x)["layers"]
    assert layer["preacts"]["std"] == pytest.approx(x.numpy().std(), rel=1e-12)


def test_measuring_changes_nothing(x):
    model = model_of([2, 3, 1])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rng = torch.get_rng_state()
    reported(model, x, chunks=2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), rng)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_distance_from_the_straight_line(x):
    model = model_of([2, 3], "identity", noise_scale=0.2)
    (layer,) = reported(model, x, chunks=3)["layers"]
    trace = model.trace(x)[0]
    off = (trace.postacts - model.layers[0].scale_base.detach() * trace.preacts.unsqueeze(-1)).abs().amax(0)
    assert layer["linear_error"] == pytest.approx(float((off / trace.postacts.abs().amax(0)).max()), rel=1e-12)


def test_sums_that_overflow_say_so():
    model = model_of([2, 2], "identity", noise_scale=0)
    told = reported(model, torch.tensor([[1e200, -1e200], [2e200, 3e200]], dtype=torch.float64))
    assert told["layers"][0]["preacts"]["std"] is None
    assert told["reasons"]["layers.0.preacts.std"] == "overflow in float64"
    assert told["reasons"]["layers.0.edges.0.slope"] == "overflow in float64"


def test_plain_values():
    reasons = {}
    value = {"a": np.float64(1.5), "b": [np.int64(3), math.nan, math.inf], "c": np.float32(2)}
    assert plain(value, "top", reasons, "because") == {"a": 1.5, "b": [3, None, None], "c": 2.0}
    assert reasons == {"top.b.1": "because", "top.b.2": "overflow"}
