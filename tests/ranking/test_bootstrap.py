"""Bootstrap intervals within tasks, and the interquartile mean."""

import numpy as np
import pytest
from scipy import special, stats

from kancli.ranking.bootstrap import estimate_tasks, interquartile_mean, resample_counts

# Six runs of five tasks; what rliable 1.2.0 makes of them with 20000 resamples: mean, interquartile mean and their
# percentile intervals.
SCORES = np.array(
    [
        [-0.802, -1.324, 0.752, 0.42, 1.136],
        [0.11, -0.553, 0.215, 0.749, 1.635],
        [0.273, -1.233, 0.042, 1.6, 0.203],
        [-1.732, -0.084, -0.163, -0.629, -0.488],
        [-0.713, 0.553, 0.937, -0.589, 0.41],
        [0.83, -1.643, 0.743, -0.981, -0.173],
    ]
)
MEAN, MIDDLE = -0.016633333333333323, 0.01812499999999999
MEAN_ENDS, MIDDLE_ENDS = (-0.28056833, 0.254535), (-0.29468906, 0.34769531)
TASKS = [column[None] for column in SCORES.T]  # [1, 6] each


def test_percentile_intervals_are_those_of_rliable():
    counts = resample_counts([6] * 5, 20000)
    means = np.mean([count @ task[0] / 6 for count, task in zip(counts, TASKS, strict=True)], axis=0)
    assert means.mean() == pytest.approx(MEAN, abs=0.004)
    assert np.quantile(means, [0.025, 0.975]) == pytest.approx(MEAN_ENDS, abs=0.01)
    pooled = SCORES.T.ravel()
    assert interquartile_mean(pooled) == pytest.approx(MIDDLE, abs=1e-12)
    middle = interquartile_mean(pooled, np.concatenate(counts, axis=1))
    assert np.quantile(middle, [0.025, 0.975]) == pytest.approx(MIDDLE_ENDS, abs=0.015)


def test_the_interval_over_tasks_is_the_percentile_one_widened_for_few_pairs():
    _, overall = estimate_tasks(TASKS, resample_counts([6] * 5))
    assert overall.mean[0] == pytest.approx(MEAN, abs=1e-12)
    variances = SCORES.var(axis=0, ddof=1) / 6
    freedom = variances.sum() ** 2 / (variances**2 / 5).sum()
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variances.sum()) / 5  # by Student's t, which it nears
    assert overall.low[0] == pytest.approx(MEAN - half, abs=0.03)
    assert overall.high[0] == pytest.approx(MEAN + half, abs=0.03)


def test_three_pairs_have_the_range_as_their_interval():
    (estimate,), _ = estimate_tasks([np.array([[0.1, 0.5, 0.3]])], resample_counts([3]))
    assert (estimate.mean[0], estimate.low[0], estimate.high[0]) == pytest.approx((0.3, 0.1, 0.5))
    assert special.ndtr(np.sqrt(1.5) * stats.t.ppf(0.025, 2)) < 1e-6  # the percentile that this follows from


def test_one_pair_has_no_interval():
    (estimate,), overall = estimate_tasks([np.array([[0.1]])], resample_counts([1]))
    assert estimate.mean[0] == overall.mean[0] == 0.1
    assert np.isnan([estimate.low[0], estimate.high[0], overall.low[0], overall.high[0]]).all()


def test_pairs_that_lack_a_side_do_not_count():
    logs = np.array([[0.1, 0.4, 0.3, 0.9], [0.1, 0.4, 0.3, np.nan]])
    (estimate,), overall = estimate_tasks([logs], resample_counts([4]))
    assert estimate.mean == pytest.approx([0.425, 0.8 / 3])
    assert overall.low[1] == pytest.approx(0.1)
    assert overall.high[1] == pytest.approx(0.4)


def test_pairs_without_a_spread_have_an_interval_of_no_width():
    _, overall = estimate_tasks([np.full((1, 5), 0.2), np.full((1, 5), 0.4)], resample_counts([5, 5]))
    assert (overall.low[0], overall.high[0]) == pytest.approx((0.3, 0.3))


def test_tasks_count_alike_whatever_their_number_of_pairs():
    tasks = [np.zeros((1, 20)), np.ones((1, 2))]
    _, overall = estimate_tasks(tasks, resample_counts([20, 2]))
    assert overall.mean[0] == 0.5


@pytest.mark.parametrize("n", [1, 4, 7, 30])
def test_interquartile_mean_of_counts_is_that_of_repeated_numbers(n):
    rng = np.random.default_rng(n)
    logs, counts = rng.normal(size=n), rng.multinomial(n, np.full(n, 1 / n), 20)
    repeated = [stats.trim_mean(np.repeat(logs, count), 0.25) for count in counts]
    assert interquartile_mean(logs, counts.astype(float)) == pytest.approx(repeated, abs=1e-12)


def test_resamples_are_repeatable_and_leave_the_global_generator_alone():
    before = np.random.get_state()[1].copy()
    first, second = resample_counts([5, 3]), resample_counts([5, 3])
    assert all((one == other).all() for one, other in zip(first, second, strict=True))
    assert not (first[0][:, :3] == first[1]).all(), "tasks are resampled independently"
    assert (first[0].sum(1) == 5).all()
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 10])
def test_intervals_over_tasks_hold_the_true_ratio(n):
    logs = list(np.random.default_rng(n).normal(size=(5, 1000, n)))
    _, overall = estimate_tasks(logs, resample_counts([n] * 5))
    covered = ((overall.low <= 0) & (overall.high >= 0)).mean()
    assert 0.93 < covered < 0.975  # 950 of 1000, within three standard errors
