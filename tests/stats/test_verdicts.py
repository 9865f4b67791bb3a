"""Each verdict on a network that triggers it, and on one that passes."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from kancli.config.validation import validate
from kancli.inits import SCHEMES
from kancli.inits.initialise import declared, init_
from kancli.inits.reference import Reference
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.runs.build import build_model, sample_inputs
from kancli.stats.options import OF_TRAINING
from kancli.stats.propagation import growth_slope, slope_margin
from kancli.stats.verdicts import Verdict, judge
from tests.alike import slow_but
from tests.benchmarks.verdicts import node_distances, settings_of
from tests.stats.judging import BOUNDS, model_of, stats_of, verdicts_of


def linear_chain(width, slope):
    """Every edge is slope * x, on one chain of nodes."""
    model = model_of(width, Reference(noise_scale=0.0), "identity")
    with torch.no_grad():
        for layer in model.layers:
            layer.scale_base.copy_(slope * torch.eye(layer.n_in, layer.n_out))
    return model


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, size=(200, 2))).float()


@pytest.mark.parametrize(("slope", "sign"), [(0.02, "vanishes"), (60.0, "explodes")])
def test_signal_and_gradient_over_three_layers(x, slope, sign):
    """The product of three slopes forward and back: far enough to fail."""
    verdicts = verdicts_of(linear_chain([2, 2, 2, 2], slope), x)
    for what, where in (("signal", "output of layer 2"), ("gradient", "input of layer 0")):
        told = verdicts[f"{what}_{sign}"]
        assert told.value == pytest.approx(slope**3, rel=1e-4)
        assert told.verdict == "fail"
        assert told.threshold == BOUNDS[f"{what}_{sign}"][1]
        assert told.detail == where
        other = verdicts[f"{what}_{'explodes' if sign == 'vanishes' else 'vanishes'}"]
        assert other.verdict == "pass"
        assert other.threshold == BOUNDS[other.name][0]


def test_a_bound_is_reached_by_what_equals_it(x):
    half = linear_chain([2, 2], 0.5)
    exactly = verdicts_of(half, x)["signal_vanishes"].value
    assert exactly is not None
    assert verdicts_of(half, x, signal_vanishes=(exactly, None))["signal_vanishes"].verdict == "warn"
    assert verdicts_of(half, x, signal_vanishes=(0.9 * exactly, None))["signal_vanishes"].verdict == "pass"
    assert verdicts_of(half, x, signal_vanishes=(None, exactly))["signal_vanishes"].verdict == "fail"
    assert verdicts_of(half, x, signal_vanishes=(None, None))["signal_vanishes"].verdict == "pass"


@pytest.mark.parametrize("width", [[64, 64, 64, 1], [1, 40], [3, 12, 2]])
def test_gradients_are_compared_by_their_norms_whatever_the_widths(width):
    """Against autograd: the norm of d(u.y)/dx over that of u, root mean square over samples and orthonormal u."""
    model = KAN(
        width, grid=5, k=3, base_fun=base_function("identity"), base_name="identity", bias=True, dtype=torch.float64
    )
    init_(model, SCHEMES["baseline"](std=0.0), seed=0)
    x = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, size=(20, width[0])))
    jacobian = torch.autograd.functional.jacobian(lambda x: model(x).sum(0), x)  # [c, n, i]
    wanted = float(jacobian.square().sum(-1).mean().sqrt())
    stats = stats_of(model, x)
    assert stats.network["propagation"]["gradient_ratio"][0] == pytest.approx(wanted, rel=1e-9)
    bounds = {**BOUNDS, "gradient_vanishes": (wanted * 1.001, None), "gradient_explodes": (wanted * 0.999, None)}
    told = {verdict.name: verdict for verdict in judge(stats, bounds, ensemble=False)}
    if len(width) == 2:
        assert told["gradient_vanishes"].value == told["gradient_explodes"].value == pytest.approx(wanted, rel=1e-9)
    defaults = {verdict.name: verdict.verdict for verdict in judge(stats, BOUNDS, ensemble=False)}
    assert defaults["gradient_vanishes"] == defaults["gradient_explodes"] == "pass"


@pytest.mark.parametrize(
    ("width", "init", "base", "norms"),
    [
        ([256, 256, 256, 1], {"scheme": "baseline", "std": 0.0}, "identity", [1.42, 1.43, 1.38, 1]),
        ([1, 200], {"scheme": "default"}, "silu", [0.592, 1]),
    ],
)
def test_gradients_of_layers_of_very_different_widths_pass(width, init, base, norms):
    """As root mean squares these are 0.086 and 8.4 times those of the outputs, the factor of the widths."""
    settings = validate({"width": width, "init": init, "base_fun": base})
    model = build_model(settings)
    stats = stats_of(model, sample_inputs(settings, [0])[0][: 100 if len(width) == 2 else 4])
    assert stats.network["propagation"]["gradient_by_layer"][0] == pytest.approx(norms, abs=6e-3)
    told = {verdict.name: verdict.verdict for verdict in judge(stats, BOUNDS, ensemble=False)}
    assert told["gradient_vanishes"] == told["gradient_explodes"] == "pass"


def test_off_grid(x):
    model = model_of([2, 3])
    for shift, verdict in ((0, "pass"), (1.5, "warn"), (3, "fail")):
        assert verdicts_of(model, x + shift)["off_grid"].verdict == verdict


def test_an_inert_spline_and_one_that_is_not(x):
    assert verdicts_of(model_of([2, 3], Reference(noise_scale=0.01)), x)["spline_inert"].verdict == "warn"
    assert verdicts_of(model_of([2, 3], Reference(noise_scale=3.0)), x)["spline_inert"].verdict == "pass"


def test_straight_and_rough(x):
    assert verdicts_of(linear_chain([2, 2], 1.0), x)["linear"].verdict == "warn"
    told = verdicts_of(model_of([2, 3], Reference(noise_scale=30.0)), x)
    assert (told["linear"].verdict, told["rough"].verdict) == ("pass", "warn")


def test_degenerate_nodes(x):
    for noise, verdict in ((0.0, "fail"), (1.0, "pass")):
        scheme = Reference(noise_scale=0.0, noise_scale_base=noise)
        assert verdicts_of(model_of([2, 5, 1], scheme), x)["nodes_degenerate"].verdict == verdict
    told = verdicts_of(model_of([2, 1, 1]), x)["nodes_degenerate"]
    assert told == Verdict("nodes_degenerate", None, 0.05, None, "no hidden layer of several nodes")


def share_failing(width, scheme, n_seeds):
    model = model_of(width, scheme, members=n_seeds)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(100, width[0]))).float()
    stats = stats_of(model, x, full=False)
    judged = [verdict for seed in range(n_seeds) for verdict in judge(stats.member(seed), BOUNDS, ensemble=False)]
    return np.mean([verdict.verdict == "fail" for verdict in judged if verdict.name == "nodes_degenerate"])


@pytest.mark.parametrize("n_in", slow_but(1, [20, 64]))
def test_nodes_that_are_nearly_one_function_fail_for_many_inputs_too(n_in):
    """The reference's symmetric case, whose nodes correlate by 0.99 at [20, 5, 1]; its default is far from it."""
    assert share_failing([n_in, 5, 1], Reference(noise_scale_base=0.0), 50) > 0.95
    assert share_failing([n_in, 5, 1], Reference(), 50) == 0


