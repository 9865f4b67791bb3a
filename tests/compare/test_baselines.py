"""Blessed files and folders as baselines: their content, edited and damaged ones, and those of an older kancli."""

import dataclasses
import hashlib
import json

import pytest

from kancli.compare import baseline
from kancli.config import identity
from kancli.runs import result
from kancli.runs.hashes import hash_of_statistics
from tests.alike import slow_but
from tests.runs.records import edit_record, reseal


def test_a_blessed_file_is_small_sorted_and_plain(kan_run, tmp_path):
    folder = kan_run("figures=none").out.splitlines()[-1]
    assert kan_run("bless", folder, "-o", "new/baselines/kept.json").out == "new/baselines/kept.json\n"
    text = (tmp_path / "new/baselines/kept.json").read_text()
    content = json.loads(text)
    assert len(text) < 15_000
    assert list(content) == sorted(content)
    assert list(content["stats"]) == sorted(content["stats"])
    assert "nodes" not in content["stats"]["layers"][0]
    assert content["kancli_baseline"] == 1


def test_a_blessed_file_holds_the_record(kan_run, tmp_path):
    run = kan_run("figures=none")
    record = baseline.read(run.folder)
    (tmp_path / "kept.json").write_text(baseline.format_blessed(record))
    again = baseline.read(tmp_path / "kept.json")
    assert dataclasses.replace(again, name=record.name, stats=record.stats) == record
    unworded = [{key: verdict[key] for key in verdict if key != "statement"} for verdict in record.stats["verdicts"]]
    canonical = json.dumps({**record.stats, "verdicts": unworded}, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode()).hexdigest() == record.ladder["statistics"]


def test_a_baseline_matches_after_a_statistic_is_added(kan_run, kept, tmp_path, monkeypatch):
    """To a layer, to the network, to nodes, and a verdict."""
    folder = str(next(tmp_path.glob("outputs/*/*")))
    as_json = result.as_json

    def grown(*args, **options):
        stats = as_json(*args, **options)
        stats["layers"][0]["invented"] = {"mean": 1.0}
        stats["layers"][0]["nodes"]["invented"] = [0.5, None]
        stats["invented"] = {"condition": 2.0}
        stats["verdicts"].append({**stats["verdicts"][0], "name": "invented"})
        return stats

    name = kept(lambda _: None)
    monkeypatch.setattr(result, "as_json", grown)
    checked = kan_run("check", folder, name)
    assert checked.out.splitlines() == [f"{path}: match (exact: same environment)" for path in (folder, name)]
    assert checked.code == 0


def test_a_baseline_matches_after_a_key_is_added(kan_run, kept, tmp_path, monkeypatch):
    """To the whole config, and to one of its sections."""
    folder = str(next(tmp_path.glob("outputs/*/*")))
    config_of = identity.config_of

    def grown(settings, **options):
        config = config_of(settings, **options)
        return {**config, "invented": "off", "grid": {**config["grid"], "invented": 1}}

    name = kept(lambda _: None)
    monkeypatch.setattr(identity, "config_of", grown)
    checked = kan_run("check", folder, name)
    assert checked.out.splitlines() == [f"{path}: match (exact: same environment)" for path in (folder, name)]
    assert checked.code == 0


OLD_BOUNDS = "verdicts.off_law=[5,6] is not legal in this kancli, its default is [0.0001,1e-06]"


def judge_by_standard_errors(content):
    """As an older kancli, whose off_law was a distance in standard errors, not a probability."""
    content["config"]["verdicts"]["off_law"] = [5.0, 6.0]
    (verdict,) = (verdict for verdict in content["stats"]["verdicts"] if verdict["name"] == "off_law")
    verdict |= {"value": 2.0, "threshold": 5.0}


def test_a_verdict_of_other_bounds_is_not_compared(kan_run, kept, tmp_path, monkeypatch):
    monkeypatch.delenv("CI", raising=False)  # which forbids bless --update
    name = kept(judge_by_standard_errors)
    checked = kan_run("check", name)
    assert (checked.code, checked.out) == (0, f"{name}: match (exact: same environment)\n")
    assert checked.err == f"kan-run: {name}: {OLD_BOUNDS}: not compared\n"

    def change(content):
        judge_by_standard_errors(content)
        content["stats"]["layers"][0]["output"]["rms"] *= 1.01

    assert kan_run("check", kept(change)).code == 4, "the other statistics are compared"
    updated = kan_run("bless", "--update", name)
    assert (updated.code, updated.err) == (0, f"kan-run: {name}: {OLD_BOUNDS}: used instead\n")
    assert json.loads((tmp_path / name).read_text())["config"]["verdicts"]["off_law"] == [1e-4, 1e-6]
    checked = kan_run("check", name)
    assert (checked.code, checked.err) == (0, "")


