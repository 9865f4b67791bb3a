"""kan-run rank: a sweep that trained, its files, its page and its answers to mistakes."""

import csv
import gc
import json
import shutil

import pytest

from kancli.cli.dispatch import main
from kancli.ranking.outcomes import read_outcomes
from kancli.ranking.result import Ranking
from kancli.runs.json_files import read_json_as
from tests.runs.records import edit_record

WORDS = ["width=in-2-out", "task.n=60", "task.test_n=30", "train.steps=4", "figures=none", "sweep.workers=0"]
SWEPT = ["task=f1,feynman_I.13.12", "init=baseline,glorot,lecun", "seed=range(3)"]


@pytest.fixture(scope="session")
def shared_sweep(tmp_path_factory):
    """A sweep over two tasks, one of which has a pole, three schemes and three seeds; tests leave it unchanged."""
    folder = tmp_path_factory.mktemp("ranked") / "sweep"
    assert main(["-m", *SWEPT, *WORDS, f"hydra.sweep.dir={folder}"]) == 0
    gc.enable()
    return folder


@pytest.fixture
def sweep(shared_sweep, tmp_path):
    """A copy of the sweep."""
    return shutil.copytree(shared_sweep, tmp_path / "sweep")


@pytest.mark.slow
def test_the_files_hold_the_numbers_of_the_runs(kan_run, sweep):
    done = kan_run("rank", "sweep", "rank.metric=train_loss")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-3:] == ["sweep/ranking.csv", "sweep/ranking.json", "sweep/figures/ranking.png"]
    assert "left out of all means and tests, for a pole on the domain: feynman_I.13.12" in done.out
    runs = {(row["task"], row["init"], row["seed"]): float(row["train_loss"])
            for row in csv.DictReader((sweep / "sweep.csv").read_text().splitlines())}  # fmt: skip
    rows = list(csv.DictReader((sweep / "ranking.csv").read_text().splitlines()))
    assert list(rows[0]) == ["metric", "task", "init", "ratio", "low", "high", "wins", "n"]
    for row in (row for row in rows if row["metric"] == "train_loss"):
        ratios = [runs[row["task"], row["init"], seed] / runs[row["task"], "baseline", seed] for seed in "012"]
        assert float(row["ratio"]) == pytest.approx((ratios[0] * ratios[1] * ratios[2]) ** (1 / 3))
        assert (int(row["wins"]), row["n"]) == (sum(ratio < 1 for ratio in ratios), "3")
        assert min(ratios) == pytest.approx(float(row["low"]))
    ranking = read_json_as(sweep / "ranking.json", Ranking)
    assert ranking.singular == ["feynman_I.13.12"]
    assert ranking.metrics["train_loss"].n_tasks == 1
    assert ranking.sentence in " ".join(done.out.split())


@pytest.mark.slow
def test_a_ranking_is_replaced_only_with_overwrite(kan_run, sweep):
    assert kan_run("rank", "sweep").code == kan_run("rank", "sweep").code == 0
    before = (sweep / "ranking.json").read_bytes()
    refused = kan_run("rank", "sweep", "rank.baseline=glorot")
    assert refused.code == 2
    assert "type --overwrite to replace" in refused.err
    assert (sweep / "ranking.json").read_bytes() == before
    elsewhere = kan_run("rank", "sweep", "rank.baseline=glorot", "-o", "other", "--json")
    assert json.loads(elsewhere.out)["ranking"]["baseline"] == "glorot"
    assert json.loads((sweep.parent / "other/ranking.json").read_text()) == json.loads(elsewhere.out)["ranking"]


@pytest.mark.slow
def test_members_of_an_ensemble_are_the_runs_of_their_seeds(sweep, tmp_path):
    words = ["task=f1", "init=baseline,glorot,lecun", "n_seeds=3", *WORDS]
    assert main(["-m", *words, f"hydra.sweep.dir={tmp_path / 'members'}"]) == 0
    runs, members = (read_outcomes([folder]).networks for folder in (sweep, tmp_path / "members"))
    expected = {(run.scheme, run.pair): run for run in runs if run.task == "f1"}
    assert len(members) == len(expected) == 9
    for network in members:
        run = expected[network.scheme, network.pair]
        for metric in ("train_loss", "test_loss", "rel_l2"):
            assert network.values[metric] == pytest.approx(run.values[metric], rel=1e-5)
        assert (network.first_loss, network.is_lost) == (pytest.approx(run.first_loss, rel=1e-5), False)


