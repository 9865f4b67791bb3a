"""Faults of the system: concurrent processes, SIGKILL, a full disk, folders without permission, damaged files."""

import ctypes
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys

import pytest

from kancli.runs import record as record_module

KAN_RUN = [sys.executable, "-m", "kancli"]
N_PROCESSES, N_CONCURRENT = 50, 10


def assert_complete(folder):
    """Check that a run is complete, and that its files have the recorded hashes."""
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "complete"
    for name, digest in record["sha256"]["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    assert {path.name for path in folder.iterdir()} >= {"params.safetensors", "stats.json", "run.log", ".hydra"}


# Forks processes after a first run has loaded all modules, so that they start within the same second.
FORK_RUNS = """
import os, sys

from kancli.cli import main

assert main(["hydra.run.dir=first", "figures=none"]) == 0
n_processes, n_concurrent = map(int, sys.argv[1:])
running, failed = 0, 0
for seed in range(n_processes):
    if running == n_concurrent:
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
def test_concurrent_runs_get_folders_of_their_own(tmp_path):
    argv = [sys.executable, "-c", FORK_RUNS, str(N_PROCESSES), str(N_CONCURRENT)]
    subprocess.run(
        argv, cwd=tmp_path, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True
    )
    folders = [path.parent for path in tmp_path.glob("outputs/*/*/run.json")]
    assert len(folders) == N_PROCESSES
    assert {json.loads((folder / "run.json").read_text())["seed"] for folder in folders} == set(range(N_PROCESSES))
    for folder in folders:
        assert_complete(folder)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [4096, 30_000])
def test_a_full_disk_is_reported_in_one_line(tmp_path, limit):
    done = subprocess.run(
        [*KAN_RUN, "hydra.run.dir=run", "inputs.n=2000", "figures=none"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "cannot be written: File too large" in line
    record = tmp_path / "run/run.json"
    if record.exists():
        assert json.loads(record.read_text())["status"] in ("failed", "running")
    assert not list(tmp_path.rglob("*.part"))


def drop_root_permissions():
    """Make permissions apply to the superuser too."""
    CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24  # noqa: N806 - names of <linux/capability.h> and <linux/prctl.h>
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "argv", [["figures=none"], ["-m", "seed=1,2"], ["hydra.run.dir=run"], ["bless", "RUN", "-o", "x"]]
)
def test_a_read_only_folder_is_reported_and_unchanged(tmp_path, kan_run, argv):
    run = kan_run("figures=none").folder
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    argv = [str(run) if word == "RUN" else word for word in argv]
    done = subprocess.run(
        [*KAN_RUN, *argv], cwd=locked, text=True, capture_output=True, preexec_fn=drop_root_permissions
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "cannot be written" in line
    assert list(locked.iterdir()) == []


def test_a_folder_removed_during_the_run_is_reported(kan_run, tmp_path, monkeypatch):
    compute = record_module.compute

    def remove_and_compute(settings):
        shutil.rmtree(tmp_path / "run")
        return compute(settings)

    monkeypatch.setattr(record_module, "compute", remove_and_compute)
    answer = kan_run("hydra.run.dir=run", "figures=none")
    assert answer.code == 2
    (line,) = answer.err.splitlines()
    assert "cannot be written: No such file or directory" in line


FILES = ["run.json", "stats.json", "params.safetensors", "activations.safetensors", "figures.safetensors"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["link out", "device", "folder", "huge", "swapped"])
def test_a_file_of_another_kind_is_named(kan_run, kan_run_once, tmp_path, name, kind):
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
            continue  # check does not read tensors: it computes the run again
        answer = kan_run(verb, folder)
        message = answer.err + answer.out
        assert answer.code == code, message
        assert name in message
        assert len(message.splitlines()) == 1
