"""Jobs in workers of this machine: each is the single run, and none is lost when others fail or are killed."""

import contextlib
import csv
import json
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hydra.experimental.callback import Callback

from kancli.sweeps.plan import read_plan
from tests.sweeps.conftest import KAN_RUN, TROUBLE, assert_same_run, process, record

SWEEP = ["-m", "init=default,linear", "noise_scale=0.1,1", "seed=range(3)", "hydra.sweep.dir=sweep"]


@pytest.mark.slow
def test_a_job_has_the_files_of_the_single_run(tmp_path, kan_run):
    done = kan_run(*SWEEP, "sweep.workers=2")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "12 of 12 runs complete: sweep"
    plan = read_plan(tmp_path / "sweep")
    for number in (0, 5, 10):
        job = plan.jobs[number]
        single = kan_run(*job.words, f"hydra.run.dir=single{number}")
        assert single.code == 0
        assert_same_run(plan.path(job), tmp_path / f"single{number}")


CAUSES = {
    1: "ValueError: on purpose",
    2: "SystemExit: leaving",
    3: "its process was killed by SIGKILL, as the system does when memory runs out",
    4: "took longer than sweep.timeout=5 s",
    5: "its process exited with status 7",
    6: "holds inf; allowed: finite numbers",
    7: "its process exited with status 0 before the job was finished",
}


@pytest.mark.slow
def test_a_failing_job_does_not_affect_the_others(kan_run, tmp_path, trouble):
    """The eight jobs are two batches: job 0, which is sound, shares one with jobs that raise, exit and are killed."""
    words = [
        "-m",
        *trouble,
        "kind=0,1,2,3,4,5,6,7",
        "seed=0",
        "sweep.timeout=5",
        "sweep.workers=2",
        "hydra.sweep.dir=sweep",
    ]
    done = process(tmp_path, *words, "hydra.sweep.dir=sweep")
    assert done.returncode == 6, done.stderr
    assert "1 of 8 runs complete: sweep" in done.stdout
    summary = json.loads((tmp_path / "sweep/summary.json").read_text())
    assert summary["status"] == {"complete": 1, "failed": 7}
    assert len(summary["failures"]) == 7
    for job in read_plan(tmp_path / "sweep").jobs:
        content = record(tmp_path / "sweep" / job.folder)
        kind = int(job.words[1].removeprefix("kind="))
        if kind == 0:
            assert content["status"] == "complete"
            continue
        assert content["status"] == "failed"
        assert CAUSES[kind] in content["error"]
        (failure,) = (entry for entry in summary["failures"] if entry["job"] == job.number)
        assert failure["cause"] == content["error"]
        assert failure["replay"] == shlex.join(["kan-run", "--config-dir", str(tmp_path / "own"), *job.words])
    replayed = kan_run(*shlex.split(summary["failures"][0]["replay"])[1:])
    assert replayed.code == 0  # alone, in the process that reads the command line, nothing goes wrong
    again = kan_run("resume", "sweep", "--config-dir", "own")
    assert again.code == 6
    assert "0 of 8 jobs to do" in again.err
    (tmp_path / "own/trouble.py").write_text(TROUBLE.replace("self.kind == 1", "self.kind == 99"))
    changed = process(tmp_path, "resume", "sweep", "--config-dir", "own", "--only", "1")
    assert changed.returncode == 6
    assert "has changed since the plan" in changed.stderr


@pytest.mark.slow
def test_max_failures_ends_the_sweep(tmp_path, trouble):
    words = [*trouble, "kind=1", "seed=range(300)", "sweep.max_failures=3", "sweep.workers=1", "hydra.sweep.dir=sweep"]
    done = process(tmp_path, "-m", *words)
    assert done.returncode == 6
    summary = json.loads((tmp_path / "sweep/summary.json").read_text())
    assert 3 < summary["status"]["failed"] < 300
    assert summary["status"]["missing"] == 300 - summary["status"]["failed"]
    assert "kan-run resume sweep" in done.stderr


