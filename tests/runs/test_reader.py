"""The reader of a run's folder: typed records, files on first use, and errors that name the file and the place."""

import json
import os
from pathlib import Path

import pytest

from kancli.errors import ConfigError
from kancli.runs.reader import parse_override_words, read_finished_run, read_run
from kancli.stats.verdicts import Verdict
from tests.runs.records import edit_record, reseal

RECORD = {"status": "complete", "config": {"seed": 0}, "sha256": {"files": {}}}
VERDICT = {"name": "rough", "value": 1.5, "threshold": 2, "verdict": "pass", "detail": "layer 0"}
STATS = {"schema": 2, "layers": [], "verdicts": [VERDICT]}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(RECORD))
    (tmp_path / "stats.json").write_text(json.dumps(STATS))
    edit_record(tmp_path, sha256={"files": {"stats.json": ""}})
    reseal(tmp_path)
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
    run.verify()
    assert run.tensors("params.safetensors")["layers.0.coef"].shape[0] == 3


def test_unknown_and_absent_fields_are_accepted(folder):
    """Newer runs have more fields, older ones fewer."""
    write(folder / "stats.json", STATS, verdicts=[{**VERDICT, "invented_later": 1}], invented_later=2)
    edit_record(folder, invented_later={"a": [1]})
    reseal(folder)
    run = read_run(folder)
    assert (run.record.ladder, run.record.git, run.record.overrides) == ({}, None, [])
    assert run.verdicts == [Verdict("rough", 1.5, 2, "pass", "layer 0")]


def test_files_are_read_on_first_use(folder):
    run = read_run(folder)
    assert run.stats["layers"] == []
    (folder / "stats.json").unlink()
    assert run.verdicts[0].name == "rough"
    with pytest.raises(ConfigError, match=r"damaged: stats\.json is missing"):
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


FILES = [
    "stats.json", "params.safetensors", "activations.safetensors", "figures.safetensors", "edges.csv", "layers.csv",
    "figures/network.png", ".hydra/config.yaml", "run.log", "run.json",
]  # fmt: skip


def change_a_byte(path):
    """Change one byte, of run.json one digit of its seed."""
    content = path.read_bytes()
    if path.name == "run.json":
        path.write_bytes(content.replace(b'"seed": 0', b'"seed": 1', 1))
    else:
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])


def cut(path):
    path.write_bytes(path.read_bytes()[:-1] if path.name != "run.json" else b"{")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [change_a_byte, cut])
def test_check_and_bless_verify_every_file_first(kan_run, kan_run_once, tmp_path, name, damage):
    run = kan_run_once("figures=default", "width=2-2-1")
    folder = run.out.splitlines()[-1]
    damage(run.folder / name)
    for argv in (["check", folder], ["bless", folder, "-o", "kept.json"], ["diff", folder, folder]):
        done = kan_run(*argv)
        answer = done.err + done.out
        assert done.code == 5, answer
        assert "damaged" in answer
        assert name in answer
        assert len(answer.splitlines()) == 1
    assert not (tmp_path / "kept.json").exists()


def test_a_missing_file_is_damage(kan_run, kan_run_once):
    run = kan_run_once("figures=default", "width=2-2-1")
    (run.folder / "edges.csv").unlink()
    done = kan_run("check", run.out.splitlines()[-1])
    assert (done.code, "damaged: edges.csv is missing" in done.out) == (5, True)


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("figures/")])
def test_draw_verifies_every_file_but_those_that_it_replaces(kan_run, kan_run_once, name):
    run = kan_run_once("figures=default", "width=2-2-1")
    before = (run.folder / "figures/network.png").read_bytes()
    change_a_byte(run.folder / name)
    for others in ([], [run.out.splitlines()[-1]]):
        done = kan_run("draw", run.out.splitlines()[-1], *others, "figures.style=dark")
        assert done.code == 2
        assert f"damaged: {name} is not what the run wrote" in done.err
    assert (run.folder / "figures/network.png").read_bytes() == before


