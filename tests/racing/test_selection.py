"""Who is ahead: orders, lost networks, and how often intervals hold."""

import math

import numpy as np
import pytest

from kancli.racing.selection import compare, log_losses, means, order, shares_of_samples

LEVEL, ROPE = 0.05, 1.1


def test_the_order_is_that_of_geometric_means():
    losses = np.array([[1.0, 100.0], [8.0, 8.0], [9.0, 12.0]])  # geometric means 10, 8, 10.4
    logs = log_losses(losses, untrained=1.0)
    assert order(logs) == [1, 0, 2]
    assert means(logs) == pytest.approx([10, 8, math.sqrt(108)])


def test_a_lost_network_counts_as_untrained_and_as_the_worst():
    logs = log_losses(np.array([[0.1, math.nan], [0.2, 0.3]]), untrained=2.0)
    assert np.exp(logs) == pytest.approx(np.array([[0.1, 2.0], [0.2, 0.3]]))
    worst = log_losses(np.array([[0.1, math.nan], [5.0, 0.3]]), untrained=2.0)
    assert math.exp(worst[0, 1]) == pytest.approx(5.0)
    assert np.isnan(log_losses(np.full((2, 2), math.nan), untrained=1.0)).all()


def test_the_interval_without_sampling_noise_is_student_s():
    from scipy import stats

    rng = np.random.default_rng(0)
    first, second, flat = rng.normal(size=6), rng.normal(size=6), np.ones(50)
    ratio = compare(first, second, (flat, flat), level=LEVEL, rope=ROPE)
    low, high = stats.t.interval(0.95, 5, (first - second).mean(), stats.sem(first - second))
    assert (ratio.ratio, ratio.low, ratio.high) == pytest.approx((math.exp((first - second).mean()), math.exp(low),
                                                                 math.exp(high)))  # fmt: skip


def test_answers_are_those_of_the_interval():
    flat = (np.ones(9), np.ones(9))
    noise = np.array([0.01, -0.01, 0.02, -0.02, 0.0])
    for shift, answer in [(-1.0, "lower"), (1.0, "higher"), (0.01, "equivalent"), (-0.05, "equivalent")]:
        assert compare(noise + shift, 0 * noise, flat, level=LEVEL, rope=ROPE).difference == answer
    assert compare(30 * noise - 0.1, 0 * noise, flat, level=LEVEL, rope=ROPE).difference == "undecided"
    assert compare(noise[:1], noise[:1], flat, level=LEVEL, rope=ROPE).low is None
    same = compare(noise, noise, flat, level=LEVEL, rope=ROPE)
    assert (same.ratio, same.low, same.high, same.difference) == (1, 1, 1, "equivalent")


def test_intervals_hold_the_true_ratio_over_seeds_and_samples():
    # Errors of two candidates: a sample is hard for one or for the other, and a network good or bad.
    rng, held, n_trials, n_seeds, n = np.random.default_rng(1), 0, 600, 5, 60
    for _ in range(n_trials):
        hard = np.exp(0.8 * rng.normal(size=(2, 1, n)))
        good = np.exp(0.2 * rng.normal(size=(2, n_seeds, 1)))
        errors = good * hard * rng.exponential(size=(2, n_seeds, n))
        logs = np.log(errors.mean(-1))
        ratio = compare(*logs, tuple(map(shares_of_samples, errors)), level=LEVEL, rope=ROPE)
        held += ratio.low <= 1 <= ratio.high
    assert 0.93 <= held / n_trials <= 0.99


def test_lost_networks_have_no_share_in_the_samples():
    errors = np.array([[1.0, 3.0], [math.inf, 1.0], [2.0, 2.0]])
    assert shares_of_samples(errors) == pytest.approx([0.75, 1.25])
    assert shares_of_samples(errors[1:2]) == pytest.approx([1, 1])
