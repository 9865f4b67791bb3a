"""An ensemble is its members: each has the bits of the single run with its own seed, and the summary is over them."""

import csv
import dataclasses
import math
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import stats as scipy_stats

from kancli.config import memory
from kancli.config.validation import validate
from kancli.errors import ConfigError
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.runs import experiment
from kancli.runs.build import build_model
from kancli.runs.result import parameters_of
from kancli.stats.columns import flat
from kancli.stats.scales import Scale
from kancli.stats.summary import scale_of, summary_statistics

CASES = {
    "default": {},
    "one edge, few samples": {"width": [1, 1, 1], "k": 2, "inputs": {"kind": "normal", "n": 7}, "dtype": "float64"},
    "fine grid": {"width": [3, 17, 2], "grid": {"size": 30}, "inputs": {"kind": "uniform", "n": 50}},
    "wide": {"width": [20, 70, 5], "k": 5, "grid": {"size": 5}, "init": {"scheme": "efficient_kan"}},
    "steps": {"k": 0, "init": {"scheme": "pykan_0_2_8"}, "inputs": {"kind": "sobol", "n": 33}},
    "source streams": {"init": {"scheme": "pykan_0_0_5", "stream": "source"}},
    "standardised": {"init": {"scheme": "lecun_norm"}, "width": [3, 4, 2]},
    "adapted": {"grid": {"size": 4, "adapt": "samples", "eps": 0.3}, "width": [2, 3, 1]},
    "adapted, many samples": {
        "grid": {"size": 5, "adapt": "samples", "eps": 0.2},
        "inputs": {"kind": "normal", "n": 20000},
        "activations": {"n": 3},
    },
    "mesh": {"width": [2, 3], "inputs": {"kind": "grid", "n": 49}},
    "full": {"width": [3, 4, 4, 2], "stats": {"level": "full", "ntk": {"n": 20}}, "init": {"scheme": "pykan_0_0_5"}},
    "full, scales of their own": {
        "width": [2, 3, 1],
        "init": {"scheme": "efficient_kan"},
        "stats": {"level": "full", "ntk": {"n": 300}},
        "inputs": {"kind": "normal", "n": 300},
    },
    "full, masked": {
        "width": [3, 5, 2],
        "init": {"scheme": "pykan_0_2_8", "sparse_init": True},
        "stats": {"level": "full"},
    },
    "full, several outputs": {
        "width": [2, 3, 9],
        "grid": {"size": 12},
        "init": {"scheme": "efficient_kan_fixed"},
        "inputs": {"kind": "normal", "n": 32},
        "stats": {"level": "full"},
    },
    "one sample": {"width": [2, 3, 1], "inputs": {"kind": "normal", "n": 1}, "stats": {"level": "full"}},
    "full, standardised": {"width": [2, 3, 1], "init": {"scheme": "lecun_norm"}, "stats": {"level": "full"}},
    "full, adapted": {"grid": {"size": 4, "adapt": "samples", "eps": 0.3}, "stats": {"level": "full"}},
}


def computed(seed=5, n_seeds=1, **config):
    return experiment.compute(validate({**config, "seed": seed, "n_seeds": n_seeds}))


def leaves(entry, path=""):
    """Every number of a report with its path."""
    if isinstance(entry, dict):
        for name, value in entry.items():
            yield from leaves(value, f"{path}.{name}")
    elif isinstance(entry, list):
        for number, value in enumerate(entry):
            yield from leaves(value, f"{path}.{number}")
    else:
        yield path, entry


def at(named, path, member):
    """One member's number of `[s]` or `[s, n]`, None where it is not finite."""
    *names, last = path.split(".")[1:]
    for name in names:
        named = named[name]
    value = named[member, int(last)] if last.isdigit() else named[last][member]
    return float(value) if np.isfinite(value) else None


QUICK = ("default", "source streams", "standardised", "adapted", "full")


