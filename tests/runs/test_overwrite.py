"""overwrite=true: a complete run replaces a finished one, and nothing else is ever overwritten."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kancli.errors import ConfigError, WriteError
from kancli.runs import record as record_module
from kancli.runs import signals
from kancli.runs.folder import RunFolder
from kancli.runs.hashes import seal
from kancli.runs.signals import Interrupted
from kancli.runs.superseded import Superseded, lock_folder, put_back_superseded
from kancli.runs.training_state import STATE

ROOT = Path(__file__).parents[2]


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


def begin(folder, moment):
    """What kill -9 leaves of a run, at a moment of it."""
    if moment == "computing":
        folder._write_run("running", {})
    else:
        (folder.path / "run.json").unlink()
    return folder.path


@pytest.mark.parametrize("moment", ["before run.json", "computing"])
def test_a_killed_run_is_overwritten_and_one_at_work_is_not(kan_run, tmp_path, moment):
    kan_run("hydra.run.dir=here", "figures=none")
    record = json.loads((tmp_path / "here/run.json").read_text())
    del record["status"], record["sha256"], record["self_sha256"]
    shutil.rmtree(tmp_path / "here")
    at_work = RunFolder.create(tmp_path / "here", {"config.yaml": "seed: 0\n"}, record)
    begin(at_work, moment)
    again = ["hydra.run.dir=here", "figures=none", "seed=1"]
    refused = kan_run(*again, "overwrite=true")
    assert (refused.code, "its run is not finished" in refused.err) == (2, True)
    at_work._unlock()  # as the end of its process does
    plain = kan_run(*again)
    assert (plain.code, "is not empty" in plain.err) == (2, True)
    done = kan_run(*again, "overwrite=true")
    assert done.code == 0, done.err
    assert done.json("run.json")["seed"] == 1
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


def kill_while_replacing(tmp_path, moment):
    """What kill -9 leaves of `overwrite=true`, at a moment of the run."""
    (tmp_path / "here").rename(tmp_path / ".here.replaced-01234567.pending")
    if moment == "before the folder":
        return
    (tmp_path / "here/.hydra").mkdir(parents=True)
    if moment == "before run.json":
        (tmp_path / "here/run.log").write_text("begun")
        return
    record = json.loads((tmp_path / ".here.replaced-01234567.pending/run.json").read_text())
    record["status"] = "running"
    (tmp_path / "here/run.json").write_text(json.dumps(seal(record)))


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before the folder", "before run.json", "computing"])
def test_a_run_set_aside_by_a_killed_process_is_put_back(kan_run, tmp_path, moment):
    kan_run("hydra.run.dir=here", "figures=none")
    before = (tmp_path / "here/run.json").read_bytes()
    kill_while_replacing(tmp_path, moment)
    refused = kan_run("hydra.run.dir=here", "figures=none", "seed=1")
    assert (refused.code, "add overwrite=true" in refused.err) == (2, True)
    assert (tmp_path / "here/run.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
    kill_while_replacing(tmp_path, moment)
    assert kan_run("hydra.run.dir=here", "figures=none", "seed=1", "overwrite=true").json("run.json")["seed"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_new_run_that_can_go_on_or_does_is_left_alone(kan_run, tmp_path):
    kan_run("hydra.run.dir=here", "figures=none")
    kill_while_replacing(tmp_path, "computing")
    at_work = lock_folder(tmp_path / "here")
    assert at_work is not None
    put_back_superseded(tmp_path / "here")
    os.close(at_work)
    state = tmp_path / "here" / STATE
    state.touch()
    put_back_superseded(tmp_path / "here")
    assert names(tmp_path) == [".here.replaced-01234567.pending", "here"]
    assert json.loads((tmp_path / "here/run.json").read_text())["status"] == "running"
    state.unlink()
    put_back_superseded(tmp_path / "here")
    assert names(tmp_path) == ["here"]
    assert json.loads((tmp_path / "here/run.json").read_text())["status"] == "complete"


@pytest.mark.parametrize(
    "error",
    [ConfigError(["cannot be written"]), PermissionError("denied"), Interrupted()],
    ids=repr,
)
def test_a_run_that_cannot_be_replaced_is_put_back_at_once(kan_run, tmp_path, monkeypatch, error):
    kan_run("hydra.run.dir=there/run", "figures=none")
    before = (tmp_path / "there/run/run.json").read_bytes()

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr("kancli.runs.folder.check_fresh", refuse)
    with pytest.raises(type(error) if isinstance(error, Interrupted) else ConfigError):
        RunFolder.create(tmp_path / "there/run", {}, {}, overwrite=True)
    assert (tmp_path / "there/run/run.json").read_bytes() == before


def test_a_run_whose_folder_another_one_takes_is_kept_beside_it(kan_run, tmp_path, monkeypatch, caplog):
    kan_run("hydra.run.dir=there/run", "figures=none")
    before = (tmp_path / "there/run/run.json").read_bytes()
    taken = tmp_path / "there/run/.hydra"
    monkeypatch.setattr("kancli.runs.folder.check_fresh", lambda _: taken.mkdir(parents=True))
    with pytest.raises(ConfigError, match="is not empty"):
        RunFolder.create(tmp_path / "there/run", {}, {}, overwrite=True)
    (kept,) = (path for path in (tmp_path / "there").iterdir() if path.name != "run")
    assert kept.name.startswith(".run.replaced-")
    assert kept.suffix != ".pending"
    assert (kept / "run.json").read_bytes() == before
    assert str(kept) in caplog.text
    put_back_superseded(tmp_path / "there/run")
    assert (kept / "run.json").read_bytes() == before


def test_a_signal_while_a_run_is_moved_aside_comes_once_it_can_be_put_back(kan_run, tmp_path, monkeypatch):
    kan_run("hydra.run.dir=here", "figures=none")
    before, set_aside = (tmp_path / "here/run.json").read_bytes(), Superseded.set_aside

    def interrupted(path):
        superseded = set_aside(path)
        signal.raise_signal(signal.SIGTERM)
        return superseded

    monkeypatch.setattr(Superseded, "set_aside", interrupted)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with signals.signal_handlers(), pytest.raises(Interrupted):
            RunFolder.create(tmp_path / "here", {}, {}, overwrite=True)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signals._pending.clear()
    assert (tmp_path / "here/run.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


@pytest.mark.parametrize("error", [WriteError(Path("run.json"), OSError("full")), Interrupted()], ids=repr)
def test_a_run_is_back_at_once_if_the_new_one_does_not_begin(kan_run, tmp_path, monkeypatch, error):
    kan_run("hydra.run.dir=here", "figures=none")
    before = (tmp_path / "here/run.json").read_bytes()

    def refuse(*_):
        raise error

    monkeypatch.setattr(RunFolder, "_write_run", refuse)
    with pytest.raises(type(error)):
        RunFolder.create(tmp_path / "here", {"config.yaml": "seed: 0\n"}, {}, overwrite=True)
    assert (tmp_path / "here/run.json").read_bytes() == before
    assert names(tmp_path) == ["here"]


def test_a_link_is_followed_by_what_removes_its_folder(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "here").symlink_to("there")
    RunFolder.create(tmp_path / "here", {"config.yaml": "seed: 0\n"}, {}).discard()
    assert not (tmp_path / "there").exists()


@pytest.mark.slow
def test_a_run_in_the_folder_of_one_at_work_does_not_wait_for_it(kan_run, tmp_path):
    kan_run("hydra.run.dir=here", "figures=none")
    at_work = lock_folder(tmp_path / "here")
    argv = [sys.executable, "-m", "kancli", "hydra.run.dir=here/within", "figures=none", "stats=none"]
    subprocess.run(argv, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=60)
    assert at_work is not None
    os.close(at_work)


def test_a_run_that_another_process_replaces_is_left_alone(kan_run, tmp_path):
    kan_run("hydra.run.dir=here", "figures=none")
    superseded = Superseded.set_aside(tmp_path / "here")
    assert superseded is not None
    put_back_superseded(tmp_path / "here")
    assert not (tmp_path / "here").exists()
    superseded.put_back()
    assert Superseded.set_aside(tmp_path / "here") is not None


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["report", "collect", "compare"])
def test_a_run_set_aside_is_no_run_of_a_folder(kan_run, tmp_path, verb):
    for name in ("a", "b"):
        kan_run(f"hydra.run.dir=runs/{name}", "figures=none")
    (tmp_path / "runs/a").rename(tmp_path / "runs/.a.replaced-01234567")
    (tmp_path / "runs/b").rename(tmp_path / "runs/.b.part")
    for name, k in (("c", 2), ("d", 4)):
        kan_run(f"hydra.run.dir=runs/{name}", "figures=none", f"k={k}")
    done = kan_run(verb, "runs")
    assert done.code == 0, done.err
    assert "replaced" not in done.out + done.err
    if verb == "collect":
        assert "2 of 2 runs complete" in done.out
