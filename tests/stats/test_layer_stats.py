"""The statistics against plain numpy over whole arrays, against known answers, and in chunks."""

import json
import math

import numpy as np
import pytest
import torch

from kancli.inits import SCHEMES
from kancli.inits.initialise import init_
from kancli.inits.reference import Reference
from kancli.inputs.samplers import SAMPLERS
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.stats.collector import Collector
from kancli.stats.gradients import measure_gradients
from kancli.stats.network_stats import non_finite
from kancli.stats.propagation import growth_slope
from kancli.stats.running_moments import Moments
from kancli.stats.stats_json import as_json, plain


def model_of(width, base="silu", seed=0, **knobs):
    model = KAN(width, grid=5, k=3, base_fun=base_function(base), dtype=torch.float64)
    return init_(model, Reference(**knobs), seed=seed)


def measured(model, x, chunks=1, **how):
    collector = Collector(model, **how)
    for chunk in x.chunk(chunks, dim=-2):
        collector.update(model.trace(chunk))
    return collector


def reported(model, x, chunks=1, **how):
    found, _ = measured(model, x, chunks, **how).compute()
    epsilon = torch.finfo(model.layers[0].coef.dtype).eps
    return as_json(found, [], epsilon=epsilon, ensemble=model.n_members is not None)


def edges(entry):
    """The columns of a layer's edges as one dict an edge, by its ends."""
    columns = {}
    for name, values in entry["edges"].items():
        if isinstance(values, dict):
            columns |= {f"{name}_{inner}": each for inner, each in values.items()}
        else:
            columns[name] = values
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {(row["in"], row["out"]): row for row in rows}


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(500, 2)))


@pytest.mark.parametrize("offset", [0, 1e6])
@pytest.mark.parametrize("sizes", [[100], [1, 99], [30, 30, 40]])
def test_moments_in_chunks_are_the_moments_of_the_whole(offset, sizes):
    x = offset + np.random.default_rng(1).normal(size=(100, 3))
    moments = Moments()
    for part in np.split(np.arange(100), np.cumsum(sizes)[:-1]):
        moments.update(x[part, None])
    np.testing.assert_allclose(moments.mean[0], x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.variance[0], x.var(0), rtol=1e-8)
    np.testing.assert_array_equal((moments.low[0], moments.high[0]), (x.min(0), x.max(0)))


def pooled(values):
    return {"mean": values.mean(), "std": values.std(), "rms": np.sqrt((values**2).mean())}


