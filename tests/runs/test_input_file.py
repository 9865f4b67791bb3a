"""The entry `inputs` of a record: how the file of samples was read, and where it is found again."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from kancli.config.validation import validate
from kancli.runs.input_file import NO_FILES, InputFiles, input_files_of, locate

QUICK = ["width=2-1", "figures=none", "stats=none"]
ROWS = "x;y\n0.1;0.2\n0.3;0.4\n"


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """The config of a run on a file of samples, and the entries of its record in the folder `run`."""
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text(ROWS)
    config = {"width": [2, 1], "inputs": {"kind": "file", "path": "d.csv"}}
    return config, input_files_of(validate(config), Path("run"))


def path_of(config):
    return config["inputs"]["path"]


def test_random_samples_have_no_entry():
    assert input_files_of(validate({}), Path()) == NO_FILES
    assert NO_FILES.as_json() == {}


def test_the_entry_says_how_the_file_was_read(recorded, tmp_path):
    assert list(recorded[1].as_json()) == ["inputs"]
    assert msgspec.to_builtins(recorded[1].inputs) == {
        "path": str(tmp_path / "d.csv"),
        "relative_path": "../d.csv",
        "sha256": recorded[1].inputs.sha256,
        "header": ["x", "y"],
        "sep": "semicolon",
        "columns": ["x", "y"],
        "rows": 2,
    }


def test_the_path_as_typed_is_kept_where_it_leads_to_the_file(recorded):
    assert path_of(locate(*recorded, Path("run"))) == "d.csv"


def test_the_file_is_found_from_another_folder(recorded, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert path_of(locate(*recorded, Path("../run"))) == "../d.csv"
    assert path_of(locate(*recorded, Path("nowhere/run"))) == str(tmp_path / "d.csv")


def test_another_file_of_the_name_in_the_current_folder_is_passed_over(recorded, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    Path("d.csv").write_text("1.5,2.5\n")
    assert path_of(locate(*recorded, Path("../run"))) == "../d.csv"


def test_a_record_that_moved_with_its_file_prefers_the_file_beside_it(recorded, tmp_path, monkeypatch):
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "d.csv").write_text(ROWS)
    (tmp_path / "d.csv").unlink()
    monkeypatch.chdir("/")
    assert path_of(locate(*recorded, tmp_path / "clone" / "run")) == str(tmp_path / "clone" / "d.csv")


def test_a_changed_file_is_still_located(recorded, tmp_path, monkeypatch):
    (tmp_path / "d.csv").write_text("1.5,2.5\n")
    monkeypatch.chdir("/")
    assert path_of(locate(*recorded, tmp_path / "run")) == str(tmp_path / "d.csv")


def test_a_missing_file_keeps_its_path_as_typed(recorded, tmp_path):
    (tmp_path / "d.csv").unlink()
    assert path_of(locate(*recorded, Path("run"))) == "d.csv"
    assert locate({"inputs": 3}, NO_FILES, Path()) == {"inputs": 3}


def test_an_entry_moves_with_its_record(recorded, tmp_path):
    entries = recorded[1].moved_to(tmp_path / "a" / "b")
    assert entries.inputs.relative_path == os.path.join("..", "..", "d.csv")
    assert entries.task_file is None
    assert isinstance(entries, InputFiles)


def test_the_file_of_a_task_has_an_entry_too(recorded, tmp_path, monkeypatch):
    Path("t.csv").write_text(ROWS)
    config = {"width": [1, 1], "task": {"kind": "data", "path": "t.csv"}}
    entries = input_files_of(validate(config), Path("run"))
    assert (entries.inputs, entries.task_file.relative_path) == (None, "../t.csv")
    assert entries.as_json()["task_file"]["columns"] == ["x", "y"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert locate(config, entries, Path("../run"))["task"]["path"] == "../t.csv"
    assert entries.moved_to(tmp_path / "a" / "b").task_file.relative_path == os.path.join("..", "..", "t.csv")


def test_run_json_and_the_log_say_how_the_file_was_read(kan_run, tmp_path):
    (tmp_path / "d.csv").write_text(ROWS)
    outcome = kan_run("inputs=d.csv", "hydra.run.dir=a", *QUICK)
    assert outcome.code == 0
    record = json.loads((tmp_path / "a" / "run.json").read_text())
    assert record["inputs"]["relative_path"] == "../d.csv"
    assert record["inputs"]["sep"] == "semicolon"
    log = (tmp_path / "a" / "run.log").read_text()
    assert "inputs d.csv: separator semicolon; header x, y; columns x, y; 2 rows" in log


def test_run_json_and_the_log_say_how_the_table_of_a_task_was_read(kan_run, tmp_path):
    (tmp_path / "d.csv").write_text(ROWS)
    outcome = kan_run("task=d.csv", "hydra.run.dir=a", "width=in-out", "figures=none", "stats=none", "train=none")
    assert outcome.code == 0
    record = json.loads((tmp_path / "a" / "run.json").read_text())
    assert record["task_file"]["relative_path"] == "../d.csv"
    assert "inputs" not in record
    assert "task d.csv: separator semicolon; header x, y;" in (tmp_path / "a" / "run.log").read_text()
