"""kan-run resume: after kills, for named jobs, and never beside a running sweep."""

import random
import signal
import subprocess
import time

import pytest

from kancli.sweeps.plan import read_plan
from tests.sweeps.conftest import KAN_RUN, assert_same_run, process, record

KILLS = 3


@pytest.mark.slow
def test_a_sweep_killed_and_resumed_equals_one_never_killed(tmp_path):
    words = ["-m", "init=default,linear", "noise_scale=0.1,1,3,7", "seed=range(25)"]
    assert process(tmp_path, *words, "hydra.sweep.dir=whole").returncode == 0
    moments, argv = random.Random(0), [*words, "hydra.sweep.dir=killed"]
    for _ in range(KILLS):
        running = subprocess.Popen(
            [*KAN_RUN, *argv], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        enough = len(list(tmp_path.glob("killed/[0-9]*"))) + moments.randint(0, 40)
        while running.poll() is None and len(list(tmp_path.glob("killed/[0-9]*"))) <= enough:
            time.sleep(moments.uniform(0, 0.05))
        assert running.poll() is None, "the sweep ended before the kill"
        running.send_signal(signal.SIGKILL)
        running.wait()
        argv = ["resume", "killed"]
        for path in (tmp_path / "killed").glob("[0-9]*/run.json"):
            assert record(path.parent)["status"] == "complete"
    assert process(tmp_path, *argv).returncode == 0
    plan = read_plan(tmp_path / "whole")
    assert len(plan.jobs) == 200
    for job in plan.jobs:
        assert_same_run(tmp_path / "killed" / job.folder, tmp_path / "whole" / job.folder)
    tables = [(tmp_path / name / "sweep.csv").read_text().splitlines() for name in ("killed", "whole")]
    assert [len(table) for table in tables] == [201, 201]
    assert not list((tmp_path / "killed").glob(".*"))


@pytest.mark.slow
def test_only_selected_jobs_run_again(kan_run, tmp_path):
    kan_run("-m", "noise_scale=1e41,0.1", "seed=0,1", "hydra.sweep.dir=sweep")
    before = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("sweep/*/run.json")}
    assert len(before) == 4
    for only, changed in (([], set()), (["--only", "failed"], {"0", "1"}), (["--only", "1,2"], {"1"})):
        done = kan_run("resume", "sweep", *only)
        assert done.code == 6
        after = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("sweep/*/run.json")}
        assert {name for name in after if after[name] != before[name]} == changed
        before = after
    for only in ("4", "x", "-1", ""):
        assert kan_run("resume", "sweep", "--only", only).code == 2


@pytest.mark.parametrize("folder", [".", "", "..", "/tmp", "link/thesis", "link"])
def test_a_plan_names_folders_below_the_sweep_only(kan_run, tmp_path, folder):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    thesis = tmp_path / "precious/thesis"
    thesis.mkdir(parents=True)
    (thesis / "run.json").write_text("{}")
    (tmp_path / "sweep/link").symlink_to(thesis.parent)
    plan = tmp_path / "sweep/plan.jsonl"
    plan.write_text(plan.read_text().replace('"folder": "1"', f'"folder": "{folder}"'))
    before = sorted(tmp_path.rglob("*"))
    for words in (["resume", "sweep"], ["resume", "sweep", "--only", "failed"], ["collect", "sweep"]):
        answer = kan_run(*words)
        assert answer.code == 2
        assert "plan.jsonl: damaged" in answer.err or "is reached by a symbolic link" in answer.err
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("subdir", ["../x", "/tmp/x", ".", "a/../../x"])
def test_a_subdir_outside_the_sweep_is_refused(kan_run, tmp_path, subdir):
    answer = kan_run("-m", "seed=0", f"hydra.sweep.subdir={subdir}", "hydra.sweep.dir=sweep")
    assert answer.code == 2
    assert "allowed: a name below the sweep's folder" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_running_sweep_is_not_resumed(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    with read_plan(tmp_path / "sweep").lock():
        done = kan_run("resume", "sweep")
    assert done.code == 2
    assert "another kan-run is running this sweep" in done.err
