"""The arithmetic of a race: rounds, looks and costs, by hand."""

import itertools

import pytest

from kancli.racing.schedule import (
    Round,
    fitting_steps,
    level_per_look,
    network_steps,
    plan_looks,
    plan_rounds,
    too_slow,
)


def test_sixteen_candidates_are_halved_three_times():
    rounds = plan_rounds(16, 2000)
    assert rounds == [Round(16, 750, 8), Round(8, 1250, 4), Round(4, 1750, 2)]
    # 3 seeds: 16 for 750 steps, 8 for 500 more, 4 for 500 more
    assert network_steps(rounds) == 3 * (16 * 750 + 8 * 500 + 4 * 500)
    assert network_steps(rounds[1:], 750) == 3 * (8 * 500 + 4 * 500)
    # With two finalists and the default on eight seeds: less than a third of 18 on ten seeds.
    assert network_steps(plan_rounds(18, 2000)) + 3 * 8 * 2000 < 18 * 10 * 2000 / 3


def test_few_candidates_have_few_rounds_and_many_lose_more_than_half():
    assert plan_rounds(2, 100) == []
    assert plan_rounds(3, 100) == [Round(3, 62, 2)]
    assert plan_rounds(6, 100) == [Round(6, 37, 3), Round(3, 87, 2)]
    many = plan_rounds(128, 1600)
    assert [entry.steps for entry in many] == [600, 866, 1133, 1400]
    assert [entry.entrants for entry in many] == [128, 45, 16, 6]
    assert many[-1].kept == 2


@pytest.mark.parametrize("candidates", range(2, 60))
def test_every_round_drops_some_and_the_last_leaves_two(candidates):
    rounds = plan_rounds(candidates, 64)
    counts = [candidates, *(entry.kept for entry in rounds)]
    assert counts[-1] == 2
    assert all(later < earlier for earlier, later in itertools.pairwise(counts))
    assert [entry.entrants for entry in rounds] == counts[:-1]


def test_looks_double_and_share_the_level():
    assert [plan_looks(seeds) for seeds in (2, 5, 10, 12, 40)] == [[2], [5], [5, 10], [5, 10, 12], [5, 10, 20, 40]]
    assert level_per_look(2) == pytest.approx(0.025)


def test_steps_are_as_many_as_there_is_time_for():
    assert fitting_steps(2000, 100.0, 100.0) == 2000
    assert fitting_steps(2000, 400.0, 100.0) == 500
    assert fitting_steps(2000, 400.0, -1.0) == 0
    assert too_slow([1.0, 2.0, 1.5, 20.0, 12.1]) == [3]
    assert too_slow([1.0, 1.0]) == []