@pytest.mark.parametrize(
    "case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
@pytest.mark.parametrize("group", [pytest.param(None, marks=pytest.mark.slow), 2])
def test_a_member_has_the_bits_of_its_own_run(case, group, monkeypatch):
    if group:
        monkeypatch.setattr(memory, "group_size", lambda *_: group)
    config = CASES[case]
    ensemble = computed(n_seeds=3, **config)
    for member in range(3):
        single = computed(seed=5 + member, **config)
        alone, together = parameters_of(single.model), parameters_of(ensemble.model)
        assert set(alone) == set(together)
        for name, tensor in alone.items():
            assert torch.equal(together[name][member], tensor), name
        for name in ("propagation", "jacobian", "ntk"):
            if single.stats[name] is not None:
                values = dict(leaves(single.stats[name]))
                assert {path: at(ensemble.network_stats.network[name], path, member) for path in values} == values
        rows = [row for row in ensemble.members if row["member"] == member]
        for row, layer in zip(rows, single.stats["layers"], strict=True):
            assert row["seed"] == 5 + member
            wanted = {name: value for name, value in layer.items() if name not in ("n_in", "n_out", "nodes", "edges")}
            assert {name: row[name] for name in flat(wanted)} == flat(wanted)
        if member == 0:
            for name, tensor in single.activations.items():
                assert torch.equal(ensemble.activations[name], tensor), name
            for one, other in zip(ensemble.ranges, single.ranges, strict=True):
                np.testing.assert_array_equal(one.mean_abs, other.mean_abs)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["default", "fine grid", "wide", "adapted, many samples", "full"])
def test_bits_do_not_depend_on_threads(case):
    found = {}
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            found[count] = computed(n_seeds=2, **CASES[case])
    finally:
        torch.set_num_threads(threads)
    for count in (2, 4):
        assert found[count].stats == found[1].stats
        for name, tensor in found[1].activations.items():
            assert torch.equal(found[count].activations[name], tensor), name


@pytest.mark.slow
def test_the_summary_is_over_the_members():
    """Every number of stats.json, at full level, against numpy and scipy over runs one by one."""
    parts = ("layers", "propagation", "jacobian", "ntk")
    config = {"stats": {"level": "full", "ntk": {"n": 12}}}

    def numbers(run):
        return dict(leaves({part: run.stats[part] for part in parts}))

    told = numbers(computed(n_seeds=6, **config))
    singles = [numbers(computed(seed=5 + member, **config)) for member in range(6)]
    fixed = ("layer", "n_in", "n_out", "in", "out", "declared_mean", "declared_std", "mean_error", "variance_error")
    count = 0
    for path in singles[0]:
        name, _, place = path.rpartition(".")  # of an entry of a list
        name, place = (name, f".{place}") if place.isdigit() else (path, "")
        if name.rpartition(".")[2] in fixed:
            assert path in told, path
            continue

        def summary(of, name=name, place=place):
            return told[f"{name}.{of}{place}"]

        values = np.array([each[path] for each in singles], dtype=float)
        if np.isnan(values).all():
            assert summary("mean") is None
            continue
        scale = scale_of(re.sub(r"^\.(layers\.\d+\.((nodes|edges)\.)?)?", "", name).replace(".", "_"))
        is_ratio = scale is Scale.RATIO
        mean = scipy_stats.gmean(values) if is_ratio else values.mean()
        assert summary("mean") == pytest.approx(mean, rel=1e-12, abs=1e-15), path
        assert summary("sd") == pytest.approx(values.std(ddof=1), rel=1e-9, abs=1e-14 * abs(values).max()), path
        assert summary("n") == 6
        if scale is Scale.NONE:
            assert summary("low") is summary("high") is None, path
        elif np.ptp(values) and (scale is Scale.LINEAR or (is_ratio and values.all())):  # others: stats/test_summary
            members = np.log(values) if is_ratio else values
            ends = scipy_stats.t.interval(0.95, 5, loc=members.mean(), scale=scipy_stats.sem(members))
            low, high = np.exp(ends) if is_ratio else ends
            assert summary("low") == pytest.approx(low, rel=1e-9, abs=1e-13), path
            assert summary("high") == pytest.approx(high, rel=1e-9, abs=1e-13), path
        if f"{name}.q25{place}" in told:
            assert summary("q25") == pytest.approx(np.quantile(values, 0.25), rel=1e-12, abs=1e-15)
        count += 1
    assert count > 500