def test_draw_mends_a_figure(kan_run, kan_run_once):
    run = kan_run_once("figures=default", "width=2-2-1")
    folder, path = run.out.splitlines()[-1], run.folder / "figures/network.png"
    before = path.read_bytes()
    path.write_bytes(before[:-1])
    assert kan_run("report", folder).code == 2
    assert kan_run("draw", folder).code == 2, "its content differs"
    assert path.read_bytes() == before[:-1]
    assert kan_run("draw", folder, "--overwrite").code == 0
    assert path.read_bytes() == before
    assert kan_run("report", folder).code == 0


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [change_a_byte, cut, Path.unlink])
def test_readers_of_one_run_verify_every_file(kan_run, kan_run_once, tmp_path, name, damage):
    run = kan_run_once("figures=default", "width=2-2-1")
    folder = run.out.splitlines()[-1]
    damage(run.folder / name)
    for verb in ("report", "compare"):
        done = kan_run(verb, folder)
        assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
        assert name in done.err or (name, damage) == ("run.json", Path.unlink)
    assert not (run.folder / "report.html").exists()
    assert not (tmp_path / "compare.csv").exists()


def test_a_drawn_figure_belongs_to_the_run(kan_run, kan_run_once):
    run = kan_run_once("figures=default", "width=2-2-1")
    folder = run.out.splitlines()[-1]
    assert kan_run("draw", folder, "figures=propagation").code == 0
    read_run(run.folder).verify()
    (run.folder / "figures/propagation.png").write_bytes(b"another")
    with pytest.raises(ConfigError, match=r"damaged: figures/propagation\.png is not what the run wrote"):
        read_run(run.folder).verify()


@pytest.mark.parametrize("changes", [{"seed": 1}, {"overrides": ["seed=1"]}, {"config": {}}, {"invented": 1}])
def test_an_edited_record_is_damaged(kan_run, kan_run_once, changes):
    run = kan_run_once("figures=none")
    write(run.folder / "run.json", run.json("run.json"), **changes)
    for verb in ("rerun", "draw", "report"):
        done = kan_run(verb, run.out.splitlines()[-1])
        assert (done.code, "damaged: run.json is not what the run wrote" in done.err) == (2, True)


def test_a_record_may_be_formatted_anew(kan_run, kan_run_once):
    run = kan_run_once("figures=none")
    (run.folder / "run.json").write_text(json.dumps(run.json("run.json"), sort_keys=True))
    read_run(run.folder).verify()


def test_records_of_older_runs_have_no_seal(folder):
    record = json.loads((folder / "run.json").read_text())
    write(folder / "run.json", {name: value for name, value in record.items() if name != "self_sha256"}, seed=9)
    assert read_run(folder).stats["layers"] == []


@pytest.mark.parametrize("name", ["/etc/hostname", "../outside", "a/../../outside"])
def test_files_outside_the_folder_are_no_part_of_a_run(folder, name):
    edit_record(folder, sha256={"files": {name: "0" * 64}})
    with pytest.raises(ConfigError, match=f"{name!r} is outside the run's folder"):
        read_run(folder).verify()


DEEP = '{"config": ' + '{"a":' * 70 + "1" + "}" * 70 + "}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbf" + json.dumps(RECORD).encode(), "byte order mark"),
        (json.dumps(RECORD).encode("utf-16"), "byte order mark"),
        (b'{"config": {"seed": 1e400}}', "Number out of range"),
        (b'{"config": {"seed": 1' + b"0" * 9_999 + b"}}", "out of range"),
        (b'{"config": {"seed": 1' + b"0" * 400 + b"}}", "more than 308 digits"),
        (b'{"config": {"seed": NaN}}', "JSON is malformed"),
        (b'{"status": "complete", "status": "failed"}', "the key 'status' occurs twice"),
        (DEEP.encode(), "nested more than 64 deep"),
        (DEEP.replace("1", '"]]}}"').encode(), "nested more than 64 deep"),
        (b"[" * 100_000, "recursion depth"),
    ],
)
def test_json_is_bounded(folder, content, message):
    (folder / "run.json").write_bytes(content)
    with pytest.raises(ConfigError, match=f"run.json: damaged: .*{message}"):
        read_run(folder)


@pytest.mark.parametrize("text", ["]", "[" * 70, '\\"{' * 70])
def test_brackets_in_strings_do_not_nest(folder, text):
    edit_record(folder, error=text)
    assert read_run(folder).record.error == text


def test_only_regular_files_are_read(folder):
    (folder / "run.json").unlink()
    os.mkfifo(folder / "run.json")
    with pytest.raises(ConfigError, match=r"run\.json: damaged: no plain file"):
        read_run(folder)
    (folder / "run.json").unlink()
    (folder / "run.json").symlink_to(folder / "run.json")
    with pytest.raises(ConfigError, match=r"run\.json: damaged: .*symbolic links"):
        read_run(folder)
