"""The MLP of a ranking: a line of reference that changes nothing of the initialisations."""

import json
from typing import Any

import numpy as np
import pytest

from kancli.errors import ConfigError
from kancli.ranking.options import RankOptions
from kancli.ranking.output import as_csv, as_json, scheme_lines
from kancli.ranking.rank import rank
from kancli.ranking.write import figure_data
from tests.ranking.networks import outcomes_of
from tests.ranking.test_rank import draw

EFFECTS = {"baseline": 0.0, "good": -np.log(3.0), "poor": np.log(2.0)}


@pytest.fixture(scope="module")
def logs():
    """The MLP is the best: a tenth of the baseline's loss."""
    drawn = draw(EFFECTS, n_tasks=4, n_seeds=6)
    return {**drawn, "mlp": drawn["baseline"] - np.log(10.0)}


def test_the_mlp_has_its_ratio_and_no_rank(logs):
    ranking = rank(outcomes_of(logs), RankOptions())
    row: Any = ranking.metrics["test_loss"].schemes[-1]
    assert (row.init, row.is_reference) == ("mlp", True)
    assert [row.overall.ratio, row.overall.low, row.overall.high] == pytest.approx([0.1, 0.1, 0.1])
    assert (row.per_run.wins, row.per_run.n) == (24, 24)
    assert (row.mean_rank, row.p_holm, row.first, row.profile) == (None, None, 0, [])
    assert {task.first for task in ranking.metrics["test_loss"].tasks} == {"good"}
    assert scheme_lines(ranking)[-1][0] == "mlp"
    assert scheme_lines(ranking)[-1][-1] == "reference: lower"


def test_the_initialisations_are_ranked_as_without_it(logs):
    lost = [("mlp", 0, 0)]
    with_mlp = rank(outcomes_of(logs, lost=lost), RankOptions())
    without = rank(outcomes_of({name: values for name, values in logs.items() if name != "mlp"}), RankOptions())
    found, expected = with_mlp.metrics["test_loss"], without.metrics["test_loss"]
    assert found.schemes[:-1] == expected.schemes
    assert found.friedman == expected.friedman
    assert [task.schemes[:-1] for task in found.tasks] == [task.schemes for task in expected.tasks]
    assert (with_mlp.networks, with_mlp.lost) == (96, 1)
    assert with_mlp.remarks == without.remarks
    assert with_mlp.sentence.startswith(f"{without.sentence}; for reference, that of an MLP of as many parameters is ")


def test_it_is_never_called_the_winner(logs):
    sentence = rank(outcomes_of(logs), RankOptions()).sentence
    assert sentence.startswith("good: test loss ")
    assert "mlp" not in sentence
    assert sentence.endswith("is 0.1 times (0.1 to 0.1) as high as baseline's")


def test_files_and_figure_mark_it(logs):
    ranking = rank(outcomes_of(logs), RankOptions())
    assert as_csv(ranking).decode().count(",mlp,") == 4
    assert json.loads(as_json(ranking))["metrics"]["test_loss"]["schemes"][-1]["is_reference"] is True
    data = figure_data(ranking)
    assert (data.reference, list(data.schemes)) == ("mlp", ["baseline", "good", "poor"])
    assert data.ratios.shape == (3, 5, 3)
    assert data.ratios[0, :, 2] == pytest.approx(np.full(5, 0.1))
    assert np.isfinite(data.ranks).all()


def test_a_task_without_an_mlp_has_an_empty_cell(logs):
    outcomes = outcomes_of(logs)
    kept = [network for network in outcomes.networks if (network.scheme, network.task) != ("mlp", "t1")]
    tasks = rank(type(outcomes)(kept), RankOptions()).metrics["test_loss"].tasks
    (cell,) = (task.schemes[-1] for task in tasks if task.task == "t1")
    assert (cell.init, cell.ratio, cell.n) == ("mlp", None, 0)


def test_mlps_alone_are_no_ranking(logs):
    with pytest.raises(ConfigError, match="all runs are of MLPs, which are for reference"):
        rank(outcomes_of({"mlp": logs["mlp"]}), RankOptions())
    with pytest.raises(ConfigError, match="all runs have init=good"):
        rank(outcomes_of({name: logs[name] for name in ("good", "mlp")}), RankOptions())