@pytest.mark.slow
def test_a_run_of_several_members_whose_losses_are_damaged_is_left_out(kan_run, tmp_path):
    words = ["task=f1", "init=baseline,glorot,lecun", "n_seeds=2", *WORDS, "hydra.sweep.dir=members"]
    assert kan_run("-m", *words).code == 0
    with (tmp_path / "members/1/training.csv").open("a") as file:
        file.write("x")
    outcomes = read_outcomes([tmp_path / "members"])
    assert outcomes.n_incomplete == 1
    assert {network.scheme for network in outcomes.networks} == {"baseline", "lecun"}


@pytest.mark.slow
def test_failed_runs_are_lost_and_missing_ones_are_not(kan_run, sweep):
    edit_record(sweep / "3", status="failed", error="non-finite")
    shutil.rmtree(sweep / "4")
    (sweep / "5/stats.json").write_text("{}")
    outcomes = read_outcomes([sweep])
    assert outcomes.n_incomplete == 2
    (lost,) = (network for network in outcomes.networks if network.is_lost)
    assert (lost.scheme, lost.task, lost.pair) == ("glorot", "f1", ("seed=0",))
    done = kan_run("rank", "sweep")
    assert "1 of 16 networks failed or diverged" in done.out
    assert "2 runs incomplete or damaged: left out; kan-run resume SWEEP runs them" in done.out


@pytest.mark.slow
def test_sweeps_are_ranked_together(kan_run, sweep, tmp_path):
    more = ["init=kat", "task=f1", "seed=range(3)", *WORDS]
    assert main(["-m", *more, f"hydra.sweep.dir={tmp_path / 'more'}"]) == 0
    done = kan_run("rank", "sweep", "more", "-o", "both")
    assert done.code == 0, done.err
    ranking = read_json_as(tmp_path / "both/ranking.json", Ranking)
    (task,) = (task for task in ranking.metrics["test_loss"].tasks if task.task == "f1")
    assert [(row.init, row.n) for row in task.schemes] == [("glorot", 3), ("lecun", 3), ("kat", 3)]
    twice = kan_run("rank", "sweep", "sweep/../more", "more/0", "-o", "twice")
    assert twice.code == 2
    assert "rank: two runs of init=kat task=f1 seed=0; name sweeps that differ in a swept key" in twice.err


@pytest.mark.slow
def test_values_of_a_knob_are_schemes(tmp_path):
    words = ["task=f1", "init=power_law", "alpha=0.25,1", "seed=1,2", *WORDS]
    assert main(["-m", *words, f"hydra.sweep.dir={tmp_path / 'knobs'}"]) == 0
    networks = read_outcomes([tmp_path / "knobs"]).networks
    assert {network.scheme for network in networks} == {"power_law alpha=0.25", "power_law alpha=1"}
    assert {network.pair for network in networks} == {("seed=1",), ("seed=2",)}


@pytest.mark.slow
def test_the_page_has_the_ranking(kan_run, sweep):
    assert kan_run("rank", "sweep").code == 0
    assert kan_run("report", "sweep").code == 0
    page = (sweep / "report.html").read_text()
    ranking = read_json_as(sweep / "ranking.json", Ranking)
    assert "<h2>Ranking</h2>" in page or ">Ranking</h2>" in page
    assert ranking.sentence.replace("'", "&#39;") in page
    (sweep / "ranking.json").write_text('{"schema": 1}')
    damaged = kan_run("report", "sweep", "--overwrite")
    assert damaged.code == 2
    assert "ranking.json: damaged" in damaged.err


def test_explain_rank_defines_the_columns_of_the_table(kan_run):
    text = " ".join(kan_run("explain", "rank").out.split())
    document = json.loads(kan_run("explain", "rank", "--json").out)
    named = {name for heading in document for name in heading.split(", ")}
    assert {"ratio", "interval", "middle", "runs", "tasks", "p", "rank", "answer", "lost"} <= named
    assert all(source in text for source in ("Hesterberg", "Demšar", "2108.13264", "Dolan and Moré", "Holm (1979)"))
    assert " 10 94 % " in text  # the coverage of ten seeds


def test_mistakes_exit_with_a_message(kan_run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert kan_run("-m", "init=baseline,glorot", "figures=none", "hydra.sweep.dir=untrained").code == 0
    for words, message in [
        ([], "rank: name the folder of a sweep over init and task"),
        (["nowhere"], "no such folder"),
        (["empty"], "holds no runs"),
        (["untrained"], "rank: no run trained; sweep over init and task"),
        (["untrained", "rank.rope=0"], "rank.rope=0: allowed: finite number, >= 1"),
        (
            ["untrained", "grid=3"],
            "grid=3: allowed: rank.baseline=, rank.metric=, rank.search=, ",
        ),
    ]:
        outcome = kan_run("rank", *words)
        assert outcome.code == 2, words
        assert message in outcome.err
        assert outcome.err.count("\n") <= 3
