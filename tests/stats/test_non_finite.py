"""Values that are not finite are named; huge ones that are do not overflow the sums."""

import json
import math

import numpy as np
import pytest
import torch

from kancli.inits.initialise import init_
from kancli.inits.reference import Reference
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.stats.gradients import measure_gradients
from kancli.stats.network_stats import non_finite
from kancli.stats.stats_json import as_json
from tests.stats.measuring import measured, model_of, reported


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(500, 2)))


@pytest.mark.parametrize("level", ["none", "basic", "full"])
@pytest.mark.parametrize(("tensor", "branch"), [("scale_base", "base"), ("coef", "spline"), ("scale_sp", "spline")])
def test_a_non_finite_value_is_named_by_layer_edge_and_branch(x, tensor, branch, level):
    model = model_of([2, 3, 2])
    with torch.no_grad():
        getattr(model.layers[1], tensor)[2, 1] = math.inf
    collector = measured(model, x, chunks=2, level=level)
    found, _ = collector.compute(measure_gradients(model, x[:9]) if level == "full" else None)
    assert set(non_finite(found.layers)) == {0}
    assert non_finite(found.layers)[0].startswith(f"layer 1, edge 2 -> 1, {branch} branch: not finite for ")
    if level == "none":
        return
    told = as_json(found, [], epsilon=0, ensemble=False)
    assert "NaN" not in json.dumps(told, allow_nan=False)
    assert told["layers"][0]["output"]["mean"] is not None
    assert told["layers"][1]["output"]["mean"] is None
    assert told["reasons"]["layers.1.output.mean"] in ("some values are not finite", "overflow")


def test_a_sum_that_overflows_names_the_node():
    model = KAN([2, 2], grid=5, k=3, base_fun=base_function("identity"))
    init_(model, Reference(noise_scale=0, noise_scale_base=0), seed=0)
    found, _ = measured(model, torch.full((3, 2), 3e38)).compute()
    where = "layer 0, node 0: the sum of its incoming edges, each finite, is not finite"
    assert non_finite(found.layers) == {0: where}


def test_huge_values_do_not_overflow_the_sums():
    model = model_of([2, 2], "identity", noise_scale=0)
    x = torch.tensor([[1e100, -1e100], [2e100, 3e100]], dtype=torch.float64)
    (layer,) = reported(model, x)["layers"]
    assert layer["preacts"]["std"] == pytest.approx(x.numpy().std(), rel=1e-12)


@pytest.mark.parametrize("values", [[[1e308, 0.0], [1.7e308, 0.0]], [[1e308, 1e308], [1e308, 1e308]]])
def test_finite_values_whose_sums_overflow_are_finite(values):
    model = model_of([2, 2], "identity", noise_scale=0, noise_scale_base=0)
    found, _ = measured(model, torch.tensor(values, dtype=torch.float64), level="none").compute()
    assert non_finite(found.layers) == {}


def test_sums_that_overflow_say_so():
    model = model_of([2, 2], "identity", noise_scale=0)
    told = reported(model, torch.tensor([[1e200, -1e200], [2e200, 3e200]], dtype=torch.float64))
    assert told["layers"][0]["preacts"]["std"] is None
    assert told["reasons"]["layers.0.preacts.std"] == "overflow in float64"
    assert told["reasons"]["layers.0.edges.slope"] == "overflow in float64"
