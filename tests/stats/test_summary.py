"""Summaries over members: known answers on each scale, ranges, and that intervals hold what they should."""

import functools
import json
import math

import numpy as np
import pytest
from scipy import stats

from kancli.stats.scales import COVERAGE, Scale
from kancli.stats.summary import scale_of, summary_statistics
from tests.benchmarks import coverage

VALUES = np.array([1.2, 3.4, 1.9, 7.5, 2.2])
T = stats.t.ppf(0.975, 4)


def ends(scale, values=VALUES):
    summary = summary_statistics(values, scale)
    return [float(summary[name]) for name in ("low", "mean", "high")]


def test_a_linear_interval_is_that_of_students_t():
    low, high = stats.t.interval(0.95, 4, VALUES.mean(), stats.sem(VALUES))
    assert ends(Scale.LINEAR) == pytest.approx([low, VALUES.mean(), high])


def test_a_ratio_has_the_geometric_mean_and_the_interval_of_its_logs():
    logs = np.log(VALUES)
    wanted = np.exp(stats.t.interval(0.95, 4, logs.mean(), stats.sem(logs)))
    assert ends(Scale.RATIO) == pytest.approx([wanted[0], stats.gmean(VALUES), wanted[1]])


@pytest.mark.parametrize(
    ("scale", "transform", "inverse"),
    [
        (Scale.SIZE, np.log, np.exp),
        (Scale.RANK, lambda m: np.log(m - 1), lambda f: 1 + np.exp(f)),
        (Scale.SHARE, lambda m: np.log(m / (1 - m)), lambda f: 1 / (1 + np.exp(-f))),
    ],
)
def test_other_scales_move_the_ends_by_the_slope_of_their_function(scale, transform, inverse):
    values = VALUES / 10 if scale is Scale.SHARE else VALUES
    mean, error, step = values.mean(), stats.sem(values), 1e-6
    slope = (transform(mean + step) - transform(mean - step)) / (2 * step)
    margin = T * slope * error
    wanted = [inverse(transform(mean) - margin), mean, inverse(transform(mean) + margin)]
    assert ends(scale, values) == pytest.approx(wanted, rel=1e-6)


def test_a_scale_without_interval_has_mean_and_sd():
    for values in (VALUES, np.ones(5)):
        summary = summary_statistics(values, Scale.NONE)
        assert (summary["mean"], summary["sd"]) == (pytest.approx(values.mean()), pytest.approx(values.std(ddof=1)))
        assert np.isnan([summary["low"], summary["high"]]).all()


RANGES = {Scale.SIZE: (0, np.inf), Scale.RATIO: (0, np.inf), Scale.RANK: (1, np.inf), Scale.SHARE: (0, 1)}


@pytest.mark.parametrize("scale", RANGES)
def test_intervals_stay_in_the_range_of_their_statistic(scale):
    """Of very skewed members too, down to two of them."""
    least, greatest = RANGES[scale]
    generator = np.random.default_rng(0)
    for size in (2, 3, 10):
        values = generator.lognormal(0, 3, (size, 1000))
        values = values / (1 + values) if scale is Scale.SHARE else values + least
        summary = summary_statistics(values, scale)
        assert (least <= summary["low"]).all()
        assert (summary["low"] <= summary["mean"]).all()
        assert (summary["mean"] <= summary["high"]).all()
        assert (summary["high"] <= greatest).all()


@pytest.mark.parametrize("scale", [scale for scale in Scale if scale is not Scale.NONE], ids=lambda scale: scale.name)
def test_members_that_agree_have_an_interval_of_no_width(scale):
    for value in (0.0, 1.0, 0.1):
        summary = summary_statistics(np.full(3, value), scale)
        assert {name: float(summary[name]) for name in ("mean", "sd", "low", "high")} == {
            "mean": pytest.approx(value), "sd": 0, "low": pytest.approx(value), "high": pytest.approx(value)
        }  # fmt: skip
    assert np.isnan(summary_statistics(np.array([2.0]), scale)["low"])


def test_a_ratio_with_a_member_at_zero_has_no_interval():
    summary = summary_statistics(np.array([0.0, 1.0, 2.0]), Scale.RATIO)
    assert summary["mean"] == 0
    assert np.isnan([summary["low"], summary["high"]]).all()


@pytest.mark.parametrize("scale", Scale)
def test_values_that_are_not_finite_do_not_count(scale):
    values = np.array([0.2, 0.5, 0.3])
    with_gaps = summary_statistics(np.array([math.nan, 0.2, math.inf, 0.5, 0.3]), scale)
    for name, number in summary_statistics(values, scale).items():
        np.testing.assert_allclose(with_gaps[name], number, rtol=1e-12)


