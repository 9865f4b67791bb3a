"""overwrite=true: a complete run replaces a finished one, and nothing else is ever overwritten."""

import json
from pathlib import Path

import pytest

from kancli.runs import record as record_module


def names(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir())


def test_a_folder_in_use_is_refused_with_advice(kan_run, tmp_path):
    assert kan_run("hydra.run.dir=here", "figures=none").code == 0
    before = (tmp_path / "here/run.json").read_bytes()
    again = kan_run("hydra.run.dir=here", "figures=none", "seed=1")
    assert again.code == 2
    assert "add overwrite=true" in again.err
    assert (tmp_path / "here/run.json").read_bytes() == before


@pytest.mark.slow
def test_a_complete_run_replaces_a_finished_one(kan_run, tmp_path):
    kan_run("hydra.run.dir=here", "figures=network")
    again = kan_run("hydra.run.dir=here", "overwrite=true", "figures=none", "seed=1")
    assert again.code == 0, again.err
    assert again.json("run.json")["seed"] == 1
    assert not (tmp_path / "here/figures").exists(), "nothing of the old run is left"
    assert names(tmp_path) == ["here"]
    assert kan_run("hydra.run.dir=new", "overwrite=true", "figures=none").code == 0


def test_a_failed_run_does_not_replace_a_finished_one(kan_run, tmp_path, monkeypatch):
    kan_run("hydra.run.dir=here", "figures=none")
    before = (tmp_path / "here/run.json").read_bytes()

    def fail(*_):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(record_module, "compute", fail)
    assert kan_run("hydra.run.dir=here", "overwrite=true").code == 1
    (kept,) = (path for path in tmp_path.iterdir() if path.name.startswith(".here.replaced-"))
    assert (kept / "run.json").read_bytes() == before
    assert json.loads((tmp_path / "here/run.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("status", [None, "running", "garbage"])
def test_nothing_but_a_finished_run_is_overwritten(kan_run, tmp_path, status):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/precious.txt").write_text("mine")
    if status is not None:
        (tmp_path / "here/run.json").write_text(json.dumps({"status": status}) if status == "running" else "[")
    before = names(tmp_path / "here")
    answer = kan_run("hydra.run.dir=here", "overwrite=true", "figures=none")
    assert answer.code == 2
    assert "overwrite=true hydra.run.dir=" in answer.err
    assert names(tmp_path / "here") == before
    assert names(tmp_path) == ["here"]


def test_a_link_to_a_run_is_followed_and_kept(kan_run, tmp_path):
    assert kan_run("hydra.run.dir=scratch/run", "figures=none", "stats=none").code == 0
    (tmp_path / "run").symlink_to("scratch/run")
    again = kan_run("hydra.run.dir=run", "overwrite=true", "figures=none", "stats=none", "seed=1")
    assert again.code == 0, again.err
    assert (tmp_path / "run").readlink() == Path("scratch/run")
    assert json.loads((tmp_path / "scratch/run/run.json").read_text())["config"]["seed"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "scratch"]
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["run"]
