"""Ray: a cluster of two nodes on this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sweeps.launchers.conftest import SWEEP

RAY = str(Path(sys.executable).parent / "ray")
PORT = 6399


def raylets():
    """The processes that are nodes."""
    found = subprocess.run(["pgrep", "-f", "raylet/raylet "], capture_output=True, text=True, check=False)
    return {int(each) for each in found.stdout.split()}


@pytest.fixture
def cluster():
    """Two nodes of one processor each; yields the address and the second node's process."""
    start = [RAY, "start", "--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats",
             "--node-ip-address=127.0.0.1"]  # fmt: skip
    before = raylets()
    subprocess.run(
        [*start, "--head", f"--port={PORT}", "--include-dashboard=false"], check=True, stdout=subprocess.DEVNULL
    )
    try:
        first = raylets() - before
        subprocess.run([*start, f"--address=127.0.0.1:{PORT}"], check=True, stdout=subprocess.DEVNULL)
        (second,) = raylets() - before - first
        yield f"hydra.launcher.ray.init.address=127.0.0.1:{PORT}", second
    finally:
        subprocess.run([RAY, "stop", "--force"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_sweep_over_two_nodes(kan_run, assert_swept, cluster):
    address, _ = cluster
    done = kan_run(*SWEEP, "hydra.sweep.dir=sweep", "hydra/launcher=ray", address)
    assert_swept(done, "sweep")


def test_a_node_killed_in_mid_sweep(tmp_path, cluster):
    address, node = cluster
    words = ["-m", "noise_scale=0.1,1,2,3", "seed=range(60)", "sweep.jobs_per_task=20", "hydra.sweep.dir=sweep"]
    argv = [sys.executable, "-m", "kancli", *words, "hydra/launcher=ray", address]
    running = subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 600
    while len(list(tmp_path.glob("sweep/[0-9]*"))) < 30 and time.monotonic() < limit:
        time.sleep(0.2)
    assert running.poll() is None
    os.kill(node, signal.SIGKILL)
    out, err = running.communicate(timeout=600)
    assert running.returncode == 0, err
    assert out.splitlines()[-1] == "240 of 240 runs complete: sweep"
