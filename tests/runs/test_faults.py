"""Faults tried for real: many processes at once, kill -9 at any moment, no room on the disk, files of any kind."""

import ctypes
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from kancli.runs import record as record_module
from kancli.runs.files import read_tensors

KAN_RUN = [sys.executable, "-m", "kancli"]
PROCESSES, AT_ONCE, KILLS = 50, 10, 8


def assert_whole(folder):
    """Every file of a complete run is the one that its record tells of."""
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "complete"
    for name, digest in record["sha256"]["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    assert {path.name for path in folder.iterdir()} >= {"params.safetensors", "stats.json", "run.log", ".hydra"}


# They are forked once a run has loaded everything: nothing keeps them apart, and it is loaded once.
HERD = """
import os, sys

from kancli.cli import main

assert main(["hydra.run.dir=first", "figures=none"]) == 0
processes, at_once = map(int, sys.argv[1:])
running, failed = 0, 0
for seed in range(processes):
    if running == at_once:
        failed += os.wait()[1] != 0
        running -= 1
    if os.fork() == 0:
        code = 1
        try:
            code = main([f"seed={seed}", "figures=none"])
        finally:
            os._exit(code)
    running += 1
for _ in range(running):
    failed += os.wait()[1] != 0
sys.exit(failed)
"""


@pytest.mark.slow
def test_fifty_processes_on_one_root_leave_fifty_folders(tmp_path):
    """Ten at a time, all with one start of the clock's second in common with others."""
    argv = [sys.executable, "-c", HERD, str(PROCESSES), str(AT_ONCE)]
    subprocess.run(
        argv, cwd=tmp_path, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True
    )
    folders = [path.parent for path in tmp_path.glob("outputs/*/*/run.json")]
    assert len(folders) == PROCESSES
    assert {json.loads((folder / "run.json").read_text())["seed"] for folder in folders} == set(range(PROCESSES))
    for folder in folders:
        assert_whole(folder)


@pytest.mark.slow
def test_killed_at_any_moment_no_run_says_more_than_it_has(tmp_path, kan_run):
    moments = random.Random(0)
    for number in range(KILLS):
        process = subprocess.Popen([*KAN_RUN, f"hydra.run.dir=run{number}", "figures=all", "stats=full"], cwd=tmp_path,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        begun = tmp_path / f"run{number}" / "run.json"
        deadline = time.monotonic() + 60
        while not begun.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 1.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    statuses = []
    for number in range(KILLS):
        folder = tmp_path / f"run{number}"
        status = json.loads((folder / "run.json").read_text())["status"]
        statuses.append(status)
        for path in folder.glob("*.safetensors"):
            read_tensors(path)
        for path in folder.glob("*.json"):
            json.loads(path.read_text())
        if status == "complete":
            assert_whole(folder)
        else:
            found = kan_run("check", f"run{number}")
            assert (found.code, status) == (5, "running")
            assert "not a complete run: run.json says running" in found.out
    assert "running" in statuses


@pytest.mark.slow
@pytest.mark.parametrize("limit", [4096, 30_000])
def test_no_room_on_the_disk(tmp_path, limit):
    done = subprocess.run(
        [*KAN_RUN, "hydra.run.dir=run", "inputs.n=2000", "figures=none"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "cannot be written: File too large" in line
    record = tmp_path / "run/run.json"
    if record.exists():
        assert json.loads(record.read_text())["status"] in ("failed", "running")
    assert not list(tmp_path.rglob("*.part"))


def without_root_rights():
    """Take from the superuser the right to write where nobody may; anyone else has it not."""
    CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24  # noqa: N806 - as <linux/capability.h> and <linux/prctl.h> have them
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "argv", [["figures=none"], ["-m", "seed=1,2"], ["hydra.run.dir=run"], ["bless", "RUN", "-o", "x"]]
)
def test_a_folder_that_may_not_be_written(tmp_path, kan_run, argv):
    run = kan_run("figures=none").folder
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    argv = [str(run) if word == "RUN" else word for word in argv]
    done = subprocess.run([*KAN_RUN, *argv], cwd=locked, text=True, capture_output=True, preexec_fn=without_root_rights)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "cannot be written" in line
    assert list(locked.iterdir()) == []


def test_a_folder_removed_in_mid_run(kan_run, tmp_path, monkeypatch):
    compute = record_module.compute

    def removing(settings):
        shutil.rmtree(tmp_path / "run")
        return compute(settings)

    monkeypatch.setattr(record_module, "compute", removing)
    answer = kan_run("hydra.run.dir=run", "figures=none")
    assert answer.code == 1
    (line,) = answer.err.splitlines()
    assert "cannot be written: No such file or directory" in line


FILES = ["run.json", "stats.json", "params.safetensors", "activations.safetensors", "figures.safetensors"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["link out", "device", "folder", "huge", "swapped"])
def test_files_of_any_kind_in_a_folder_are_answered(kan_run, kan_run_once, tmp_path, name, kind):
    run = kan_run_once()
    path = run.folder / name
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    if kind == "link out":
        path.symlink_to(elsewhere)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(2**31)
    else:
        path.write_bytes((run.folder / ("layers.csv" if name.endswith("json") else "stats.json")).read_bytes()
                         if name != "stats.json" else b"layer,n_in\n")  # fmt: skip
    folder = run.out.splitlines()[-1]
    for verb, code in (("draw", 2), ("check", 5)):
        if verb == "check" and name.endswith(".safetensors"):
            continue  # not read: the run is made again from its record
        answer = kan_run(verb, folder)
        told = answer.err + answer.out
        assert answer.code == code, told
        assert name in told
        assert len(told.splitlines()) == 1
