"""joblib's launcher, and submitit's on this machine."""

import csv
import json

import pytest

from tests.sweeps.conftest import TROUBLE
from tests.sweeps.launchers.conftest import SWEEP


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_sweep(kan_run, assert_swept, launcher):
    done = kan_run(*SWEEP, "hydra.sweep.dir=sweep", f"hydra/launcher={launcher}")
    assert "3 tasks" in done.stderr
    assert_swept(done, "sweep")


def troubled(folder):
    """Put a scheme that fails in many ways into a folder of presets."""
    own = folder / "own/init"
    own.mkdir(parents=True)
    (own.parent / "trouble.py").write_text(TROUBLE)
    (own / "trouble.yaml").write_text("_target_: trouble.Trouble\nkind: 0\n")


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_failures_keep_their_causes_and_the_exit_code(kan_run, tmp_path, launcher):
    troubled(tmp_path)
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


def test_tasks_that_go_on_are_waited_for_when_one_is_lost(kan_run, tmp_path):
    troubled(tmp_path)
    done = kan_run("-m", "--config-dir", "own", "init=trouble", "kind=8,9", "hydra.sweep.dir=sweep",
                   "sweep.jobs_per_task=1", "hydra/launcher=submitit_local")  # fmt: skip
    assert done.returncode == 6, done.stderr
    assert "UncompletedJobError" in done.stderr
    rows = csv.DictReader((tmp_path / "sweep/sweep.csv").read_text().splitlines())
    assert [row["status"] for row in rows] == ["missing", "complete"]
    assert "kan-run resume sweep" in done.stderr
