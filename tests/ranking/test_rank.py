"""Rankings of made-up networks."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from kancli.errors import ConfigError
from kancli.ranking.options import RankOptions, parse_options
from kancli.ranking.outcomes import Outcomes, TrainedNetwork
from kancli.ranking.output import as_csv, as_json, format_ranking
from kancli.ranking.rank import rank
from tests.ranking.networks import networks_of, outcomes_of


def draw(effects, n_tasks=15, n_seeds=10, spread=0.5, seed=0):
    """Logs of losses: of the task, the seed and the scheme, and noise."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(-8, 2, (n_tasks, 1)) + rng.normal(0, 0.5, (n_tasks, n_seeds))
    return {name: shared + effect + rng.normal(0, spread, shared.shape) for name, effect in effects.items()}


def row_of(ranking, scheme, metric="test_loss") -> Any:
    (row,) = (row for row in ranking.metrics[metric].schemes if row.init == scheme)
    return row


def hair():
    """Fifteen tasks of three seeds. On each, the median and the mean improve by a hair, with 22 wins of 45 in all."""
    logs = np.array([[-0.021, -0.02, 0.019] if task < 7 else [-0.021, 0.004, 0.008] for task in range(15)])
    logs -= 0.001 * np.arange(15)[:, None] / 15  # no two tasks alike
    baseline = np.tile([0.0, -0.3, 0.3], (15, 1)) + 0.1 * np.arange(15)[:, None]
    return {"baseline": baseline, "new": baseline + logs}


def test_many_tasks_that_improve_by_a_hair_make_no_difference_that_matters():
    ranking = rank(outcomes_of(hair()), RankOptions())
    row, content = row_of(ranking, "new"), ranking.metrics["test_loss"]
    assert row.per_task.wins == row.per_task.n == row.first == 15
    assert row.per_task.p == pytest.approx(2.0**-14)  # .00006: over tasks the difference is sure
    assert (row.per_run.wins, row.per_run.n) == (22, 45)
    assert row.per_run.p == pytest.approx(1.0)
    assert row.overall.ratio == pytest.approx(0.99, abs=0.01)
    assert row.overall.difference == "equivalent"
    assert (
        ranking.sentence
        == "baseline and new: no difference that matters in test loss, by a factor of 1.1 on these 15 tasks"
    )
    assert content.smallest_p_holm == row.p_holm == row.per_task.p
    medians = [np.median(values, axis=1) for values in hair().values()]
    assert (medians[1] < medians[0]).all()
    strict = rank(outcomes_of(hair()), RankOptions(rope=1.0001))
    assert row_of(strict, "new").overall.difference == "undecided"


def test_a_true_ratio_lies_in_its_interval():
    effects = {"baseline": 0.0, "good": -np.log(6.0), "poor": np.log(2.0)}
    ranking = rank(outcomes_of(draw(effects)), RankOptions())
    good, poor = row_of(ranking, "good"), row_of(ranking, "poor")
    assert good.overall.low < 1 / 6 < good.overall.high
    assert poor.overall.low < 2 < poor.overall.high
    assert (good.overall.difference, poor.overall.difference) == ("lower", "higher")
    assert good.overall.high < 1.3 * good.overall.low
    assert [row.init for row in ranking.metrics["test_loss"].schemes] == ["good", "baseline", "poor"]
    assert ranking.sentence.startswith("good: test loss ")
    assert "times lower than baseline's, first on 15 of 15 tasks (p = 0.000122 over tasks)" in ranking.sentence.replace(
        f" ({1 / good.overall.high:.3g} to {1 / good.overall.low:.3g})", ""
    )