@pytest.mark.slow
def test_every_verb_reads_a_run_of_other_bounds(kan_run, kan_run_once, tmp_path):
    old = kan_run_once("width=2-3-1", "figures=default").folder
    content = {"config": json.loads((old / "run.json").read_text())["config"]}
    content["stats"] = json.loads((old / "stats.json").read_text())
    judge_by_standard_errors(content)
    (old / "stats.json").write_text(json.dumps(content["stats"]))
    ladder = json.loads((old / "run.json").read_text())["ladder"] | {"statistics": hash_of_statistics(content["stats"])}
    edit_record(old, config=content["config"], ladder=ladder)
    reseal(old)
    folder = str(old)
    again = kan_run("rerun", folder, "hydra.run.dir=again")
    assert (again.code, again.err) == (0, f"kan-run: {folder}: {OLD_BOUNDS}: used instead\n")
    assert json.loads((tmp_path / "again/run.json").read_text())["config"]["verdicts"]["off_law"] == [1e-4, 1e-6]
    for words in (["check", folder], ["draw", folder], ["compare", folder, "again"], ["report", folder]):
        assert kan_run(*words).code == 0, words


def test_another_wording_of_a_verdict_is_no_drift(kan_run, kept):
    """A file of an older kancli has no statements; one of a newer kancli may have others."""

    def without(content):
        for verdict in content["stats"]["verdicts"]:
            assert verdict.pop("statement")

    def reworded(content):
        content["stats"]["verdicts"][5]["statement"] = "other words"

    for change in (without, reworded):
        assert kan_run("check", kept(change)).out.startswith("changed.json: match")