def test_columns_and_verdicts_have_their_scale():
    assert scale_of("layer12_gain_variance") is scale_of("gain_variance") is Scale.RATIO
    assert scale_of("coef_std") is scale_of("coef_as_drawn_std") is scale_of("postacts_rms") is Scale.SIZE
    assert scale_of("scale_base_z_std") is scale_of("propagation_gradient") is scale_of("coef_q50") is Scale.LINEAR
    assert (
        scale_of("coef_as_drawn_q05")
        is scale_of("preacts_q75")
        is scale_of("coef_max")
        is scale_of("roughness_max")
        is Scale.NONE
    )
    assert scale_of("signal_vanishes") is Scale.RATIO
    assert scale_of("off_grid") is Scale.SHARE


@pytest.mark.slow
@pytest.mark.parametrize("network", [["n_seeds=2500"], ["init=efficient_kan", "n_seeds=2500"]], ids=str)
def test_intervals_of_ten_members_hold_the_mean_of_thousands(network):
    """Each statistic's values lie in the range of its scale, and its intervals cover at least 93 %, up to four standard
    errors of 2000 groups."""
    for (place, column), values in coverage.member_values(network).items():
        scale = scale_of(column)
        least, greatest = RANGES.get(scale, (-np.inf, np.inf))
        known = values[np.isfinite(values)]
        assert ((known >= least - 1e-9) & (known <= greatest + 1e-9)).all(), (column, place)
        if scale is not Scale.NONE:
            share = coverage.coverage(values, scale, 10, n_groups=2000)
            assert share is None or share > 0.93 - 4 * (0.93 * 0.07 / 2000) ** 0.5, (column, place, share)


def test_the_table_of_coverage_claims_what_it_should():
    """At least 93 % at 10 members of all scales with an interval, as `python -m tests.benchmarks.coverage` found."""
    assert COVERAGE.keys() == set(Scale) - {Scale.NONE}
    assert all(shares[1] >= 0.93 for shares in COVERAGE.values())


@pytest.mark.slow
def test_an_ensemble_and_a_sweep_over_its_seeds_give_one_number(kan_run):
    ensemble = kan_run("n_seeds=4", "figures=none", "width=2-3-3-1", "hydra.run.dir=ensemble")
    assert ensemble.code == 0
    assert kan_run("-m", "seed=range(4)", "width=2-3-3-1", "hydra.sweep.dir=sweep").code == 0
    found = json.loads((ensemble.cwd / "ensemble" / "stats.json").read_text())
    (cell,) = json.loads((ensemble.cwd / "sweep" / "summary.json").read_text())["cells"]
    swept, approx = cell["statistics"], functools.partial(pytest.approx, rel=1e-9)
    for verdict in found["verdicts"]:
        name = verdict["name"]
        if name not in ("non_finite", "off_law") and verdict["value"] is not None:  # off_law pools the members' draws
            for end, number in (("mean", verdict["value"]), ("low", verdict["low"]), ("high", verdict["high"])):
                assert (number is None) == (swept[name][end] is None), (name, end)
                assert number is None or number == approx(swept[name][end]), (name, end)
    assert found["propagation"]["signal_ratio"]["mean"] == pytest.approx(swept["propagation_signal_ratio"]["mean"])
    for number, layer in enumerate(found["layers"]):
        for column, summary in (
            ("gain_variance", layer["gain"]["variance"]),
            ("spline_share", layer["spline_share"]),
            ("off_grid", layer["off_grid"]),
            ("output_std", layer["output"]["std"]),
            ("nonlinearity_mean", layer["nonlinearity"]["mean"]),
        ):
            for name in ("mean", "sd", "low", "high", "n"):
                assert summary[name] == approx(swept[f"layer{number}_{column}"][name]), (column, name)
    assert found["layers"][0]["preacts"]["max"]["low"] is None
    assert found["reasons"]["layers.0.preacts.max.low"].startswith("no interval")


def test_an_entry_without_values_leaves_the_quantiles_of_others():
    values = np.array([[1.0, 2.0, math.nan], [1.0, 3.0, math.inf], [1.0, 4.0, math.nan]])
    summary = summary_statistics(values, Scale.NONE, quantiles=True)
    np.testing.assert_array_equal(summary["q50"], [1.0, 3.0, math.nan])
    np.testing.assert_allclose(summary["q25"], [1.0, 2.5, math.nan])
