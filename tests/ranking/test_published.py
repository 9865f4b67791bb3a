"""Medians over seeds beside published ones, by given numbers."""

import csv

import numpy as np
import pytest

from kancli.ranking.options import RankOptions
from kancli.ranking.outcomes import Architecture, Outcomes, TrainedNetwork
from kancli.ranking.output import format_ranking, medians_csv
from kancli.ranking.published import find_medians, read_published
from kancli.ranking.rank import rank

LARGE = Architecture((2, 32, 32, 32, 1), 20, 3)
HIDDEN = [(nodes,) * depth for nodes in (2, 4, 8, 16, 32, 64) for depth in (1, 2, 3, 4)]


def trained_network(task, init, seed, loss, architecture=LARGE, *, others=(), rel_l2=0.5, **options):
    values = {"train_loss": loss, "rel_l2": rel_l2}
    known = {"steps": 2000, "init": init, "is_preset": True, "architecture": architecture} | options
    return TrainedNetwork(init, task, (f"seed={seed}", *others), values, **known)


def medians_of(networks):
    return {(row.task, row.init, row.others, row.metric): row for row in find_medians(Outcomes(networks)).rows}


def test_the_numbers_are_those_of_six_functions_and_of_96_networks():
    published = read_published()
    assert "2509.03417" in published.source
    assert "srigas/KAN_Initialization_Schemes" in published.source
    large, many = published.sets
    assert large.networks() == {((32, 32, 32), 20)}
    assert many.networks() == {(hidden, grid) for hidden in HIDDEN for grid in (5, 10, 20, 40)}
    assert [len(numbers.tasks) for numbers in (large, many)] == [6, 3]
    for schemes in large.tasks.values():  # the order that the study found
        losses = [schemes[init]["train_loss"] for init in ("baseline", "glorot", "power_law")]
        assert losses == sorted(losses, reverse=True)
        assert losses[0] / losses[2] > 500
    assert large.tasks["feynman_III.10.19"]["power_law"] == {"train_loss": 9.87e-9, "rel_l2": 8.75e-5}
    assert many.tasks["f2"]["glorot"] == {"train_loss": 5.63e-5, "rel_l2": 0.0046}


def test_the_median_over_seeds_stands_beside_the_published_one():
    losses = [1e-6, 9e-6, 4e-6, 2e-6, 100.0]
    rows = medians_of([trained_network("feynman_I.12.11", "glorot", seed, loss) for seed, loss in enumerate(losses)])
    row = rows["feynman_I.12.11", "glorot", "", "train_loss"]
    assert (row.n, row.median, row.published, row.networks) == (5, 4e-6, 3.07e-6, "2-32-32-32-1, grid 20")
    assert row.ratio == pytest.approx(4 / 3.07)
    assert rows["feynman_I.12.11", "glorot", "", "rel_l2"].ratio == pytest.approx(0.5 / 1.47e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": Architecture((2, 8, 8, 1), 5, 3)},
        {"architecture": Architecture((2, 32, 32, 32, 1), 20, 2)},
        {"steps": 500},
    ],
)
def test_other_networks_have_no_ratio(change):
    medians = find_medians(Outcomes([trained_network("feynman_I.12.11", "glorot", 0, 1e-6, **change)]))
    assert [(row.published, row.ratio) for row in medians.rows] == [(3.07e-6, None), (1.47e-3, None)]
    assert "no ratio where the networks or their steps differ" in medians.remarks[0]
    assert "[d,32,32,32,1], grid 20, 2000 steps" in medians.remarks[0]


def test_other_knobs_and_tasks_have_no_published_number():
    medians = find_medians(
        Outcomes(
            [trained_network("f1", "power_law", 0, 1e-6), trained_network("f1", "glorot", 0, 1.0, is_preset=False)]
        )
    )
    assert [row.published for row in medians.rows] == [None] * 4
    assert medians.remarks == ["no published numbers are known of these tasks and schemes"]


def test_of_96_networks_it_is_the_median_of_medians():
    rng, networks, medians = np.random.default_rng(0), [], []
    for hidden in HIDDEN:
        for grid in (5, 10, 20, 40):
            losses = rng.lognormal(-10, 2, 5)
            medians.append(np.median(losses))
            others = (f"width=in-{'-'.join(map(str, hidden))}-out", f"grid={grid}")
            architecture = Architecture((2, *hidden, 1), grid, 3)
            networks += [trained_network("f1", "baseline", seed, float(loss), architecture, others=others)
                         for seed, loss in enumerate(losses)]  # fmt: skip
    row = medians_of(networks)["f1", "baseline", "", "train_loss"]
    assert (row.networks, row.n, row.published) == ("96 networks", 5, 4.51e-5)
    assert row.median == pytest.approx(np.median(medians))
    assert row.ratio == pytest.approx(np.median(medians) / 4.51e-5)
    fewer = medians_of([network for network in networks if network.architecture != Architecture((2, 2, 1), 5, 3)])
    assert (fewer["f1", "baseline", "", "train_loss"].networks, fewer["f1", "baseline", "", "train_loss"].ratio) == (
        "95 networks",
        None,
    )


def test_other_swept_keys_have_lines_of_their_own_and_lost_networks_count_as_infinite():
    networks = [
        trained_network("burgers", "glorot", seed, loss, others=(f"task.rba={rba}",), is_lost=lost)
        for rba, losses in {"published": (1.0, 2.0, 3.0), "detached": (1.0, 2.0, 3.0)}.items()
        for seed, (loss, lost) in enumerate(zip(losses, (False, rba == "detached", rba == "detached"), strict=True))
    ]
    rows = medians_of(networks)
    assert rows["burgers", "glorot", "task.rba=published", "train_loss"].median == 2.0
    assert rows["burgers", "glorot", "task.rba=detached", "train_loss"].median is None


def test_they_are_in_the_ranking_where_the_sweep_or_a_word_asks_for_them():
    networks = [trained_network("feynman_I.12.11", init, seed, loss * (1 + seed / 10))
                for init, loss in {"baseline": 2e-4, "glorot": 3e-6}.items() for seed in range(5)]  # fmt: skip
    asked = Outcomes(networks, study={"published": True})
    assert rank(asked, RankOptions(published=False)).medians is None
    assert rank(Outcomes(networks), RankOptions()).medians is None
    for ranking in (rank(asked, RankOptions()), rank(Outcomes(networks), RankOptions(published=True))):
        rows = list(csv.DictReader(medians_csv(ranking.medians).decode().splitlines()))
        assert [(row["init"], row["metric"]) for row in rows] == [
            (init, metric) for init in ("baseline", "glorot") for metric in ("train_loss", "rel_l2")
        ]
        assert float(rows[2]["median"]) == pytest.approx(3.6e-6)
        assert float(rows[2]["ratio"]) == pytest.approx(3.6 / 3.07)
        assert any("arXiv 2509.03417" in line for line in format_ranking(ranking) if isinstance(line, str))
