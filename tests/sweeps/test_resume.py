"""kan-run resume: after kills, for named jobs, and never beside a running sweep."""

import json
import random
import shutil
import signal
import subprocess
import time

import pytest

from kancli.runs.hashes import seal
from kancli.sweeps.plan import read_plan
from tests.runs.records import write_plan
from tests.sweeps.conftest import KAN_RUN, assert_same_run, record

KILLS = 3


@pytest.mark.slow
def test_a_sweep_killed_and_resumed_equals_one_never_killed(kan_run, tmp_path):
    words = ["-m", "init=default,linear", "noise_scale=0.1,1,3,7", "seed=range(25)", "sweep.workers=2"]
    assert kan_run(*words, "hydra.sweep.dir=whole").code == 0
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
    assert kan_run(*argv, "sweep.workers=2").code == 0
    plan = read_plan(tmp_path / "whole")
    assert len(plan.jobs) == 200
    for job in plan.jobs:
        assert_same_run(tmp_path / "killed" / job.folder, tmp_path / "whole" / job.folder)
    tables = [(tmp_path / name / "sweep.csv").read_text().splitlines() for name in ("killed", "whole")]
    assert [len(table) for table in tables] == [201, 201]
    assert not list((tmp_path / "killed").glob(".*"))


@pytest.mark.slow
def test_only_selected_jobs_run_again(kan_run, tmp_path):
    kan_run("-m", "noise_scale=1e30,0.1", "base_fun=square", "seed=0,1", "hydra.sweep.dir=sweep")
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


@pytest.mark.slow
@pytest.mark.parametrize("folder", [".", "", "..", "/tmp", "link/thesis", "link"])
def test_a_plan_names_folders_below_the_sweep_only(kan_run, tmp_path, folder):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    thesis = tmp_path / "precious/thesis"
    thesis.mkdir(parents=True)
    (thesis / "run.json").write_text("{}")
    (tmp_path / "sweep/link").symlink_to(thesis.parent)
    plan = tmp_path / "sweep/plan.jsonl"
    head, *jobs = map(json.loads, plan.read_text().splitlines())
    jobs[1]["folder"] = folder
    write_plan(plan, head, jobs)
    before = sorted(tmp_path.rglob("*"))
    for words in (["resume", "sweep"], ["resume", "sweep", "--only", "failed"], ["collect", "sweep"]):
        answer = kan_run(*words)
        assert answer.code == 2
        assert "plan.jsonl:3: damaged" in answer.err or "is reached by a symbolic link" in answer.err
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
    assert "another kan-run is at work in this folder" in done.err


def test_resume_removes_what_killed_writers_left(kan_run, tmp_path):
    kan_run("-m", "noise_scale=0.1,1", "hydra.sweep.dir=sweep")
    for name in ("plan.jsonl", "multirun.yaml", "sweep.csv", "sweep.parquet", "summary.json", "figures/sweep.png"):
        path = tmp_path / "sweep" / name
        path.with_name(f".{path.name}.0123456789abcdef.part").write_text("half")
    assert kan_run("resume", "sweep").code == 0
    assert not list((tmp_path / "sweep").rglob(".*.part"))


