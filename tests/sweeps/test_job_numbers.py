"""${hydra:job.num} in the values of a sweep's jobs: the number of the job, as in Hydra, under every launcher."""

import csv

import pytest
import yaml

from tests.alike import slow_but
from tests.sweeps.conftest import record

EXPERIMENT = {"seed": "${hydra:job.num}", "figures": {"title": "job ${hydra:job.num}"}}
SMALL = ["width=1-1", "inputs.n=5"]


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/numbered.yaml").write_text("# @package _global_\n" + yaml.safe_dump(EXPERIMENT))
    return ["--config-dir", "own", "experiment=numbered"]


def configs(folder):
    return [record(path)["config"] for path in sorted(folder.iterdir()) if (path / "run.json").exists()]


@pytest.mark.parametrize("launcher", ["kancli", pytest.param("basic", marks=pytest.mark.slow)])
@pytest.mark.parametrize("in_file", slow_but(1, [False, True]))
def test_values_hold_the_number_of_the_job(kan_run, tmp_path, own, launcher, in_file):
    words = own if in_file else ["seed=${hydra:job.num}", "figures.title='job ${hydra:job.num}'"]
    swept = ["noise_scale=0.1,0.2,0.3", "figures.names=[]", "hydra.sweep.subdir=no_${hydra:job.num}", *SMALL]
    done = kan_run("-m", *words, *swept, "hydra.sweep.dir=sweep", f"hydra/launcher={launcher}", "sweep.workers=0")
    assert done.code == 0, done.err
    assert sorted(path.parent.name for path in tmp_path.glob("sweep/*/run.json")) == ["no_0", "no_1", "no_2"]
    for number, config in enumerate(configs(tmp_path / "sweep")):
        assert config["seed"] == number
        assert config["init"]["noise_scale"] == (0.1, 0.2, 0.3)[number]
        assert config["figures"]["title"] == f"job {number}"


def test_the_number_counts_jobs_that_are_run(kan_run, tmp_path):
    """Jobs that differ by their number alone are no duplicates; the words of each make the same single run."""
    words = ["-m", "seed=${hydra:job.num}", "noise_scale=0.1,0.1,0.2", *SMALL, "sweep.workers=0"]
    assert kan_run(*words, "hydra.sweep.dir=sweep").code == 0
    assert [config["seed"] for config in configs(tmp_path / "sweep")] == [0, 1, 2]
    rows = csv.DictReader((tmp_path / "sweep/sweep.csv").read_text().splitlines())
    replay = [row["replay"] for row in rows][2]
    assert replay == "kan-run seed=2 noise_scale=0.2 width=1-1 inputs.n=5 sweep.workers=0 figures=none"
    again = kan_run(*replay.split()[1:])
    assert again.json("run.json")["ladder"] == record(tmp_path / "sweep/2")["ladder"]


def test_jobs_of_one_seed_apart_keep_their_own_number(kan_run, tmp_path, own):
    done = kan_run("-m", *own, "seed=7,8", "figures.names=[]", *SMALL, "hydra.sweep.dir=sweep", "sweep.workers=0")
    assert done.code == 0, done.err
    found = [(config["seed"], config["figures"]["title"]) for config in configs(tmp_path / "sweep")]
    assert found == [(7, "job 0"), (8, "job 1")]


@pytest.mark.slow
def test_a_removed_job_is_resumed_with_its_number(kan_run, tmp_path, own):
    words = ["-m", *own, "noise_scale=0.1,0.2,0.3", "figures.names=[]", *SMALL, "hydra.sweep.dir=sweep"]
    assert kan_run(*words, "hydra/launcher=basic").code == 0
    before = record(tmp_path / "sweep/2")["ladder"]
    (tmp_path / "sweep/2/run.json").unlink()
    assert kan_run("resume", "sweep", "--config-dir", "own").code == 0
    assert record(tmp_path / "sweep/2")["ladder"] == before


def test_a_single_run_has_no_number(kan_run, tmp_path):
    done = kan_run("seed=${hydra:job.num}")
    assert (done.code, "${hydra:job.num}: has no value here" in done.err) == (2, True)
    assert not list(tmp_path.iterdir())
