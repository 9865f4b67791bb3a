"""Hydra around a run: its options and its records."""

import pytest

from kancli._version import __version__
from tests.cli.test_run import FILES, files


def test_version_and_cfg(kan_run, tmp_path):
    assert kan_run("--version").out == f"kan-run {__version__}\n"
    outcome = kan_run("--cfg", "job", "grid=7", "init=linear")
    assert outcome.code == 0
    assert "size: 7" in outcome.out
    assert "base_fun: identity" in outcome.out
    assert list(tmp_path.iterdir()) == []
    assert kan_run("--cfg", "job", "k=-1").code == 2


@pytest.mark.parametrize("argv", [["-c", "job"], ["--cfg", "job"], ["--cfg=job"]])
def test_cfg_prints_the_config(kan_run, argv):
    answer = kan_run(*argv, "grid=7")
    assert answer.code == 0, answer.err
    assert "size: 7" in answer.out


@pytest.mark.parametrize("argv", [["-cd", "own"], ["--config-dir", "own"], ["--config-dir=own"], ["-cd=own"]])
def test_config_dir_in_any_spelling(kan_run, tmp_path, argv):
    (tmp_path / "own/init").mkdir(parents=True)
    (tmp_path / "own/init/mine.yaml").write_text("scheme: default\nnoise_scale: 0.5\n")
    assert "noise_scale: 0.5" in kan_run(*argv, "init=mine", "--cfg", "job").out


@pytest.mark.parametrize("word", ["-cd", "--config-dir", "--config-dir="])
def test_config_dir_needs_a_folder(kan_run, word):
    answer = kan_run("init=linear", word)
    assert answer.code == 2
    assert "name a folder" in answer.err


@pytest.mark.slow
def test_hydras_own_outputs_are_disabled(kan_run, tmp_path):
    outcome = kan_run(
        "hydra.output_subdir=foo", "hydra/job_logging=default", "hydra.job.chdir=true", "hydra.run.dir=run"
    )
    assert outcome.code == 0, outcome.err
    assert files(outcome.folder) == FILES
    assert outcome.out.splitlines()[-1] == "run"


def test_hydra_folder_records_overrides_and_config(kan_run):
    folder = kan_run("width=2-5-1", "grid=7", "noise_scale=0.5").folder
    assert (folder / ".hydra" / "overrides.yaml").read_text() == "- width=2-5-1\n- grid=7\n- noise_scale=0.5\n"
    assert "noise_scale: 0.5" in (folder / ".hydra" / "config.yaml").read_text()
    assert (folder / ".hydra" / "hydra.yaml").read_text().startswith("hydra:\n")


@pytest.mark.slow
def test_hydra_run_dir_is_not_reused(kan_run):
    outcome = kan_run("hydra.run.dir=here/it is")
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == "here/it is"
    before = files(outcome.folder)
    again = kan_run("hydra.run.dir=here/it is", "seed=1")
    assert again.code == 2
    assert "is not empty" in again.err
    assert files(outcome.folder) == before
    assert outcome.json("run.json")["seed"] == 0


@pytest.mark.parametrize("part", ["nope", "seed.x", "[", "a=tag(b,1)"])
def test_a_part_that_the_config_lacks_is_answered(kan_run, tmp_path, part):
    answer = kan_run("--cfg", "job", "-p", part)
    assert answer.code == 2
    assert f"-p {part}: no such part of the config" in answer.err
    assert len(answer.err.splitlines()) <= 2
    assert not list(tmp_path.iterdir())
