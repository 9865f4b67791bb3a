"""joblib's launcher, and submitit's on this machine."""

import json

import pytest

from tests.launchers.conftest import SWEEP
from tests.test_sweeps import TROUBLE


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_sweep(kan_run, assert_swept, launcher):
    done = kan_run(*SWEEP, "hydra.sweep.dir=sweep", f"hydra/launcher={launcher}")
    assert "3 tasks" in done.stderr
    assert_swept(done, "sweep")


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_failures_keep_their_causes_and_the_exit_code(kan_run, tmp_path, launcher):
    own = tmp_path / "own/init"
    own.mkdir(parents=True)
    (own.parent / "trouble.py").write_text(TROUBLE)
    (own / "trouble.yaml").write_text("_target_: trouble.Trouble\nkind: 0\n")
    done = kan_run("-m", "--config-dir", "own", "init=trouble", "kind=0,1,3", "seed=0,1", "hydra.sweep.dir=sweep",
                   "sweep.jobs_per_task=3", f"hydra/launcher={launcher}")  # fmt: skip
    assert done.returncode == 6, done.stderr
    summary = json.loads((tmp_path / "sweep/summary.json").read_text())
    assert summary["status"] == {"complete": 2, "failed": 4}
    causes = [each["cause"] for each in summary["failures"]]
    assert all("ValueError: on purpose" in each for each in causes[:2])
    assert all("killed by SIGKILL" in each for each in causes[2:])


def test_what_is_missing_is_done_by_the_launcher_that_the_sweep_had(kan_run, assert_swept):
    done = kan_run(*SWEEP, "hydra.sweep.dir=sweep", "hydra/launcher=joblib", "--dry-run")
    assert done.returncode == 0, done.stderr
    done = kan_run("resume", "sweep", "sweep.jobs_per_task=10")
    assert "2 tasks" in done.stderr
    assert "Joblib.Parallel" in done.stderr
    assert_swept(done, "sweep")