def test_numbers_are_those_of_a_loop():
    logs = draw({"baseline": 0.0, "a": -1.0, "b": 0.2}, n_tasks=4, n_seeds=5)
    ranking = rank(outcomes_of(logs), RankOptions())
    for number, task in enumerate(ranking.metrics["test_loss"].tasks):
        rows: Any = task.schemes
        for row in rows:
            ratios = np.exp(logs[row.init][number] - logs["baseline"][number])
            assert row.ratio == pytest.approx(np.prod(ratios) ** (1 / 5))
            assert (row.wins, row.n) == ((ratios < 1).sum(), 5)
            assert row.low < row.ratio < row.high
    overall = row_of(ranking, "a").overall.ratio
    assert overall == pytest.approx(np.exp(np.mean(logs["a"] - logs["baseline"])))
    (pair,) = ranking.metrics["test_loss"].pairs
    assert pair[:2] == ("b", "a")
    assert pair[2].ratio == pytest.approx(np.exp(np.mean(logs["b"] - logs["a"])))


def test_four_tasks_claim_nothing_of_others():
    ranking = rank(outcomes_of(draw({"baseline": 0.0, "good": -3.0}, n_tasks=4)), RankOptions())
    row, content = row_of(ranking, "good"), ranking.metrics["test_loss"]
    assert row.overall.difference == "lower"
    assert row.per_task.p == content.smallest_p == 0.125
    assert content.tasks_needed == 6
    assert "first on 4 of 4 tasks, too few to say how it is on others" in ranking.sentence
    assert any(
        "is 0.125 (0.0625 one-sided): no claim about other tasks; that takes 6" in line for line in ranking.remarks
    )


def test_the_test_of_all_schemes_says_what_it_can_reach():
    effects = {"baseline": 0.0, "a": -3.0, "b": -6.0}
    few, many = (rank(outcomes_of(draw(effects, n_tasks)), RankOptions()) for n_tasks in (2, 15))
    ends = [next(line for line in one.remarks if line.startswith("Friedman")) for one in (few, many)]
    assert ends[0].endswith("(smallest possible: 0.135); no two mean ranks can differ on so few tasks (Nemenyi)")
    assert ends[1].endswith("(smallest possible: 3.06e-07); mean ranks differ where they are 0.856 apart (Nemenyi)")
    assert few.metrics["test_loss"].friedman.p == pytest.approx(np.exp(-2))  # chi-square of 2 (3 - 1) at 2 degrees
    assert many.metrics["test_loss"].friedman.groups == []


def test_lost_networks_count_as_losses():
    logs = draw({"baseline": 0.0, "frail": -1.0}, n_tasks=8, spread=0.1)
    lost = {("frail", task, seed) for task in range(8) for seed in range(6)}
    whole, harmed = (rank(outcomes_of(logs, lost=gone), RankOptions()) for gone in ((), lost))
    assert row_of(whole, "frail").per_run.wins == 80
    row = row_of(harmed, "frail")
    assert (row.per_run.wins, row.per_run.n, row.lost, harmed.lost) == (32, 80, 48, 48)
    assert (row_of(whole, "frail").overall.difference, row.overall.difference) == ("lower", "higher")
    logs = np.where(np.arange(10) < 6, 0.0, logs["frail"])  # as the first loss, which is 1
    baseline = draw({"baseline": 0.0, "frail": -1.0}, n_tasks=8, spread=0.1)["baseline"]
    worst = np.maximum(baseline.max(1, keepdims=True), 0)
    expected = np.where(np.arange(10) < 6, worst, logs) - baseline
    assert row.overall.ratio == pytest.approx(np.exp(expected.mean()))
    assert max(row.profile) == pytest.approx(0.4)
    assert any(line.startswith("48 of 160 networks failed or diverged") for line in harmed.remarks)


def test_two_lost_networks_tie():
    networks = networks_of(draw({"baseline": 0.0, "other": 0.0}, 2, 3), lost={("baseline", 0, 0), ("other", 0, 0)})
    row = rank(Outcomes(networks), RankOptions()).metrics["test_loss"].tasks[0].schemes[0]
    assert (row.n, row.lost) == (3, 1)
    assert row.wins <= 2


