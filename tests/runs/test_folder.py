"""A run's folder: one process gets it, files appear whole, and run.json is complete last."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file

from kancli.errors import ConfigError
from kancli.runs.folder import RunFolder
from kancli.runs.fresh import check_fresh


def create(path, **head):
    return RunFolder.create(path, {"config.yaml": "a: 1\n"}, {"seed": 0, **head})


def test_status_goes_from_running_to_complete(tmp_path):
    folder = create(tmp_path / "a" / "b")
    run = tmp_path / "a" / "b" / "run.json"
    assert json.loads(run.read_text())["status"] == "running"
    folder.write("x.txt", b"hello")
    folder.close("complete", seconds={"total": 1.0})
    closed = json.loads(run.read_text())
    assert closed["status"] == "complete"
    assert closed["seed"] == 0
    assert closed["seconds"] == {"total": 1.0}
    for name, digest in closed["sha256"]["files"].items():
        assert hashlib.sha256((run.parent / name).read_bytes()).hexdigest() == digest
    assert set(closed["sha256"]["files"]) == {".hydra/config.yaml", "x.txt", "run.log"}


def test_a_folder_in_use_is_refused_and_unchanged(tmp_path):
    create(tmp_path / "run").close("complete")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match="not empty"):
        create(tmp_path / "run")
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_a_lost_race_is_reported(tmp_path, monkeypatch):
    """Two processes see an empty folder; the other one creates .hydra first."""
    monkeypatch.setattr("kancli.runs.folder.check_fresh", lambda path: None)
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    with pytest.raises(ConfigError, match="not empty"):
        create(tmp_path / "run")


def test_an_empty_folder_is_accepted_and_a_file_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    check_fresh(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        check_fresh(tmp_path / "file")
    with pytest.raises(ConfigError, match="file cannot be written; name a folder elsewhere"):
        check_fresh(tmp_path / "file" / "below")


def test_a_failed_write_leaves_the_old_file_and_no_temporary_file(tmp_path):
    folder = create(tmp_path / "run")
    folder.write("x.txt", b"old")
    with pytest.raises(TypeError, match="bytes-like object is required"):
        folder.write("x.txt", "not bytes")
    assert (tmp_path / "run" / "x.txt").read_bytes() == b"old"
    folder.write("x.txt", b"new")
    assert not list((tmp_path / "run").rglob("*.part"))


def test_tensors_are_written_unchanged_and_hashed(tmp_path):
    folder = create(tmp_path / "run")
    tensors = {"a": torch.randn(3, 4).T, "b": torch.tensor([torch.inf, torch.nan])}
    folder.write_tensors("params.safetensors", tensors)
    folder.close("complete")
    loaded = load_file(tmp_path / "run" / "params.safetensors")
    assert torch.equal(loaded["a"], tensors["a"])
    assert torch.isnan(loaded["b"][1])
    hashes = json.loads((tmp_path / "run" / "run.json").read_text())["sha256"]["tensors"]
    expected = hashlib.sha256(tensors["a"].contiguous().numpy().tobytes()).hexdigest()
    assert hashes["params.safetensors:a"] == expected


def test_nan_in_json_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        create(tmp_path / "run").write_json("x.json", {"a": float("nan")})