@pytest.mark.slow
@pytest.mark.parametrize("width", [[2, 5, 1], [3, 4, 1], [4, 3, 1], [8, 2, 1], [20, 5, 1], [64, 5, 1], [256, 5, 1]])
def test_where_nodes_are_judged_the_default_hardly_fails(width):
    distances = node_distances(settings_of("default", width, 1000, "basic"))
    assert np.mean(distances <= BOUNDS["nodes_degenerate"][1]) < 0.01


@pytest.mark.parametrize(("width", "is_judged"), [([2, 5, 1], True), ([2, 4, 1], False), ([8, 2, 1], True)])
def test_few_weights_that_are_alike_by_chance_are_not_judged(width, is_judged):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(20, width[0]))).float()
    told = verdicts_of(model_of(width), x)["nodes_degenerate"]
    assert (told.value is not None) == is_judged
    assert is_judged or told.detail == "few weights: nodes are alike by chance where n_in (n_out - 1) is below 8"


def test_nodes_of_one_input_are_not_judged():
    told = verdicts_of(model_of([1, 5, 1]), torch.linspace(-1, 1, 50)[:, None])["nodes_degenerate"]
    assert (told.value, told.verdict) == (None, None)
    assert told.detail == "one input: all nodes are functions of it, alike under any weights"