@pytest.mark.slow
def test_a_signal_at_the_end_waits_for_the_table(tmp_path):
    argv = [*KAN_RUN, "-m", "init=default,linear", "seed=range(10)", "hydra.sweep.dir=sweep"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while len(list(tmp_path.glob("sweep/[0-9]*/run.json"))) < 20 and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=600)
    assert running.returncode in (0, 143), err  # 0 where it came too late
    assert "20 of 20 runs complete: sweep" in out
    assert json.loads((tmp_path / "sweep/summary.json").read_text())["status"] == {"complete": 20}
    assert (tmp_path / "sweep/figures/sweep.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.0, 0.1, 0.5])
def test_workers_killed_while_they_start_are_replaced(tmp_path, moment):
    argv = [*KAN_RUN, "-m", "init=default,linear", "seed=range(10)", "hydra.sweep.dir=sweep", "sweep.workers=2"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while len(started := workers_of(running.pid)) < 2 and running.poll() is None:
        time.sleep(0.02)
    time.sleep(moment)
    for each in started:
        with contextlib.suppress(ProcessLookupError):  # it was quick, and has ended
            os.kill(each, signal.SIGKILL)
    out, err = running.communicate(timeout=600)
    assert running.returncode == 0, err
    assert "20 of 20 runs complete: sweep" in out


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.0, 1.0])
def test_the_server_of_the_workers_is_replaced_with_them(tmp_path, moment):
    argv = [*KAN_RUN, "-m", "init=default,linear", "seed=range(10)", "hydra.sweep.dir=sweep", "sweep.workers=2"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not (server := server_of(running.pid)) and running.poll() is None:
        time.sleep(0.02)
    time.sleep(moment)
    os.kill(server[0], signal.SIGKILL)
    out, err = running.communicate(timeout=600)
    assert running.returncode == 0, err
    assert "20 of 20 runs complete: sweep" in out


def workers_of(parent):
    """The processes of a pool, by their numbers."""
    return [worker for server in server_of(parent) for worker in children_of(server)]


def server_of(parent):
    """The process that workers are forked from, by its number; none before it has started."""
    return [pid for pid in children_of(parent) if "forkserver" in Path(f"/proc/{pid}/cmdline").read_text()]


def children_of(parent):
    found = []
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in task.read_text().split()]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_table_is_written_after_an_interruption(tmp_path, number):
    argv = [*KAN_RUN, "-m", "seed=range(1000)", "hydra.sweep.dir=sweep"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    limit = time.monotonic() + 600
    while not (tmp_path / "sweep/0/run.json").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    running.send_signal(number)
    out, err = running.communicate(timeout=600)
    assert running.returncode == 128 + number
    complete = len(list(tmp_path.glob("sweep/[0-9]*/run.json")))
    assert f"{complete} of 1000 runs complete: sweep" in out
    assert err.endswith(f"kan-run: interrupted by {signal.Signals(number).name}\n")
    assert "kan-run resume sweep" in err
    rows = list(csv.DictReader((tmp_path / "sweep/sweep.csv").read_text().splitlines()))
    assert [row["status"] for row in rows].count("complete") == complete
    assert len(rows) == 1000


class PrintingCallback(Callback):
    """Says what of it is called."""

    def on_multirun_start(self, config, **more):
        print("on_multirun_start")

    def on_multirun_end(self, config, **more):
        print("on_multirun_end")

    def on_job_end(self, config, job_return, **more):
        print("on_job_end")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["kancli", "basic"])
def test_callbacks_of_hydra_are_called_by_both_launchers(kan_run, launcher):
    done = kan_run("-m", "seed=1,2", "++hydra.callbacks.mine._target_=tests.sweeps.test_local.PrintingCallback",
                   "allow_code=true", "hydra.sweep.dir=sweep", "sweep.workers=0",
                   f"hydra/launcher={launcher}")  # fmt: skip
    assert done.code == 0, done.err
    heard = [line for line in done.out.splitlines() if line.startswith("on_")]
    notice = "hydra.callbacks: on_job_end: not called where jobs are computed together; hydra/launcher=basic calls it"
    if launcher == "basic":
        assert heard == ["on_multirun_start", "on_job_end", "on_job_end", "on_multirun_end"]
    else:
        assert heard == ["on_multirun_start", "on_multirun_end"]
    assert (notice in done.err) == (launcher == "kancli")