@pytest.mark.parametrize(
    "harm", ["missing", "empty", "cut", "garbage", "list", "schema", "semantics", "ladder", "stats", "layers"]
)
def test_a_damaged_baseline_is_inconclusive(kan_run, kept, tmp_path, harm):
    def change(content):
        if harm == "schema":
            content["kancli_baseline"] = 0
        elif harm == "semantics":
            content["semantics"] = 1
        elif harm in content:
            content[harm] = 7
        elif harm == "layers":
            content["stats"]["layers"] = 7

    path = tmp_path / kept(change)
    whole = path.read_bytes()
    if harm == "missing":
        path.unlink()
    elif harm in ("empty", "cut", "garbage", "list"):
        path.write_bytes(
            {"empty": b"", "cut": whole[: len(whole) // 2], "garbage": b"\xff\x00" * 99, "list": b"[1]"}[harm]
        )
    checked = kan_run("check", "changed.json")
    assert checked.code == 5
    assert checked.out.startswith("changed.json: inconclusive: ")
    assert len(checked.out.splitlines()) == 1
    assert checked.err == ""


@pytest.mark.parametrize("name", ["run.json", "stats.json"])
@pytest.mark.parametrize("harm", [b"", b"{", b"\x00\xff", b"[]", b'{"status": "running"}', None])
def test_a_damaged_folder_is_inconclusive(kan_run, kan_run_once, name, harm):
    run = kan_run_once("figures=none")
    if harm is None:
        (run.folder / name).unlink()
    else:
        (run.folder / name).write_bytes(harm)
    checked = kan_run("check", run.out.splitlines()[-1])
    assert checked.code == 5, checked.out
    assert "inconclusive" in checked.out
    assert name in checked.out


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_a_run_that_is_not_complete_is_inconclusive(kan_run, kan_run_once, status):
    run = kan_run_once("figures=none")
    edit_record(run.folder, status=status)
    checked = kan_run("check", run.out.splitlines()[-1])
    assert checked.code == 5
    assert f"the run is not complete: its status in run.json is {status}" in checked.out


def test_edited_statistics_are_inconclusive(kan_run, kan_run_once):
    run = kan_run_once("figures=none")
    path = run.folder / "stats.json"
    path.write_text(path.read_text().replace('"schema": 2', '"schema":  2'))
    checked = kan_run("check", run.out.splitlines()[-1])
    assert checked.code == 5
    assert "damaged: stats.json is not what the run wrote" in checked.out


@pytest.mark.parametrize("place", slow_but(1, ["here", "elsewhere"]))
@pytest.mark.parametrize(
    "harm", ["number", "verdict", "verdicts", "null", "stats", "layer", "numbers", "ladder", "parameters", "inputs"]
)
def test_an_edited_baseline_does_not_match(kan_run, kept, harm, place):
    def change(content):
        layers = content["stats"]["layers"]
        if place == "elsewhere":
            content["environment"]["threads"] = 64
        if harm == "number":
            layers[0]["output"]["rms"] *= 1.01
        elif harm == "verdict":
            content["stats"]["verdicts"][0]["verdict"] = "fail"
            content["stats"]["verdicts"][0]["value"] = 7.0
        elif harm == "verdicts":
            content["stats"]["verdicts"] = []
        elif harm == "null":
            content["stats"]["propagation"] = None
            layers[0]["output"]["rms"] = None
        elif harm == "stats":
            layers.clear()
        elif harm == "layer":
            layers.pop()
        elif harm == "numbers":
            layers[1] = {"layer": 1, "n_in": 3, "n_out": 1}
        elif harm == "ladder":
            content["ladder"] = {"config": content["ladder"]["config"]}
        else:
            content["ladder"]["layer 1 coef" if harm == "parameters" else "inputs"] = "0" * 64

    answer = kan_run("check", kept(change))
    assert answer.code == (5 if harm in ("verdicts", "stats", "layer", "numbers", "ladder") else 4), answer.out


def test_an_edited_file_that_would_match_is_inconclusive(kan_run, kept, tmp_path):
    kept(lambda _: None)
    path = tmp_path / "kept.json"
    content = json.loads(path.read_text())
    content["environment"]["threads"] = 64
    path.write_text(json.dumps(content))
    answer = kan_run("check", "kept.json")
    assert answer.code == 5
    assert "edited since it was blessed" in answer.out
    del content["sha256"]
    path.write_text(json.dumps(content))
    assert kan_run("check", "kept.json").code == 0


def test_without_statistics_nothing_is_compared_elsewhere(kan_run, tmp_path):
    folder = kan_run("stats=none", "figures=none").out.splitlines()[-1]
    kan_run("bless", folder, "-o", "kept.json")
    content = json.loads((tmp_path / "kept.json").read_text())
    del content["sha256"]
    content["ladder"]["output"] = "0" * 64
    (tmp_path / "here.json").write_text(json.dumps(content))
    content["environment"]["threads"] = 64
    (tmp_path / "elsewhere.json").write_text(json.dumps(content))
    assert kan_run("check", "here.json").code == 4
    answer = kan_run("check", "elsewhere.json")
    assert answer.code == 5
    assert "nothing to compare" in answer.out


@pytest.mark.slow
def test_baselines_are_updated_under_ci_only_with_force(kan_run, kept, tmp_path, monkeypatch):
    name = kept(lambda content: content["config"].update(seed=1), "a.json")
    before = (tmp_path / name).read_bytes()
    monkeypatch.setenv("CI", "true")
    refused = kan_run("bless", "--update", name)
    assert refused.code == 2
    assert "not under CI=true" in refused.err
    assert (tmp_path / name).read_bytes() == before
    assert kan_run("bless", "--update", "--force", name).code == 0
    assert kan_run("check", name).code == 0
    monkeypatch.delenv("CI")
    assert kan_run("bless", "--update", name).out == f"{name}\n"
    direct = kan_run("width=2-3-1", "seed=1", "figures=none").out.splitlines()[-1]
    kan_run("bless", direct, "-o", "direct.json")
    one, other = (json.loads((tmp_path / path).read_text()) for path in (name, "direct.json"))
    assert one["ladder"] == other["ladder"]
    assert one["stats"] == other["stats"]


@pytest.mark.parametrize(
    "argv", [[], ["RUN"], ["a", "b", "-o", "c"], ["RUN", "-o", "x", "--update"], ["nowhere", "-o", "x"]]
)
def test_bless_answers_mistakes_in_one_line(kan_run, argv):
    answer = kan_run("bless", *argv)
    assert answer.code in (2, 5)
    assert len(answer.err.splitlines()) == 1
