"""The reader of a run's folder: typed records, files on first use, and errors that name the file and the place."""

import json

import pytest

from kancli.errors import ConfigError
from kancli.runs.reader import parse_override_words, read_finished_run, read_run
from kancli.stats.verdicts import Verdict

RECORD = {"status": "complete", "config": {"seed": 0}, "sha256": {"files": {}}}
VERDICT = {"name": "rough", "value": 1.5, "threshold": 2, "verdict": "pass", "detail": "layer 0"}
STATS = {"schema": 2, "layers": [], "verdicts": [VERDICT]}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(RECORD))
    (tmp_path / "stats.json").write_text(json.dumps(STATS))
    return tmp_path


def write(path, content, **changes):
    path.write_text(json.dumps({**content, **changes}))


def test_a_run_is_read_as_written(kan_run):
    written = kan_run("noise_scale=0.3", "figures=none", "n_seeds=3")
    run = read_run(written.folder)
    record = written.json("run.json")
    for name in (
        "status",
        "config",
        "identity",
        "semantics",
        "versions",
        "git",
        "platform",
        "cpu",
        "threads",
        "ladder",
    ):
        assert getattr(run.record, name) == record[name], name
    assert run.overrides == {"noise_scale": "0.3", "figures": "none", "n_seeds": "3"}
    assert run.stats == written.json("stats.json")
    assert [verdict.as_json() for verdict in run.verdicts] == written.json("stats.json")["verdicts"]
    assert run.has_original_stats
    assert run.tensors("params.safetensors")["layers.0.coef"].shape[0] == 3


def test_unknown_and_absent_fields_are_accepted(folder):
    """Newer runs have more fields, older ones fewer."""
    write(folder / "run.json", RECORD, invented_later={"a": [1]})
    write(folder / "stats.json", STATS, verdicts=[{**VERDICT, "invented_later": 1}], invented_later=2)
    run = read_run(folder)
    assert (run.record.ladder, run.record.git, run.record.overrides) == ({}, None, [])
    assert run.verdicts == [Verdict("rough", 1.5, 2, "pass", "layer 0")]


def test_files_are_read_on_first_use(folder):
    run = read_run(folder)
    assert run.stats["layers"] == []
    (folder / "stats.json").unlink()
    assert run.verdicts[0].name == "rough"
    with pytest.raises(ConfigError, match=r"stats\.json: no such file"):
        _ = read_run(folder).stats


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": 3}, r"run.json: damaged: .*got `int` - at `\$.status`"),
        ({"config": None}, r"run.json: damaged: .*got `null` - at `\$.config`"),
        ({"threads": "2"}, r"run.json: damaged: .*got `str` - at `\$.threads`"),
        ({"overrides": [3]}, r"run.json: damaged: .*got `int` - at `\$.overrides\[0\]`"),
    ],
)
def test_a_field_of_another_type_is_named(folder, changes, message):
    write(folder / "run.json", RECORD, **changes)
    with pytest.raises(ConfigError, match=message):
        read_run(folder)


def test_nan_in_a_record_is_damage(folder):
    (folder / "run.json").write_text(json.dumps({**RECORD, "config": {"seed": float("nan")}}))
    with pytest.raises(ConfigError, match=r"run\.json: damaged: DecodeError: JSON is malformed"):
        read_run(folder)


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_a_run_that_has_not_ended_is_not_finished(folder, status):
    write(folder / "run.json", RECORD, status=status)
    assert not read_run(folder).record.has_ended
    with pytest.raises(ConfigError, match=f"not the folder of a finished run: run.json says '{status}'"):
        read_finished_run(folder)


def test_overrides_by_key():
    assert parse_override_words(["a=1", "+b.c=[x=2]", "~d", "++e="]) == {"a": "1", "b.c": "[x=2]", "d": "", "e": ""}
