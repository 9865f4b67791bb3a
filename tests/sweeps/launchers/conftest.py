"""What these tests share: a sweep as a process of its own, and what must come of it."""

import json
import os
import subprocess
import sys

import pytest

from kancli.sweeps.plan import read_plan

FILES = ["params.safetensors", "activations.safetensors", "stats.json", "edges.csv"]
SWEEP = ["-m", "init=default,linear", "noise_scale=0.1,1", "seed=range(5)", "sweep.jobs_per_task=7"]


@pytest.fixture
def kan_run(tmp_path):
    """Call kan-run as a process in an empty folder."""

    def run(*argv, env=None, **more):
        command = [sys.executable, "-m", "kancli", *argv]
        return subprocess.run(command, cwd=tmp_path, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                              timeout=300, check=False, **more)  # fmt: skip

    return run


@pytest.fixture
def assert_swept(tmp_path, kan_run):
    """Check that a sweep ended well, and that its jobs are those of kancli's own launcher."""

    def check(done, folder):
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"20 of 20 runs complete: {folder}"
        assert kan_run(*SWEEP, "hydra.sweep.dir=own").returncode == 0
        for job in read_plan(tmp_path / "own").jobs:
            mine, theirs = tmp_path / "own" / job.folder, tmp_path / folder / job.folder
            for name in FILES:
                assert (mine / name).read_bytes() == (theirs / name).read_bytes(), (job.number, name)
            records = [json.loads((each / "run.json").read_text()) for each in (mine, theirs)]
            assert records[0]["identity"] == records[1]["identity"]
            assert records[0]["ladder"] == records[1]["ladder"]
        assert json.loads((tmp_path / folder / "summary.json").read_text())["status"] == {"complete": 20}
        assert not (tmp_path / folder / ".tasks").exists()

    return check
