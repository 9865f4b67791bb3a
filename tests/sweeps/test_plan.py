"""The plan of a sweep: its jobs, folders and notices, and what it does not depend on later."""

import pytest

from kancli.sweeps.plan import read_plan
from tests.sweeps.conftest import record


@pytest.mark.slow
def test_plan_drops_duplicates_and_prints_the_counts(kan_run, tmp_path):
    done = kan_run("-m", "init=default,glorot", "noise_scale=0.1,1,1.0", "seed=0,1", "--dry-run")
    assert done.code == 0
    assert "noise_scale: glorot has no such knob; left out there" in done.err
    assert "2 × 3 × 2 = 12 jobs, 6 duplicates, 6 without them, " in done.err
    (folder,) = tmp_path.glob("multirun/*/*")
    assert sorted(path.name for path in folder.iterdir()) == ["multirun.yaml", "plan.jsonl"]
    words = [job.words[:-2] for job in read_plan(folder).jobs]
    assert words == [
        ["init=default", "noise_scale=0.1", "seed=0"],
        ["init=default", "noise_scale=0.1", "seed=1"],
        ["init=default", "noise_scale=1", "seed=0"],
        ["init=default", "noise_scale=1", "seed=1"],
        ["init=glorot", "seed=0"],
        ["init=glorot", "seed=1"],
    ]
    assert kan_run("resume", str(folder)).out.splitlines()[-1].startswith("6 of 6 runs complete")


@pytest.mark.slow
def test_folders_follow_hydra_sweep_subdir(kan_run, tmp_path):
    words = [
        "init=default,linear",
        "seed=1,2",
        "hydra.sweep.dir=s",
        "hydra.sweep.subdir=${init.scheme}/${hydra.job.override_dirname}",
    ]
    done = kan_run("-m", *words)
    assert done.code == 0, done.err
    found = sorted(str(path.parent.relative_to(tmp_path / "s")) for path in tmp_path.glob("s/**/run.json"))
    assert len(found) == 4
    assert found[0].startswith("default/figures=none,init=default,")


@pytest.mark.slow
def test_later_edits_of_presets_do_not_change_a_plan(kan_run, tmp_path):
    own = tmp_path / "own/init"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("scheme: default\nnoise_scale: 0.5\nnoise_scale_base: 0\n")
    kan_run("-m", "--config-dir", "own", "init=mine,linear", "--dry-run", "hydra.sweep.dir=sweep")
    (own / "mine.yaml").write_text("scheme: glorot\n")
    assert kan_run("resume", "sweep").code == 0
    assert record(tmp_path / "sweep/0")["config"]["init"]["noise_scale"] == 0.5


def test_a_plan_with_other_semantics_is_not_resumed(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    path = tmp_path / "sweep/plan.jsonl"
    path.write_text(path.read_text().replace('"semantics": ', '"semantics": 1000', 1))
    done = kan_run("resume", "sweep")
    assert done.code == 2
    assert "planned with semantics 1000" in done.err
    assert not (tmp_path / "sweep/0").exists()


@pytest.mark.slow
def test_jobs_fail_if_their_input_file_changed_since_the_plan(kan_run, tmp_path):
    samples = tmp_path / "x.csv"
    samples.write_text("1,2\n3,4\n")
    kan_run("-m", "inputs=x.csv", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    samples.write_text("1,2\n3,5\n")
    done = kan_run("resume", "sweep")
    assert done.code == 6
    assert "has changed since the plan: the file of samples" in done.err
    assert record(tmp_path / "sweep/0")["status"] == "failed"


@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "garbage", "schema", "outside"])
def test_damaged_plans_are_reported_by_name(kan_run, tmp_path, harm):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    path = tmp_path / "sweep/plan.jsonl"
    text = path.read_text()
    if harm == "gone":
        path.unlink()
    else:
        harmed = {
            "empty": "",
            "cut": text.splitlines()[0] + "\n",
            "garbage": "\x00\x01",
            "schema": text.replace('"schema": 1', '"schema": 9'),
            "outside": text.replace('"folder": "1"', '"folder": "../1"'),
        }
        path.write_text(harmed[harm])
    done = kan_run("resume", "sweep")
    assert done.code == 2
    assert "plan.jsonl" in done.err
    assert len(done.err.splitlines()) == 1