def test_a_summary_leaves_out_what_is_not_finite():
    found = summary_statistics(np.array([[1.0, math.nan], [3.0, math.nan], [math.inf, math.nan]]))
    assert found["mean"][0] == 2
    assert found["sd"][0] == pytest.approx(math.sqrt(2))
    assert found["n"].tolist() == [2, 0]
    assert all(np.isnan(found[name][1]) for name in ("mean", "sd", "low", "high"))
    one = summary_statistics(np.array([4.0]))
    assert one["mean"] == 4
    assert np.isnan(one["sd"])


@pytest.mark.slow
def test_the_folder_of_an_ensemble(kan_run):
    outcome = kan_run("-v", "n_seeds=4", "seed=7", "width=2-3-1", "init=pykan_0_0_5", "inputs.n=20")
    assert outcome.code == 0, outcome.err
    assert "4 networks, seeds 7 to 10" in " ".join(outcome.out.split())
    params = load_file(outcome.folder / "params.safetensors")
    shapes = {name: tuple(tensor.shape) for name, tensor in params.items()}
    assert shapes["layers.0.coef"] == (4, 2, 3, 8)
    assert shapes["layers.0.scale_base"] == (4, 2, 3)
    assert shapes["layers.1.bias"] == (4, 1)
    assert shapes["layers.0.knots"] == (4, 12)
    model = KAN([2, 3, 1], grid=5, k=3, base_fun=base_function("silu"), bias=True, n_members=4)
    model.load_state_dict(params)
    assert torch.equal(model.layers[0].coef, params["layers.0.coef"])
    activations = load_file(outcome.folder / "activations.safetensors")
    assert tuple(activations["layers.0.postacts"].shape) == (20, 2, 3)
    stats = outcome.json("stats.json")
    assert {"mean", "sd", "low", "high"} <= set(stats["layers"][0]["edges"]["slope"])
    assert stats["verdicts"][0]["verdict"] == "pass"
    with (outcome.folder / "members.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["member"], row["seed"], row["layer"]) for row in rows[:3]] == [("0", "7", "0"), ("0", "7", "1"),
                                                                                ("1", "8", "0")]  # fmt: skip
    with (outcome.folder / "edges.csv").open() as file:
        edge = next(iter(csv.DictReader(file)))
    assert float(edge["slope_mean"]) == stats["layers"][0]["edges"]["slope"]["mean"][0]


def test_a_non_finite_member_is_named(kan_run):
    outcome = kan_run("n_seeds=3", "init=default", "noise_scale_base=1e38", "inputs.std=1e3")
    assert outcome.code == 3
    assert "member 0, layer 0" in outcome.err
    verdict = outcome.json("stats.json")["verdicts"][0]
    assert verdict["verdict"] == "fail"
    assert 1 <= verdict["value"] <= 3


def test_the_global_streams_are_untouched():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    computed(n_seeds=3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


def test_too_many_members_are_told_in_gib(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2**30)
    with pytest.raises(ConfigError, match=r"n_seeds=1000000: the members need .* GiB, 1 GiB are free; take fewer"):
        validate({"n_seeds": 10**6})


def test_one_model_serves_single_and_ensemble():
    """Members may share their inputs; a slice of an ensemble is an ensemble, an index a single model."""
    settings = dataclasses.replace(validate({"width": [2, 3, 1]}), n_seeds=4)
    model = build_model(settings)
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    y = model(x)
    assert y.shape == (4, 9, 1)
    assert torch.equal(model.member(2)(x), y[2])
    assert torch.equal(model(x.repeat(4, 1, 1)), y)
    assert torch.equal(model.member(slice(1, 3))(x), y[1:3])
    assert model.member(2).layers[0].coef.data_ptr() == model.layers[0].coef[2].data_ptr()
    y.sum().backward()
    assert model.layers[0].coef.grad.shape == (4, 2, 3, 8)
