"""A scheme whose knobs were searched, as one row, on made-up networks."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from kancli.ranking.options import RankOptions
from kancli.ranking.outcomes import Outcomes
from kancli.ranking.rank import rank
from tests.ranking.networks import networks_of


def searched_outcomes(logs, variants, singular=(), preset=0):
    """Networks of the scheme s with one combination of knobs for each of `variants`, `[tasks, seeds]`, and others."""
    networks = networks_of(logs | {f"s a={number}": values for number, values in enumerate(variants)})
    networks = [
        dataclasses.replace(network, init=network.scheme.split()[0], is_preset=network.scheme == f"s a={preset}")
        for network in networks
    ]
    return Outcomes(networks, frozenset(singular), study={"search": "s"})


def row_of(ranking, init) -> Any:
    (row,) = (row for row in ranking.metrics["test_loss"].schemes if row.init == init)
    return row


def test_knobs_that_win_only_where_they_were_chosen_bring_nothing():
    """81 combinations of one law: each wins somewhere by luck. By the numbers that chose it, the best gains 1.5."""
    rng = np.random.default_rng(0)
    baseline = rng.normal(0, 1, (6, 6))
    variants = baseline + rng.normal(0, 1, (81, 6, 6))
    ranking = rank(searched_outcomes({"baseline": baseline}, variants), RankOptions())
    naive = np.exp((variants - baseline).mean((1, 2)).min())
    assert naive < 0.7
    row = row_of(ranking, "s (searched)")
    assert row.overall.low < 1 < row.overall.high
    assert 0.8 < row.overall.ratio < 1.25
    assert [row.init for row in ranking.metrics["test_loss"].schemes if row.init.startswith("s a=")] == []


def test_knobs_that_are_better_everywhere_are_chosen_and_scored_as_they_are():
    rng = np.random.default_rng(1)
    baseline = rng.normal(0, 1, (4, 6))
    variants = baseline + np.array([0.0, -1.0, 0.5])[:, None, None] + rng.normal(0, 0.1, (3, 4, 6))
    ranking = rank(searched_outcomes({"baseline": baseline}, variants), RankOptions())
    row, preset = row_of(ranking, "s (searched)"), row_of(ranking, "s")
    assert row.overall.ratio == pytest.approx(np.exp((variants[1] - baseline).mean()))
    assert preset.overall.ratio == pytest.approx(np.exp((variants[0] - baseline).mean()))
    assert any("of 24 networks a=1 for 24" in remark for remark in ranking.remarks)
    named = rank(searched_outcomes({"baseline": baseline}, variants), RankOptions(search="none"))
    assert [row.init for row in named.metrics["test_loss"].schemes] == ["s a=1", "s a=0", "baseline", "s a=2"]


def test_the_choice_comes_from_other_tasks_and_the_other_half_of_the_seeds():
    """By hand: two tasks, seeds 0 to 3, the halves {0, 2} and {1, 3}. s a=1 is better in task 0 at seeds 0 and 2 only,
    so task 1 takes it at seeds 1 and 3; elsewhere a=0 is chosen."""
    zero, one = np.zeros((2, 4)), np.ones((2, 4))
    one[0, [0, 2]] = -1
    outcomes = searched_outcomes({"baseline": np.full((2, 4), 0.5)}, [zero, one])
    tasks = rank(outcomes, RankOptions()).metrics["test_loss"].tasks
    (first, second) = ({row.init: row.ratio for row in task.schemes} for task in tasks)
    assert first["s (searched)"] == pytest.approx(np.exp(-0.5))
    assert second["s (searched)"] == pytest.approx(np.exp(0.5 * 0.5 + 0.5 * -0.5))


def test_tasks_with_a_pole_choose_nothing_but_are_scored():
    zero, one = np.zeros((3, 4)), np.ones((3, 4))
    one[2] = -100  # where a sample decides
    outcomes = searched_outcomes({"baseline": np.full((3, 4), 0.5)}, [zero, one], singular={"t2"})
    tasks = rank(outcomes, RankOptions()).metrics["test_loss"].tasks
    assert [{row.init: row.ratio for row in task.schemes}["s (searched)"] for task in tasks] == pytest.approx(
        [np.exp(-0.5)] * 3
    )


@pytest.mark.parametrize("shape", [(1, 4), (3, 1)])
def test_one_task_or_one_seed_is_no_search(shape):
    rng = np.random.default_rng(2)
    outcomes = searched_outcomes({"baseline": rng.normal(size=shape)}, rng.normal(size=(2, *shape)))
    ranking = rank(outcomes, RankOptions())
    assert {row.init for row in ranking.metrics["test_loss"].schemes} == {"baseline", "s a=0", "s a=1"}
    assert "s: no search: it takes two combinations of its knobs, two tasks without a pole and two seeds" in (
        ranking.remarks
    )


def test_networks_that_are_missing_or_lost():
    """A combination that lacks a network can be chosen for it: then there is none."""
    rng = np.random.default_rng(3)
    baseline = rng.normal(0, 1, (3, 6))
    variants = baseline + np.array([0.0, -1.0])[:, None, None] + rng.normal(0, 0.1, (2, 3, 6))
    outcomes = searched_outcomes({"baseline": baseline}, variants)
    networks = [
        dataclasses.replace(network, is_lost=network.pair == ("seed=5",) and network.task == "t1")
        for network in outcomes.networks
        if not (network.scheme == "s a=1" and network.pair == ("seed=2",) and network.task == "t0")
    ]
    content = rank(dataclasses.replace(outcomes, networks=networks), RankOptions()).metrics["test_loss"]
    counts = [{row.init: (row.n, row.lost) for row in task.schemes}["s (searched)"] for task in content.tasks]
    assert counts == [(5, 0), (6, 1), (6, 0)]


def test_seeds_that_only_other_schemes_have_do_not_count():
    rng = np.random.default_rng(2)
    baseline = rng.normal(0, 1, (4, 6))
    variants = baseline[:, :4] + np.array([0.0, -1.0])[:, None, None]
    ranking = rank(searched_outcomes({"baseline": baseline}, variants), RankOptions())
    assert row_of(ranking, "s (searched)").overall.ratio == pytest.approx(np.exp(-1))
