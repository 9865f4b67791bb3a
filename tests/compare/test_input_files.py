"""Records of runs on a file of samples: used from other folders, and after the file changed."""

import json

import pytest

QUICK = ["width=2-1", "figures=none", "stats=none"]
ROWS = "x;y\n0.1;0.2\n0.3;0.4\n"


@pytest.fixture
def blessed(kan_run, tmp_path):
    """A folder with the file `d.csv`, its run `a` and the baseline `b.json`."""
    (tmp_path / "d.csv").write_text(ROWS)
    assert kan_run("inputs=d.csv", "hydra.run.dir=a", *QUICK).code == 0
    assert kan_run("bless", "a", "-o", "b.json").code == 0
    return tmp_path


def test_a_baseline_is_checked_and_a_run_repeated_from_anywhere(blessed, kan_run, monkeypatch):
    (blessed / "elsewhere").mkdir()
    monkeypatch.chdir(blessed / "elsewhere")
    for record in ("../b.json", "../a"):
        outcome = kan_run("check", record)
        assert outcome.code == 0, outcome.err
        assert "match" in outcome.out
    assert kan_run("rerun", "../a", "hydra.run.dir=c").code == 0
    again = json.loads((blessed / "elsewhere" / "c" / "run.json").read_text())
    assert again["identity"] == json.loads((blessed / "a" / "run.json").read_text())["identity"]


def test_a_changed_file_is_named_by_check_and_diff(blessed, kan_run):
    (blessed / "d.csv").write_text(ROWS.replace("0.4", "0.5"))
    for record in ("b.json", "a"):
        outcome = kan_run("check", record)
        assert outcome.code == 4
        assert "first difference: inputs: d.csv is another file\n" in outcome.out
    assert kan_run("rerun", "a", "hydra.run.dir=c").code == 0
    outcome = kan_run("diff", "a", "c")
    assert outcome.code == 4
    assert "inputs: d.csv is another file\n" in outcome.out
    assert "config" not in outcome.out


def test_a_file_with_another_remark_has_the_same_samples(blessed, kan_run):
    (blessed / "d.csv").write_text("# checked\n" + ROWS)
    outcome = kan_run("check", "b.json")
    assert outcome.code == 4
    assert "inputs: d.csv is another file, with the same samples" in outcome.out


@pytest.fixture
def task(kan_run, tmp_path):
    """A folder with the table `d.csv`, the run `a` with it as its task, and the baseline `b.json`."""
    (tmp_path / "d.csv").write_text(ROWS)
    words = ["task=d.csv", "width=in-1-out", "figures=none", "stats=none", "train=none"]
    assert kan_run(*words, "hydra.run.dir=a").code == 0
    assert kan_run("bless", "a", "-o", "b.json").code == 0
    return tmp_path


def test_a_task_is_found_from_anywhere(task, kan_run, monkeypatch):
    (task / "elsewhere").mkdir()
    monkeypatch.chdir(task / "elsewhere")
    for record in ("../b.json", "../a"):
        outcome = kan_run("check", record)
        assert outcome.code == 0, outcome.err
    assert kan_run("rerun", "../a", "hydra.run.dir=c").code == 0
    again = json.loads((task / "elsewhere" / "c" / "run.json").read_text())
    assert again["identity"] == json.loads((task / "a" / "run.json").read_text())["identity"]


def test_a_changed_task_is_named_by_check_and_diff(task, kan_run):
    (task / "d.csv").write_text(ROWS.replace("0.4", "0.5"))
    outcome = kan_run("check", "b.json")
    assert outcome.code == 4
    assert "first difference: task: d.csv is another file\n" in outcome.out
    assert kan_run("rerun", "a", "hydra.run.dir=c").code == 0
    outcome = kan_run("diff", "a", "c")
    assert outcome.code == 4
    assert "task: d.csv is another file\n" in outcome.out


def test_records_of_an_older_kancli_name_the_file_too(blessed, kan_run):
    content = json.loads((blessed / "b.json").read_text())
    del content["inputs"], content["sha256"]
    (blessed / "b.json").write_text(json.dumps(content))
    assert kan_run("check", "b.json").code == 0
    (blessed / "d.csv").write_text(ROWS.replace("0.4", "0.5"))
    assert "inputs: d.csv is another file" in kan_run("check", "b.json").out