def test_steps_that_are_never_reached_are_lost():
    networks = [
        TrainedNetwork(scheme, "t", (f"seed={seed}",),
                       {"train_loss": 1.0, **({"steps_to_tenth": steps} if steps else {})}, steps=100)
        for scheme, values in {"baseline": (50, 20, 10), "slow": (None, 40, 20)}.items()
        for seed, steps in enumerate(values)
    ]  # fmt: skip
    (row,) = rank(Outcomes(networks), RankOptions()).metrics["steps_to_tenth"].tasks[0].schemes
    assert (row.wins, row.n, row.lost) == (0, 3, 1)
    assert row.ratio == pytest.approx(2.0)  # as if reached by the last of 100 steps


def test_singular_tasks_are_left_out_of_means():
    logs = draw({"baseline": 0.0, "good": -1.0}, n_tasks=7)
    wild = {**logs, "good": np.vstack([logs["good"], np.full((1, 10), 50.0)]),
            "baseline": np.vstack([logs["baseline"], np.zeros((1, 10))])}  # fmt: skip
    sound = row_of(rank(outcomes_of(logs), RankOptions()), "good")
    ranking = rank(outcomes_of(wild, singular={"t7"}), RankOptions())
    assert row_of(ranking, "good") == sound
    assert ranking.metrics["test_loss"].tasks[7].singular
    assert ranking.remarks[0] == "left out of all means and tests, for a pole on the domain: t7"
    assert b"test_loss,t7,good," in as_csv(ranking)
    alone = rank(Outcomes(networks_of(logs), frozenset(f"t{number}" for number in range(7))), RankOptions())
    assert alone.metrics["test_loss"].n_tasks == 0
    assert alone.sentence.startswith("no task without a pole")


def test_other_swept_keys_are_paired_too():
    def networks(shift):
        return [
            dataclasses.replace(network, pair=(*network.pair, f"grid={grid}"))
            for grid in (3, 30)
            for network in networks_of({name: values + shift * grid for name, values in logs.items()})
        ]

    logs = draw({"baseline": 0.0, "good": -1.0}, n_tasks=3, n_seeds=4)
    flat, steep = (rank(Outcomes(networks(shift)), RankOptions()) for shift in (0.0, 0.2))
    assert row_of(steep, "good").per_run.n == 24
    assert row_of(steep, "good").overall.ratio == pytest.approx(row_of(flat, "good").overall.ratio)
    assert row_of(steep, "good").overall.low == pytest.approx(row_of(flat, "good").overall.low)


def test_pairs_that_one_scheme_lacks_do_not_count():
    logs = draw({"baseline": 0.0, "good": -1.0}, n_tasks=3, n_seeds=4)
    networks = [network for network in networks_of(logs) if (network.scheme, network.pair) != ("good", ("seed=2",))]
    row = row_of(rank(Outcomes(networks), RankOptions()), "good")
    kept = [0, 1, 3]
    assert row.per_run.n == 9
    assert row.overall.ratio == pytest.approx(np.exp((logs["good"] - logs["baseline"])[:, kept].mean()))


def test_zero_counts_as_the_least_positive_loss():
    networks = networks_of({"baseline": np.zeros((2, 3)), "exact": np.full((2, 3), -2.0)})
    networks[-1] = dataclasses.replace(networks[-1], values={"test_loss": 0.0})
    row = row_of(rank(Outcomes(networks), RankOptions()), "exact")
    assert row.overall.ratio == pytest.approx(np.exp(-2))
    assert row.per_run.wins == 6


def test_a_ranking_is_repeatable_and_does_not_depend_on_the_order_of_runs():
    outcomes = outcomes_of(draw({"baseline": 0.0, "a": -1.0, "b": -1.1}, n_tasks=6, n_seeds=3))
    before = np.random.get_state()[1].copy()
    one, other = rank(outcomes, RankOptions()), rank(outcomes, RankOptions())
    assert as_json(one) == as_json(other)
    assert (np.random.get_state()[1] == before).all()
    turned = rank(Outcomes(outcomes.networks[::-1]), RankOptions())
    assert turned.metrics["test_loss"].friedman.statistic == one.metrics["test_loss"].friedman.statistic
    assert row_of(turned, "a").overall.ratio == pytest.approx(row_of(one, "a").overall.ratio)


