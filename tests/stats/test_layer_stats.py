"""The statistics against plain numpy over whole arrays, against known answers, and in chunks."""

import math
import threading

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
from kancli.stats.layer_collector import LayerCollector
from kancli.stats.propagation import growth_slope
from kancli.stats.running_moments import Moments
from kancli.stats.stats_json import as_json, plain
from tests.stats.measuring import edges, measured, model_of, reported

LAYER_UPDATE = LayerCollector.update


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


def test_edge_ranges_are_the_sampled_range_and_the_strength(x):
    model = model_of([2, 3])
    _, (edge_ranges,) = measured(model, x, chunks=3, level="none", ranges=True).compute()
    post = model.trace(x)[0].postacts.numpy()
    np.testing.assert_array_equal(edge_ranges.low, x.numpy().min(0))
    np.testing.assert_array_equal(edge_ranges.high, x.numpy().max(0))
    np.testing.assert_allclose(edge_ranges.mean_abs, np.abs(post).mean(0), rtol=1e-12)
    np.testing.assert_allclose(edge_ranges.std, post.std(0), rtol=1e-10)


@pytest.mark.parametrize("shared", [(True, True), (True, False), (False, True)])
def test_samples_that_members_share_count_for_each(x, shared):
    model = KAN([2, 3, 1], grid=5, k=3, base_fun=base_function("silu"), n_members=3, dtype=torch.float64)
    init_(model, Reference(), seed=0)

    def statistics(*shared):
        collector = Collector(model, level="full")
        for chunk, is_shared in zip(x.split(400), shared, strict=True):
            collector.update(model.trace(chunk if is_shared else chunk.repeat(3, 1, 1)))
        return as_json(collector.compute()[0], [], epsilon=torch.finfo(torch.float64).eps, ensemble=True)

    assert statistics(*shared) == statistics(False, False)


@pytest.mark.parametrize("first", [0.5, math.nan])
def test_layers_on_threads_of_their_own_have_the_same_bits(x, first, monkeypatch):
    x[0, 0] = first
    model, threads, barrier = model_of([2, 4, 3]), torch.get_num_threads(), threading.Barrier(2)
    found = reported(model, x, chunks=3, level="full")

    def update(*args):
        barrier.wait(60)  # breaks unless there are two threads
        LAYER_UPDATE(*args)

    monkeypatch.setattr(LayerCollector, "update", update)
    monkeypatch.setattr("kancli.stats.collector.MIN_NUMBERS", 0)
    torch.set_num_threads(2)
    try:
        assert reported(model, x, chunks=3, level="full") == found
    finally:
        torch.set_num_threads(threads)


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