def make_beginning(folder, kind):
    if kind == "empty folder":
        folder.mkdir()
        return
    (folder / "multirun.yaml").unlink()
    if kind == "part of a plan":
        (folder / "plan.jsonl").rename(folder / ".plan.jsonl.part")
    elif kind == "record of Hydra":
        (folder / "plan.jsonl").unlink()
        (folder / "multirun.yaml").write_text("hydra: {}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["part of a plan", "record of Hydra", "plan", "empty folder"])
def test_a_sweep_killed_before_its_first_job_starts_again(kan_run, tmp_path, kind):
    argv = ["-m", "seed=0,1", "figures=none", "hydra.sweep.dir=sweep"]
    if kind != "empty folder":
        assert kan_run(*argv, "--dry-run").code == 0
    make_beginning(tmp_path / "sweep", kind)
    done = kan_run(*argv)
    assert done.code == 0, done.err
    assert "2 of 2 runs complete" in done.out
    assert not list((tmp_path / "sweep").glob(".*"))


def test_the_plan_of_another_sweep_is_not_replaced(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    before = (tmp_path / "sweep/plan.jsonl").read_bytes()
    done = kan_run("-m", "seed=0,1,2", "hydra.sweep.dir=sweep")
    assert done.code == 2
    assert "kan-run resume sweep" in done.err
    assert (tmp_path / "sweep/plan.jsonl").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("subdir", [[], ["hydra.sweep.subdir=s${seed}"]])
def test_the_basic_launcher_resumes_jobs_in_their_folders(kan_run, tmp_path, subdir):
    argv = ["-m", "seed=0,1,2,3", "figures=none", "hydra/launcher=basic", "hydra.sweep.dir=sweep", *subdir]
    assert kan_run(*argv).code == 0
    jobs = read_plan(tmp_path / "sweep").jobs
    for number in (1, 3):
        shutil.rmtree(tmp_path / "sweep" / jobs[number].folder)
    assert kan_run("resume", "sweep", "--only", "3").code == 6
    assert record(tmp_path / "sweep" / jobs[3].folder)["seed"] == 3
    done = kan_run("resume", "sweep")
    assert done.code == 0, done.err
    assert [record(tmp_path / "sweep" / job.folder)["seed"] for job in jobs] == [0, 1, 2, 3]


def damage(folder, kind):
    if kind == "empty run.json":
        (folder / "run.json").write_text("")
    elif kind == "no run.json":
        (folder / "run.json").unlink()
    elif kind == "empty stats.json":
        (folder / "stats.json").write_text("")
    elif kind == "another run":
        content = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(seal({**content, "identity": "0" * 64})))
    else:
        shutil.rmtree(folder)
        folder.write_text("mine")


CAUSES = {
    "empty run.json": "run.json: damaged",
    "no run.json": "run.json: no such file",
    "empty stats.json": "stats.json is not what the run wrote",
    "another run": "it holds the run of another config",
    "file": "a file lies in the place of its folder",
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["kancli", "basic"])
@pytest.mark.parametrize("kind", CAUSES)
def test_what_is_not_the_complete_record_of_a_job_is_made_again(kan_run, tmp_path, kind, launcher):
    words = ["hydra/launcher=basic"] if launcher == "basic" else []
    kan_run("-m", "seed=0,1,2", "figures=none", "hydra.sweep.dir=sweep", *words)
    untouched = (tmp_path / "sweep/0/run.json").read_bytes()
    damage(tmp_path / "sweep/1", kind)
    done = kan_run("resume", "sweep", "sweep.workers=0")
    assert done.code == 0, done.err
    assert "1 of 3 jobs to do" in done.err
    assert CAUSES[kind] in done.err
    assert "3 of 3 runs complete" in done.out
    assert record(tmp_path / "sweep/1")["seed"] == 1
    assert (tmp_path / "sweep/0/run.json").read_bytes() == untouched


def test_bounds_that_an_earlier_kancli_took_are_replaced(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "figures=none", "hydra.sweep.dir=sweep")
    plan = read_plan(tmp_path / "sweep")
    head = {
        **plan.head,
        "base": {**plan.head["base"], "verdicts": {**plan.head["base"]["verdicts"], "off_law": [5, 6]}},
    }
    jobs = [json.loads(line) for line in (tmp_path / "sweep/plan.jsonl").read_text().splitlines()[1:]]
    write_plan(tmp_path / "sweep/plan.jsonl", head, jobs)
    shutil.rmtree(tmp_path / "sweep/1")
    done = kan_run("resume", "sweep")
    assert done.code == 0, done.err
    assert "kan-run: sweep: verdicts.off_law=[5,6] is not legal in this kancli, its default is" in done.err
    assert done.err.count("[0.0001,1e-06]: used instead\n") == 1
    assert record(tmp_path / "sweep/1")["config"]["verdicts"]["off_law"] == [1e-4, 1e-6]
    assert kan_run("resume", "sweep").err.count("used instead") == 0
