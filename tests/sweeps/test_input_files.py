"""Sweeps over samples or a model from a file, resumed from another folder."""

import shutil

import pytest
import torch

import kancli
from tests.alike import slow_but

QUICK = ["stats=none", "figures=none", "activations.n=0"]
USES = {
    "inputs": ["inputs=d.csv", "width=2-1"],
    "task": ["task=d.csv", "width=in-out", "train=none"],
    "model": ["model=d.pt"],
}


def write_file(folder, use, *, seed=0):
    """The file that a run uses, with other content for each seed; return its name."""
    if use == "model":
        torch.save(kancli.write(kancli.KAN([2, 1], seed=seed), "pykan"), folder / "d.pt")
        return "d.pt"
    (folder / "d.csv").write_text(f"0.1,0.2\n0.3,0.4\n0.5,0.{7 + seed}\n")
    return "d.csv"


@pytest.fixture(params=USES)
def sweep(kan_run, tmp_path, request):
    """A folder with the file that the sweep `s` uses, and the sweep without its job 0; and what it uses."""
    write_file(tmp_path, request.param)
    assert kan_run("-m", "seed=1,2", *USES[request.param], *QUICK, "hydra.sweep.dir=s").code == 0
    shutil.rmtree(tmp_path / "s" / "0")
    return tmp_path, request.param


@pytest.mark.parametrize("sweep", slow_but(1, USES), indirect=True)
def test_a_sweep_is_resumed_from_another_folder(sweep, kan_run, monkeypatch):
    folder, use = sweep
    (folder / "elsewhere").mkdir()
    write_file(folder / "elsewhere", use, seed=1)
    monkeypatch.chdir(folder / "elsewhere")
    outcome = kan_run("resume", "../s")
    assert outcome.code == 0, outcome.err
    assert "2 of 2 runs complete" in outcome.out


@pytest.mark.parametrize("sweep", slow_but(1, USES), indirect=True)
def test_a_sweep_that_moved_with_its_file_is_resumed(sweep, kan_run):
    folder, use = sweep
    (folder / "moved").mkdir()
    for name in ("s", write_file(folder, use)):
        shutil.move(folder / name, folder / "moved" / name)
    outcome = kan_run("resume", "moved/s")
    assert outcome.code == 0, outcome.err
    assert "2 of 2 runs complete" in outcome.out


def test_a_job_over_another_file_is_refused(sweep, kan_run):
    folder, use = sweep
    write_file(folder, use, seed=1)
    outcome = kan_run("resume", "s")
    assert outcome.code == 6
    assert "has changed since the plan: the file of samples, of the task or of the model" in outcome.err
