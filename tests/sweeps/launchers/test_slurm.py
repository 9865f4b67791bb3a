"""Slurm: a sweep through a cluster of one node."""

import pytest

from tests.sweeps.launchers.conftest import SWEEP
from tests.sweeps.launchers.slurm_cluster import absent, slurm_cluster


@pytest.fixture
def slurm(tmp_path):
    """The environment in which Slurm's commands find the cluster."""
    if missing := absent():
        pytest.skip(missing)
    with slurm_cluster(tmp_path / "slurm") as env:
        yield env


def test_a_sweep_through_slurm(kan_run, assert_swept, slurm):
    done = kan_run(*SWEEP, "hydra.sweep.dir=sweep", "hydra/launcher=submitit_slurm", env=slurm)
    assert "3 tasks" in done.stderr
    assert_swept(done, "sweep")
