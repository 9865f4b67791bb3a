"""Sweeps over samples from a file, resumed from another folder."""

import shutil

import pytest

QUICK = ["stats=none", "figures=none", "activations.n=0"]
USES = {"inputs": ["inputs=d.csv", "width=2-1"], "task": ["task=d.csv", "width=in-out", "train=none"]}


@pytest.fixture(params=USES)
def sweep(kan_run, tmp_path, request):
    """A folder with the file `d.csv` and the sweep `s`, without its job 0."""
    (tmp_path / "d.csv").write_text("0.1,0.2\n0.3,0.4\n0.5,0.7\n")
    assert kan_run("-m", "seed=1,2", *USES[request.param], *QUICK, "hydra.sweep.dir=s").code == 0
    shutil.rmtree(tmp_path / "s" / "0")
    return tmp_path


def test_a_sweep_is_resumed_from_another_folder(sweep, kan_run, monkeypatch):
    (sweep / "elsewhere").mkdir()
    (sweep / "elsewhere" / "d.csv").write_text("7,8\n")
    monkeypatch.chdir(sweep / "elsewhere")
    outcome = kan_run("resume", "../s")
    assert outcome.code == 0, outcome.err
    assert "2 of 2 runs complete" in outcome.out


def test_a_sweep_that_moved_with_its_file_is_resumed(sweep, kan_run):
    (sweep / "moved").mkdir()
    for name in ("s", "d.csv"):
        shutil.move(sweep / name, sweep / "moved" / name)
    outcome = kan_run("resume", "moved/s")
    assert outcome.code == 0, outcome.err
    assert "2 of 2 runs complete" in outcome.out


def test_a_job_over_another_file_is_refused(sweep, kan_run):
    (sweep / "d.csv").write_text("7,8\n9,8\n6,5\n")
    outcome = kan_run("resume", "s")
    assert outcome.code == 6
    assert "the file of samples" in outcome.err
