"""Verdicts on an ensemble: the mean over its members, with an interval."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from kancli.inits.initialise import init_
from kancli.inits.reference import Reference
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.stats.verdicts import Verdict
from tests.stats.judging import interval, model_of, verdicts_of


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, size=(200, 2))).float()


@pytest.mark.slow
def test_members_are_judged_by_their_mean_with_an_interval(x):
    told = verdicts_of(model_of([2, 5, 1], members=20), x, ensemble=True)
    singles = [verdicts_of(model_of([2, 5, 1], seed=seed), x)["off_grid"].value for seed in range(20)]
    low, value, high = interval(told["off_grid"])
    assert value == pytest.approx(np.mean(singles), rel=1e-9)
    assert low <= value <= high


def test_ratios_of_very_different_size_are_judged_by_their_geometric_mean(x):
    model = KAN([2, 2], grid=5, k=3, base_fun=base_function("identity"), base_name="identity", n_members=3)
    init_(model, Reference(noise_scale=0.0), seed=0)
    with torch.no_grad():
        for member, slope in enumerate((1e-6, 1e-4, 1.0)):
            model.layers[0].scale_base[member] = slope * torch.eye(2)
    told = verdicts_of(model, x, ensemble=True)["signal_vanishes"]
    low, value, high = interval(told)
    assert value == pytest.approx(10 ** (-10 / 3), rel=1e-4)
    assert 0 < low < value < high
    assert (told.n, told.verdict) == (3, "undecided"), "members from passing to failing"


def test_a_member_that_is_not_finite_fails_alone(x):
    model = model_of([2, 3, 1], members=4)
    with torch.no_grad():
        model.layers[0].coef[2, 1, 2, 3] = math.inf
    told = verdicts_of(model, x, ensemble=True)
    assert told["non_finite"].verdict == "fail"
    assert told["non_finite"].detail.startswith("member 2, layer 0, edge 1 -> 2, spline branch")
    assert told["rough"].value == pytest.approx(1, abs=0.2), "of the three others"


def test_only_a_mean_over_members_has_an_interval_in_json():
    single = Verdict("rough", 1.5, 2.0, "pass", "layer 0")
    fields = {
        "name": "rough",
        "statement": "edges rough",
        "value": 1.5,
        "threshold": 2.0,
        "verdict": "pass",
        "detail": "layer 0",
    }
    assert list(single.as_json().items()) == list(fields.items())
    one_of_two = dataclasses.replace(single, n=1)
    assert list(one_of_two.as_json().items()) == [*fields.items(), ("low", None), ("high", None), ("n", 1)]


def test_a_bound_within_the_interval_over_members_leaves_a_verdict_undecided(x):
    model = KAN([2, 2], grid=5, k=3, base_fun=base_function("identity"), base_name="identity", n_members=4)
    init_(model, Reference(noise_scale=0.0), seed=0)
    with torch.no_grad():
        for member, slope in enumerate((0.08, 0.09, 0.11, 0.14)):
            model.layers[0].scale_base[member] = slope * torch.eye(2)
    near = verdicts_of(model, x, ensemble=True)["signal_vanishes"]
    low, value, high = interval(near)
    assert low < 0.1 < value < high
    assert (near.verdict, near.threshold) == ("undecided", 0.1)
    for warn, fail, verdict, threshold in (
        (0.2, 0.001, "warn", 0.2),
        (0.01, 0.001, "pass", 0.01),
        (0.3, 0.2, "fail", 0.2),
        (0.3, 0.1, "undecided", 0.1),
        (0.11, 0.1, "undecided", 0.1),
        (None, 0.1, "undecided", 0.1),
    ):
        told = verdicts_of(model, x, ensemble=True, signal_vanishes=(warn, fail))["signal_vanishes"]
        assert (told.verdict, told.threshold) == (verdict, threshold)


def test_each_member_is_judged_by_its_own_worst_layer(x):
    """The gains are 1/2 then 1 and 1 then 1/4: the geometric mean of the least signals, not the least of the means."""
    model = KAN([2, 2, 2], grid=5, k=3, base_fun=base_function("identity"), base_name="identity", n_members=3)
    init_(model, Reference(noise_scale=0.0), seed=0)
    with torch.no_grad():
        for member, slopes in enumerate(((0.5, 4.0), (1.0, 0.25), (2.0, 0.125))):
            for layer, slope in zip(model.layers, slopes, strict=True):
                layer.scale_base[member] = slope * torch.eye(2)
    told = verdicts_of(model, x, ensemble=True)["signal_vanishes"]
    assert told.value == pytest.approx((0.5 * 0.25 * 0.25) ** (1 / 3), rel=1e-4)
    assert told.detail == "output of layer 1 in 2 of 3 members"