@pytest.mark.parametrize("chunks", [1, 7])
@pytest.mark.parametrize(("grid", "k"), [(5, 3), (40, 3), (1, 0), (3, 5), (33, 0)])
def test_layer_statistics_against_plain_numpy(x, chunks, grid, k):
    """On few bases and on many, where sums are made in another way."""
    model = KAN([2, 4, 3], grid=grid, k=k, base_fun=base_function("silu"), dtype=torch.float64)
    init_(model, Reference(noise_scale=2.0, noise_scale_base=0.5), seed=0)
    with torch.no_grad():
        for layer in model.layers:
            layer.scale_sp.uniform_(-2, 2, generator=torch.Generator().manual_seed(0))
    found = reported(model, x, chunks, level="full", n_first=500)["layers"]
    for layer, trace, entry in zip(model.layers, model.trace(x), found, strict=True):
        pre, post, out = trace.preacts.numpy(), trace.postacts.numpy(), trace.output.numpy()
        base = (layer.scale_base.detach() * trace.base.unsqueeze(-1)).numpy()
        spline = (layer.scale_sp.detach() * trace.spline).numpy()
        for name, values in (("preacts", pre), ("postacts", post), ("output", out)):
            assert {each: entry[name][each] for each in pooled(values)} == pytest.approx(pooled(values), rel=1e-9)
            assert entry[name]["min"] == values.min()
            assert entry[name]["max"] == values.max()
        for name, values in (("preacts", pre), ("postacts", post)):
            wanted = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
            assert [entry[name][each] for each in ("q05", "q25", "q50", "q75", "q95")] == pytest.approx(wanted)
        for name, within, values in (
            ("preacts", "node_std", pre),
            ("postacts", "edge_std", post),
            ("output", "node_std", out),
        ):
            assert entry[name][within] == pytest.approx(np.sqrt(values.var(0).mean()), rel=1e-9)
        assert entry["postacts"]["mean_abs"] == pytest.approx(np.abs(post).mean(), rel=1e-12)
        assert entry["gain"]["rms"] == pytest.approx(np.sqrt((out**2).mean() / (pre**2).mean()), rel=1e-9)
        assert entry["gain"]["variance"] == pytest.approx(out.var(0).mean() / pre.var(0).mean(), rel=1e-9)
        assert entry["off_grid"] == pytest.approx(((pre < -1) | (pre > 1)).mean(), abs=1e-15)
        visits = [np.histogram(column, grid, (-1, 1))[0] for column in pre.T]
        assert entry["empty_intervals"] == pytest.approx((np.array(visits) == 0).mean(), abs=1e-15)
        assert entry["nodes"]["empty_intervals"] == pytest.approx((np.array(visits) == 0).mean(1), abs=1e-15)
        var_base, var_spline = base.var(axis=0), spline.var(axis=0)
        assert entry["spline_share"] == pytest.approx(var_spline.sum() / (var_base + var_spline).sum(), rel=1e-9)
        both = ((base - base.mean(0)) * (spline - spline.mean(0))).mean(0)
        shares = {"base": var_base.sum(), "spline": var_spline.sum(), "covariance": 2 * both.sum()}
        shares = {name: each / post.var(0).sum() for name, each in shares.items()}
        assert entry["variance_share"] == pytest.approx(shares, rel=1e-8)
        assert sum(entry["variance_share"].values()) == pytest.approx(1, rel=1e-9)
        bends, rough, monotone = [], [], []
        for (i, j), edge in edges(entry).items():
            phi, along = post[:, i, j], post[np.argsort(pre[:, i]), i, j]
            slope, intercept = np.polyfit(pre[:, i], phi, 1)
            bends.append(1 - np.corrcoef(pre[:, i], phi)[0, 1] ** 2)
            rough.append(np.abs(np.diff(along)).sum() / np.ptp(along))
            monotone.append(bool((np.diff(along) >= 0).all() or (np.diff(along) <= 0).all()))
            assert edge["slope"] == pytest.approx(slope, rel=1e-7, abs=1e-9)
            assert edge["intercept"] == pytest.approx(intercept, abs=1e-8)
            assert edge["nonlinearity"] == pytest.approx(bends[-1], abs=1e-9)
            assert edge["roughness"] == pytest.approx(rough[-1], rel=1e-9)
            assert bool(edge["monotone"]) == monotone[-1]
            assert edge["postact_mean"] == pytest.approx(phi.mean(), abs=1e-10)
            assert edge["postact_std"] == pytest.approx(phi.std(), rel=1e-8)
            assert edge["postact_rms"] == pytest.approx(np.sqrt((phi**2).mean()), rel=1e-8)
            assert edge["postact_mean_abs"] == pytest.approx(np.abs(phi).mean(), rel=1e-12)
            assert (edge["postact_min"], edge["postact_max"]) == (phi.min(), phi.max())
            assert edge["postact_q25"] == pytest.approx(np.quantile(phi, 0.25))
            assert edge["spline_share"] == pytest.approx(var_spline[i, j] / (var_base + var_spline)[i, j], rel=1e-8)
            assert edge["coef_std"] == pytest.approx(layer.coef.detach().numpy()[i, j].std(), rel=1e-12)
        assert entry["nonlinearity"] == pytest.approx({"mean": np.mean(bends), "max": max(bends)}, rel=1e-8)
        assert entry["roughness"] == pytest.approx({"mean": np.mean(rough), "max": max(rough)}, rel=1e-9)
        assert entry["monotone"] == pytest.approx(np.mean(monotone))
        coef = layer.coef.detach().numpy()
        quantiles = dict(zip(("q05", "q25", "q50", "q75", "q95"), np.quantile(coef, [0.05, 0.25, 0.5, 0.75, 0.95])))
        assert entry["coef"] == pytest.approx(
            {"mean": coef.mean(), "std": coef.std(), "min": coef.min(), "max": coef.max(), **quantiles}
        )
        wanted = np.abs(np.corrcoef(out.T))[np.triu_indices(out.shape[1], 1)]
        assert entry["correlation"] == pytest.approx({"mean": wanted.mean(), "max": wanted.max()}, rel=1e-8)
        values = np.linalg.eigvalsh(np.cov(out.T, bias=True))
        assert entry["effective_rank"] == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=1e-8)
        apart = [
            ((post[:, i, a] - post[:, i, b]) ** 2).mean()
            for i in range(post.shape[1])
            for a in range(post.shape[2])
            for b in range(a)
        ]
        assert entry["edge_distance"] == pytest.approx(np.sqrt(np.mean(apart) / (post**2).mean() / 2), rel=1e-8)


