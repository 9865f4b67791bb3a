"""Tests over tasks, against the numbers of autorank 1.3.0, scikit-posthocs 0.17.1 and statsmodels 0.14."""

import numpy as np
import pytest

from kancli.ranking import significance

# Errors of four classifiers on fourteen data sets.
ERRORS = 1 - np.array(
    [
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.975, 0.975], [0.957, 0.978, 0.946, 0.970],
    ]
)  # fmt: skip


def test_ranks_and_friedman_are_those_of_autorank():
    assert significance.mean_ranks(ERRORS) == pytest.approx([3.142857142857143, 2.0, 2.9285714285714284, 1.9285714286])
    statistic, p = significance.friedman(ERRORS)
    assert statistic == pytest.approx(10.952380952380956)
    assert p == pytest.approx(0.011986176325417788)
    assert significance.critical_difference(14, 4) == pytest.approx(1.2535512603486423, rel=1e-5)


def test_groups_are_the_pairs_that_scikit_posthocs_does_not_tell_apart():
    """Its least p, .0617, is above 5 %: one group of all four; at a smaller difference the groups overlap."""
    ranks = significance.mean_ranks(ERRORS).tolist()
    assert significance.groups_within(ranks, significance.critical_difference(14, 4)) == [[3, 1, 2, 0]]
    assert significance.groups_within(ranks, 0.99) == [[3, 1], [1, 2], [2, 0]]
    assert significance.groups_within(ranks, 0.01) == []


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_differences_are_those_of_demsars_table(k, q):
    assert significance.critical_difference(20, k) == pytest.approx(q * np.sqrt(k * (k + 1) / 120), rel=3e-4)


@pytest.mark.parametrize("shape", [(5, 3), (50, 20)])
def test_friedman_without_a_difference(shape):
    assert significance.friedman(np.ones(shape)) == (0.0, 1.0)


def test_no_signed_rank_test_of_four_tasks_gets_below_a_sixteenth():
    assert significance.smallest_signed_rank_p(4) == 0.125 == 2 * 0.0625
    for n in range(1, 12):
        assert significance.signed_rank_p(-np.arange(1.0, n + 1)) == significance.smallest_signed_rank_p(n)
    assert significance.signed_rank_p(np.zeros(4)) == 1.0


@pytest.mark.parametrize(("n_tests", "needed"), [(1, 6), (2, 7), (7, 9), (11, 9), (12, 9), (13, 10)])
def test_tasks_needed(n_tests, needed):
    assert significance.tasks_needed(n_tests) == needed
    assert n_tests * 2.0 ** (1 - needed) <= 0.05 < n_tests * 2.0 ** (2 - needed)


def test_smallest_p_of_friedman_is_that_of_tasks_that_agree():
    agreeing = np.tile([1.0, 2.0, 3.0, 4.0], (6, 1))
    assert significance.friedman(agreeing)[1] == pytest.approx(significance.smallest_friedman_p(6, 4))


def test_holm_is_that_of_statsmodels():
    assert significance.holm([0.04, 0.001, 0.02, 0.03, 0.5]) == pytest.approx([0.09, 0.005, 0.08, 0.09, 0.5])
    assert significance.holm([0.6, 0.7]) == [1.0, 1.0]


def test_sign_test():
    assert significance.sign_p(22, 23) == pytest.approx(1.0)
    assert significance.sign_p(10, 0) == pytest.approx(2.0**-9)
    assert significance.sign_p(0, 0) == 1.0


def test_profile_is_that_of_rliable():
    """The shares of the scores of test_bootstrap above -1, -0.5, 0, 0.5 and 1, by rliable 1.2.0."""
    from tests.ranking.test_bootstrap import SCORES

    values = np.exp(3 - SCORES.T)
    scores = [np.array([np.ones(6), task]) for task in values]  # the first scheme is always the best
    profile = significance.performance_profile(scores, np.exp(3 - np.array([-1.0, -0.5, 0.0, 0.5, 1.0])))
    assert profile[1] == pytest.approx([26 / 30, 20 / 30, 16 / 30, 9 / 30, 3 / 30])
    assert (profile[0] == 1).all()


def test_a_lost_network_is_within_no_factor():
    scores = [np.array([[1.0, np.inf, np.inf], [2.0, 3.0, np.inf]])]
    profile = significance.performance_profile(scores, np.array([1.0, 2.0, 1e9]))
    assert profile == pytest.approx(np.array([[1, 1, 1], [1, 2, 2]]) / 3)
    assert significance.profile_factors(scores)[-1] == pytest.approx(2.0)