@pytest.mark.parametrize("n_in", slow_but(1, [8, 64]))
def test_the_distance_of_nodes_is_1_for_independent_weights_and_does_not_know_their_size(n_in):
    """E of the squared correlation is 1 over the effective rank of the inputs, whether these correlate or not."""
    generator = np.random.default_rng(0)
    model = KAN([n_in, 100], grid=5, k=3, base_fun=base_function("identity"), dtype=torch.float64)
    init_(model, Reference(noise_scale=0.0), seed=0)
    weights = generator.normal(size=(n_in, 100)) * generator.uniform(0.1, 10, size=100)
    with torch.no_grad():
        model.layers[0].scale_base.copy_(torch.from_numpy(weights))
    x = generator.normal(size=(4000, n_in))
    for mixed in (x, x @ generator.normal(size=(n_in, n_in))):
        found = stats_of(model, torch.from_numpy(mixed), full=False).layers[0].layer["node_distance"][0]
        squared = np.corrcoef((mixed @ weights).T)[np.triu_indices(100, 1)] ** 2
        rank = np.trace(np.cov(mixed.T)) ** 2 / (np.cov(mixed.T) ** 2).sum()
        assert found == pytest.approx(math.sqrt((1 / squared.mean() - 1) / (rank - 1)), rel=1e-9)
        assert found == pytest.approx(1, abs=0.15)


@pytest.mark.slow
def test_a_contraction_is_judged_by_its_rate_not_by_the_depth(x):
    for depth in (3, 6, 12):
        for slope, verdict in ((0.3, "fail"), (0.45, "warn"), (0.9, "pass")):
            told = verdicts_of(linear_chain([2] * (depth + 1), slope), x, full=False)["signal_contracts"]
            assert told.value == pytest.approx(slope, rel=1e-3)
            assert (told.verdict, told.detail) == (verdict, "a layer")
    told = verdicts_of(linear_chain([2, 2, 2], 0.1), x)["signal_contracts"]
    assert told == Verdict("signal_contracts", None, 0.5, None, "fewer than 3 layers")


def test_the_interval_of_a_slope_is_that_of_linear_regression():
    """Against scipy; a ragged line has a wide interval, and a contraction that is not sure does not fail."""
    sizes = np.exp(np.random.default_rng(0).normal(size=(20, 6)).cumsum(axis=1))
    slope, margin = growth_slope(sizes), slope_margin(sizes)
    for row, found, half in zip(sizes, slope, margin, strict=True):
        line = scipy.stats.linregress(np.arange(6), np.log(row))
        assert found == pytest.approx(line.slope, rel=1e-9)
        assert half == pytest.approx(scipy.stats.t(4).ppf(0.975) * line.stderr, rel=1e-9)
    assert np.isnan(slope_margin(sizes[:, :3])).all()


def test_dead_edges(x):
    model = model_of([2, 10], Reference(noise_scale=0.0))
    for dead, verdict in ((1, "pass"), (4, "warn"), (16, "fail")):
        with torch.no_grad():
            model.layers[0].scale_base.view(-1)[:dead] = 0
        told = verdicts_of(model, x)["dead_edges"]
        assert told.value == pytest.approx(dead / 20)
        assert told.verdict == verdict