@pytest.mark.parametrize("name", SCHEMES)
def test_edges_of_any_scheme_have_the_moments_of_their_values(x, name):
    """Biases, scales that are not 1, and bases standardised over the samples."""
    scheme = SCHEMES[name]()
    options = {"bias": scheme.has_bias, "standardise": scheme.standardises}
    model = KAN([2, 4], grid=6, k=3, base_fun=base_function("tanh"), base_name="tanh", dtype=torch.float64, **options)
    init_(model, scheme, seed=1)
    if model.layers[0].bias is not None:
        with torch.no_grad():
            model.layers[0].bias.fill_(3)
    with model.with_basis_statistics(x):
        (entry,) = reported(model, x, chunks=3)["layers"]
        post = model.trace(x)[0].postacts.numpy()
    for (i, j), edge in edges(entry).items():
        assert edge["postact_mean"] == pytest.approx(post[:, i, j].mean(), abs=1e-9)
        assert edge["postact_std"] == pytest.approx(post[:, i, j].std(), rel=1e-7)
    assert entry["output"]["mean"] == pytest.approx(post.sum(1).mean() + (3 if scheme.has_bias else 0), abs=1e-9)


def test_the_linear_case_is_linear(x):
    model = model_of([2, 5, 1], "identity", noise_scale=0, noise_scale_base=0)
    for layer in reported(model, x)["layers"]:
        assert layer["nonlinearity"]["max"] < 1e-12
        assert layer["spline_share"] == 0
        assert layer["roughness"] == {"mean": pytest.approx(1, abs=1e-12), "max": pytest.approx(1, abs=1e-12)}
        assert layer["monotone"] == 1
        for edge in edges(layer).values():
            assert edge["slope"] == pytest.approx(edge["scale_base"], rel=1e-12)
            assert edge["intercept"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("std", [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7])
@pytest.mark.parametrize("mean", [0.3, 0.6, -0.9])
def test_numbers_of_samples_that_hardly_vary_are_right_or_unknown(mean, std):
    """Against values centred before they are squared; what is below the rounding of the sums is null, with the reason.

    The nonlinearity of a narrow range is tiny: rounding must not make it look curved.
    """
    x = mean + std * torch.from_numpy(np.random.default_rng(0).normal(size=(400, 2)))
    model = model_of([2, 5], noise_scale=1.0)
    told = reported(model, x)
    (layer,) = told["layers"]
    post = model.trace(x)[0].postacts.numpy()
    n_known = {"postact_std": 0, "nonlinearity": 0}
    for (i, j), edge in edges(layer).items():
        phi, along = post[:, i, j] - post[:, i, j].mean(), x[:, i].numpy() - float(x[:, i].mean())
        residual = phi - along * (phi @ along) / (along @ along)
        wanted = {"postact_std": phi.std(), "nonlinearity": (residual @ residual) / (phi @ phi)}
        for name, value in wanted.items():
            if name == "postact_std" and value < 2e-6 * np.sqrt((post[:, i, j] ** 2).mean()):
                continue  # counts as 0: below 1e-6 of the branches' size
            if edge[name] is not None:
                n_known[name] += 1
                assert edge[name] == pytest.approx(value, rel=0.15, abs=2e-8 if name == "nonlinearity" else 0)
    if std >= 1e-4:
        assert n_known["postact_std"] == 10
    if std >= 1e-2:
        assert n_known["nonlinearity"] == 10
    if n_known["nonlinearity"] < 10:
        reason = "below the rounding of float64: the samples vary too little for their mean"
        assert told["reasons"]["layers.0.edges.nonlinearity"] == reason


def test_identity_edges_pass_the_signal_on_as_it_is(x):
    """One input, one output, phi(x) = x: every gain is 1, far from 0 too."""
    model = model_of([1, 1, 1, 1], "identity", noise_scale=0, noise_scale_base=0)
    for offset in (0, 1e6):
        told = reported(model, x[:, :1] + offset)
        for layer in told["layers"]:
            assert layer["gain"] == pytest.approx({"rms": 1, "variance": 1}, rel=1e-9)
            assert layer["effective_rank"] == 1
            assert layer["correlation"] == {"mean": None, "max": None}
        assert told["reasons"]["layers.0.correlation.mean"] == "there is no pair of nodes that vary"
        assert told["propagation"]["signal"] == pytest.approx(0, abs=1e-9)
        assert told["propagation"]["signal_ratio"] == pytest.approx(1, rel=1e-9)


def test_a_halving_layer_halves(x):
    model = model_of([2, 2, 2, 2], "identity", noise_scale=0)
    with torch.no_grad():
        for layer in model.layers:
            layer.scale_base.copy_(torch.eye(2, dtype=torch.float64) / 2)
    told = reported(model, x)
    assert [layer["gain"]["rms"] for layer in told["layers"]] == pytest.approx([0.5] * 3)
    assert told["propagation"]["signal"] == pytest.approx(math.log(0.5), rel=1e-9)
    assert told["propagation"]["signal_ratio"] == pytest.approx(0.125, rel=1e-9)
    assert told["propagation"]["signal_by_layer"] == pytest.approx([1, 0.5, 0.25, 0.125], rel=1e-9)


def test_nodes_with_equal_rows_are_degenerate_and_orthogonal_ones_are_not(x):
    model = model_of([2, 3], "identity", noise_scale=0, noise_scale_base=0)
    (layer,) = reported(model, x)["layers"]
    assert layer["correlation"] == pytest.approx({"mean": 1, "max": 1}, rel=1e-12)
    assert layer["effective_rank"] == pytest.approx(1, rel=1e-12)
    assert layer["edge_distance"] == pytest.approx(0, abs=1e-7)
    apart = model_of([2, 2], "identity", noise_scale=0)
    with torch.no_grad():
        apart.layers[0].scale_base.copy_(torch.eye(2, dtype=torch.float64))
    white = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    (layer,) = reported(apart, white)["layers"]
    assert layer["correlation"] == {"mean": 0, "max": 0}
    assert layer["effective_rank"] == pytest.approx(2, rel=1e-12)
    assert layer["edge_distance"] == pytest.approx(1, rel=1e-12)


def test_a_constant_input_has_no_line_and_says_why():
    told = reported(model_of([2, 1]), torch.ones(10, 2, dtype=torch.float64))
    (layer,) = told["layers"]
    assert layer["preacts"]["std"] == 0
    assert layer["nonlinearity"] == {"mean": None, "max": None}
    assert layer["roughness"] == {"mean": None, "max": None}
    assert layer["spline_share"] is None
    assert layer["flat_edges"] == 1
    assert told["reasons"]["layers.0.nonlinearity.max"] == "nothing varies"
    assert told["reasons"]["layers.0.edges.slope"] == "nothing varies"


def test_flat_edges_are_those_that_do_not_vary(x):
    model = model_of([2, 4], noise_scale=0)
    with torch.no_grad():
        model.layers[0].scale_base[0, 0] = 0  # nothing at all
        model.layers[0].scale_base[0, 1] = 0
        model.layers[0].coef[0, 1] = 5  # a constant, but for samples off the grid
        model.layers[0].scale_base[1, 2] = 1e-7
    on_grid = x.clamp(-1, 1)
    (layer,) = reported(model, on_grid)["layers"]
    assert layer["flat_edges"] == pytest.approx(3 / 8)
    assert edges(layer)[0, 1]["postact_std"] == 0
    assert edges(layer)[0, 1]["postact_mean"] == pytest.approx(5)
    assert edges(layer)[0, 1]["nonlinearity"] is None
    assert reported(model, on_grid, flat=1e-9)["layers"][0]["flat_edges"] == pytest.approx(2 / 8)


def test_intervals_that_no_sample_visits():
    model = model_of([1, 1])
    x = torch.tensor(
        [[-1.0], [-0.9], [1.0], [1.5], [0.0]], dtype=torch.float64
    )  # of 5 intervals the first, middle, last
    (layer,) = reported(model, x)["layers"]
    assert layer["empty_intervals"] == pytest.approx(2 / 5)
    assert layer["off_grid"] == pytest.approx(1 / 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("grid_range", [(-1.0, 1.0), (-0.7, 0.7), (3.3, 3.4)])
def test_samples_on_the_knots_visit_every_interval_and_stay_on_the_grid(grid_range, dtype):
    for grid in (5, 7, 49):
        x = SAMPLERS["grid"](n=grid + 1, low=grid_range[0], high=grid_range[1]).sample_each(1, seeds=[0])[0]
        model = KAN([1, 3], grid=grid, k=3, base_fun=base_function("silu"), grid_range=grid_range, dtype=dtype)
        init_(model, Reference(), seed=0)
        (layer,) = reported(model, torch.from_numpy(x).to(dtype))["layers"]
        assert (layer["empty_intervals"], layer["off_grid"]) == (0, 0), grid


def test_zero_base_leaves_all_to_the_spline(x):
    (layer,) = reported(model_of([2, 3], "zero"), x)["layers"]
    assert layer["spline_share"] == 1
    assert layer["variance_share"] == pytest.approx({"base": 0, "spline": 1, "covariance": 0})


def test_edge_ranges_are_the_sampled_range_and_the_strength(x):
    model = model_of([2, 3])
    _, (edge_ranges,) = measured(model, x, chunks=3, level="none", ranges=True).compute()
    post = model.trace(x)[0].postacts.numpy()
    np.testing.assert_array_equal(edge_ranges.low, x.numpy().min(0))
    np.testing.assert_array_equal(edge_ranges.high, x.numpy().max(0))
    np.testing.assert_allclose(edge_ranges.mean_abs, np.abs(post).mean(0), rtol=1e-12)
    np.testing.assert_allclose(edge_ranges.std, post.std(0), rtol=1e-10)


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


def test_sums_that_overflow_say_so():
    model = model_of([2, 2], "identity", noise_scale=0)
    told = reported(model, torch.tensor([[1e200, -1e200], [2e200, 3e200]], dtype=torch.float64))
    assert told["layers"][0]["preacts"]["std"] is None
    assert told["reasons"]["layers.0.preacts.std"] == "overflow in float64"
    assert told["reasons"]["layers.0.edges.slope"] == "overflow in float64"


@pytest.mark.parametrize("level", ["none", "basic", "full"])
@pytest.mark.parametrize("members", [None, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_measuring_changes_nothing(x, level, members, dtype):
    model = KAN([2, 3, 1], grid=5, k=3, base_fun=base_function("silu"), n_members=members, dtype=dtype)
    init_(model, Reference(), seed=0).eval()
    model.layers[0].coef.grad = torch.ones_like(model.layers[0].coef)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    threads, samples = torch.get_num_threads(), x.to(dtype)
    kept = samples.clone()
    traces = model.trace(samples)
    copies = [each.postacts.clone() for each in traces]
    collector = Collector(model, level=level, ranges=True)
    collector.update(traces)
    collector.compute(measure_gradients(model, samples[:20]) if level == "full" else None)
    assert torch.equal(samples, kept)
    assert all(torch.equal(each.postacts, copy) for each, copy in zip(traces, copies, strict=True))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert torch.get_num_threads() == threads
    assert not model.training
    assert all(each.dtype == dtype and each.device.type == "cpu" for each in model.parameters())
    assert all(each.requires_grad for each in model.parameters())
    grads = [each.grad for each in model.parameters()]
    assert [each is None for each in grads] == [False] + [True] * (len(grads) - 1)
    assert (model.layers[0].coef.grad == 1).all()


def test_plain_values():
    reasons = {}
    value = {"a": np.float64(1.5), "b": np.array([3, math.nan, math.inf]), "c": np.float32(2), "d": np.int64(3)}
    assert plain(value, "top", reasons, "because") == {"a": 1.5, "b": [3, None, None], "c": 2.0, "d": 3}
    assert reasons == {"top.b": "because"}
    assert plain(math.inf, "top", reasons, "because") is None
    assert reasons["top"] == "overflow"


@pytest.mark.parametrize("shape", [(7, 4), (1, 3), (100, 9)])
def test_a_slope_does_not_depend_on_where_its_numbers_lie(shape):
    """numpy's log of an array has other last bits than that of a view of it, or of one row."""
    sizes = np.exp(np.random.default_rng(0).normal(size=(50, *shape)))
    for values in sizes:
        backwards = values[:, ::-1].copy()[:, ::-1]
        np.testing.assert_array_equal(growth_slope(values), growth_slope(backwards))
        np.testing.assert_array_equal(growth_slope(values), [growth_slope(row[None])[0] for row in values])