def test_a_ratio_to_another_baseline_is_the_reciprocal():
    outcomes = outcomes_of(draw({"baseline": 0.0, "good": -1.0}, n_tasks=6))
    one, other = (rank(outcomes, RankOptions(baseline=name)) for name in ("baseline", "good"))
    forth, back = row_of(one, "good").overall, row_of(other, "baseline").overall
    assert back.ratio == pytest.approx(1 / forth.ratio)
    assert (back.low, back.high) == pytest.approx((1 / forth.high, 1 / forth.low), rel=0.02)
    assert (forth.difference, back.difference) == ("lower", "higher")


def test_without_a_scheme_named_baseline_the_first_one_is_it():
    logs = draw({"b": 0.0, "a": -1.0}, n_tasks=2)
    assert rank(outcomes_of(logs), RankOptions()).baseline == "b"


def test_shown_metric_is_the_one_that_most_tasks_have():
    networks = networks_of(draw({"baseline": 0.0, "a": 0.0}, 2, 2), metric="rel_l2")
    assert rank(Outcomes(networks), RankOptions()).metric == "rel_l2"
    networks = [dataclasses.replace(network, values={**network.values, "test_loss": 1.0}) for network in networks]
    assert rank(Outcomes(networks), RankOptions()).metric == "test_loss"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RankOptions(baseline="glorott"), "rank.baseline=glorott: no run has it; allowed: baseline, glorot; "),
        (RankOptions(metric="seconds"), "rank.metric=seconds: no run has it; allowed: test_loss"),
    ],
)
def test_options_that_no_run_has(options, message):
    with pytest.raises(ConfigError, match="^" + message.split(";")[0]):
        rank(outcomes_of(draw({"baseline": 0.0, "glorot": 0.0}, 2, 2)), options)


def test_one_scheme_is_not_ranked():
    with pytest.raises(ConfigError, match="all runs have init=a"):
        rank(outcomes_of({"a": np.zeros((2, 2))}), RankOptions())


def test_options_as_typed():
    words = ["rank.baseline=glorot", "rank.rope=1.5", "rank.metric=null"]
    assert parse_options(words) == RankOptions("glorot", rope=1.5)
    for word in ("rank.rope=0.9", "rank.rope=x", "rank.metric=loss", "rank.ropes=2", "init=glorot"):
        with pytest.raises(ConfigError, match=word):
            parse_options([word])


@pytest.mark.parametrize("seed", range(12))
def test_any_design_has_a_ranking_of_finite_numbers(seed):
    """Networks that are missing, lost, without a metric or with a loss of 0."""
    rng = np.random.default_rng(seed)
    n_schemes, n_tasks, n_seeds = rng.integers(2, 6), rng.integers(1, 6), rng.integers(1, 5)
    logs = {f"s{number}": rng.normal(0, 20, (n_tasks, n_seeds)) for number in range(n_schemes)}
    networks = [
        dataclasses.replace(
            network,
            is_lost=rng.random() < 0.2,
            values={**network.values, "rel_l2": 0.0} if rng.random() < 0.5 else network.values,
        )
        for network in networks_of(logs)
        if rng.random() < 0.8
    ]
    ranking = rank(Outcomes(networks, frozenset({"t3"})), RankOptions())
    assert json.loads(as_json(ranking))["networks"] == len(networks)  # which NaN would not be
    for content in ranking.metrics.values():
        for row in content.schemes:
            assert row.per_run.wins <= row.per_run.n <= n_tasks * n_seeds
            assert row.overall.low is None or row.overall.low <= (row.overall.ratio or 0) * (1 + 1e-9)
            assert all(0 <= share <= 1 for share in row.profile)
    assert len(format_ranking(ranking)) > 5


def test_runs_that_are_all_lost_are_not_ranked():
    logs = draw({"baseline": 0.0, "a": 0.0}, 1, 1)
    with pytest.raises(ConfigError, match="every run failed or diverged"):
        rank(outcomes_of(logs, lost={("baseline", 0, 0), ("a", 0, 0)}), RankOptions())