@pytest.mark.parametrize("name", SCHEMES)
def test_what_is_drawn_by_a_law_is_on_it_and_what_is_not_is_off(x, name):
    """Over 30 members: mean and std of each random tensor; then with the std half as large again, and shifted."""
    scheme = SCHEMES[name](**({"spline_share": 0.5} if name == "kat" else {}))  # kat's coef are 0 by default
    options = {"bias": scheme.has_bias, "standardise": scheme.standardises}
    model = KAN([5, 6], grid=5, k=3, base_fun=base_function("silu"), base_name="silu", n_members=30, **options)
    init_(model, scheme, seed=3)
    x = torch.rand(20, 5) * 2 - 1
    with model.with_basis_statistics(x):
        found = stats_of(model, x, scheme, full=False)
        assert judge(found, BOUNDS, ensemble=True)[-1].verdict == "pass"
        entry = found.layers[0].layer["coef"]
        assert abs(entry["z"]).max() < 5
        assert abs(entry["z_std"]).max() < 5
        for change in (lambda coef: 1.5 * coef, lambda coef: coef + 0.7 * coef.std()):
            before = model.layers[0].coef.detach().clone()
            with torch.no_grad():
                model.layers[0].coef.copy_(change(before))
            told = judge(stats_of(model, x, scheme, full=False), BOUNDS, ensemble=True)[-1]
            assert told.verdict == "fail", change
            assert told.detail.endswith("of layer 0's coef")
            with torch.no_grad():
                model.layers[0].coef.copy_(before)


@pytest.mark.parametrize("name", ["default", "pykan_0_0_5", "pykan_0_2_8", "glorot_fine", "baseline"])
def test_the_standard_error_of_the_mean_square_is_that_of_many_draws(name):
    scheme = SCHEMES[name]()
    model = model_of([4, 3], scheme, members=4000) if not scheme.has_bias else None
    if model is None:
        model = KAN([4, 3], grid=5, k=3, base_fun=base_function("silu"), base_name="silu", n_members=4000, bias=True)
        init_(model, scheme, seed=0)
    for tensor, (mean, std, _, variance_error, *_) in declared(model, scheme)[0].items():
        values = getattr(model.layers[0], tensor).detach().double().flatten(1)
        squares = (values - mean).square().mean(1)
        if std:
            assert float(squares.std()) == pytest.approx(variance_error, rel=0.06), tensor
            assert float(squares.mean()) == pytest.approx(std**2, rel=0.03), tensor


def test_why_there_is_no_verdict(x):
    still = verdicts_of(model_of([2, 3, 1]), torch.zeros(10, 2))
    assert still["rough"].verdict is None
    assert still["rough"].detail == "nothing varies"
    huge = verdicts_of(model_of([2, 3, 1]), torch.full((10, 2), 1e30) * torch.arange(10)[:, None])
    assert huge["nodes_degenerate"].detail != "no hidden layer of several nodes"
    broken = model_of([2, 3, 1])
    with torch.no_grad():
        broken.layers[0].coef[:] = math.nan
    told = verdicts_of(broken, x)
    assert told["gradient_vanishes"].detail == told["dead_edges"].detail == "some values are not finite"


def test_inputs_that_are_not_finite_are_named():
    model = model_of([2, 3], base="zero")
    told = verdicts_of(model, torch.tensor([[0.0, math.inf], [1, 2]]), full=False)["non_finite"]
    assert told.verdict == "fail"
    assert told.detail == "layer 0, node 1 entering: not finite"


def test_what_is_not_measured_has_no_verdict(x):
    told = verdicts_of(model_of([2, 3, 1]), x, full=False)
    assert told["gradient_vanishes"].verdict is None
    assert told["gradient_vanishes"].detail == "measured with stats=full"
    assert list(told) == ["non_finite", *(name for name in BOUNDS if name not in OF_TRAINING)]
