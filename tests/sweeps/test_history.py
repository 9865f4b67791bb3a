"""The list of runs and sweeps, and the words that stand for the newest of them."""

import contextlib
import json
import os

import pytest

from kancli.errors import ConfigError
from kancli.sweeps import history as history_module
from kancli.sweeps.history import resolve_latest
from tests.sweeps.conftest import process


def make(tmp_path, name, seconds, content="{}", file="run.json"):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (folder / file).write_text(content)
    os.utime(folder / file, (seconds, seconds))
    return folder


@pytest.fixture
def history(tmp_path, monkeypatch):
    """Three runs and two sweeps, none in the order of their names."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "outputs/2026-01-02/b", 100)
    make(tmp_path, "outputs/mine", 300)
    make(tmp_path, "outputs/2026-01-02/a", 200)
    make(tmp_path, "multirun/2026-01-02/z", 50, file="plan.jsonl")
    make(tmp_path, "multirun/2026-01-02/y", 60, file="multirun.yaml")
    make(tmp_path, "multirun/2026-01-02/y/0", 900)  # a job is no run of its own
    make(tmp_path, "outputs/2026-01-02/.hidden-part", 900)


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("latest", "outputs/mine"),
        ("latest~0", "outputs/mine"),
        ("latest~1", "outputs/2026-01-02/a"),
        ("latest~2/figures", "outputs/2026-01-02/b/figures"),
        ("latest-sweep", "multirun/2026-01-02/y"),
        ("latest-sweep~1", "multirun/2026-01-02/z"),
        ("later", "later"),
        ("latest.json", "latest.json"),
    ],
)
def test_latest(history, word, path):
    assert resolve_latest(word) == path


@pytest.mark.parametrize(("word", "part"), [("latest~3", "3 runs"), ("latest-sweep~2", "2 sweeps")])
def test_latest_of_too_few(history, word, part):
    with pytest.raises(ConfigError, match=part):
        resolve_latest(word)


def test_a_folder_named_latest_is_meant_itself(history, tmp_path):
    (tmp_path / "latest").mkdir()
    assert resolve_latest("latest") == "latest"


def test_ls_lists_runs_and_sweeps_newest_first(kan_run):
    first = kan_run("init=glorot", "figures=none").out.splitlines()[-1]
    assert kan_run("-m", "seed=1,2", "init=symmetric", "hydra.sweep.dir=multirun/mine").code == 0
    second = kan_run("seed=3", "figures=none", "stats=none").out.splitlines()[-1]
    rows = json.loads(kan_run("ls", "--json").out)
    assert [(row["folder"], row["kind"], row["what"], row["status"], row["verdict"]) for row in rows] == [
        (second, "run", "seed=3 figures=none stats=none", "complete", "pass"),
        (
            "multirun/mine",
            "sweep",
            "seed=1,2 init=symmetric hydra.sweep.dir=multirun/mine sweep.workers=0",
            "2 of 2",
            "fail",
        ),
        (first, "run", "init=glorot figures=none", "complete", rows[2]["verdict"]),
    ]
    assert json.loads(kan_run("ls", "multirun", "--json").out) == rows[1:2]


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_ls_cuts_no_word_on_any_terminal(kan_run, monkeypatch, columns):
    typed = ["init=glorot", "gain=1.25", "width=2-8-8-1", "grid=10", "figures=none"]
    folder = kan_run(*typed).out.splitlines()[-1]
    monkeypatch.setenv("COLUMNS", str(columns))
    out = kan_run("ls").out
    assert max(map(len, out.splitlines())) <= columns
    assert {folder, *typed, "complete"} <= set(out.split())
    assert ("what" in out) == (columns == 120), "a table where it is wide enough"


def test_ls_names_a_damaged_run(kan_run, tmp_path):
    make(tmp_path, "outputs/broken", 100, "{")
    (row,) = json.loads(kan_run("ls", "--json").out)
    assert row["status"] == "damaged"
    assert "outputs/broken/run.json" in row["what"]


def test_ls_of_runs_that_vanish_meanwhile(kan_run, tmp_path, monkeypatch):
    gone = make(tmp_path, "outputs/gone", 100)
    make(tmp_path, "outputs/broken", 90, "{")
    scandir = os.scandir

    def scan_then_remove(folder):
        found = scandir(folder)
        if str(folder) == "outputs/gone":
            entries = list(found)
            (gone / "run.json").unlink()
            return contextlib.nullcontext(entries)
        return found

    monkeypatch.setattr(history_module.os, "scandir", scan_then_remove)
    outcome = kan_run("ls", "--json")
    assert outcome.code == 0, outcome.err
    assert [row["folder"] for row in json.loads(outcome.out)] == ["outputs/broken"]


def test_ls_of_a_record_of_a_gigabyte_reads_none_of_it(kan_run, tmp_path):
    with open(make(tmp_path, "outputs/huge", 100) / "run.json", "wb") as file:
        file.truncate(2**30)
    (row,) = json.loads(kan_run("ls", "--json").out)
    assert (row["status"], row["what"]) == ("damaged", "outputs/huge/run.json: damaged: larger than 64 MB")


@pytest.mark.slow
def test_ls_of_a_name_that_is_not_utf8(tmp_path):
    folder = os.fsencode(tmp_path / "outputs") + b"/\xff"
    os.makedirs(folder)
    with open(folder + b"/run.json", "w") as file:
        file.write("{}")
    done = process(tmp_path, "ls", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["folder"] == "outputs/?"


@pytest.mark.parametrize("verb", ["draw", "report", "check", "rerun"])
def test_a_file_in_place_of_a_run(kan_run, tmp_path, verb):
    (tmp_path / "latest").write_text("x")
    outcome = kan_run(verb, "latest")
    assert outcome.code in (2, 5)
    assert "Errno" not in outcome.err + outcome.out


def test_ls_of_nothing(kan_run):
    assert kan_run("ls").out == "no runs under outputs, multirun\n"
    assert kan_run("ls", "nope").code == 2


def test_latest_stands_for_a_run_in_every_verb(kan_run, tmp_path):
    folders = [kan_run(f"seed={seed}", "stats=none").out.splitlines()[-1] for seed in (1, 2)]
    assert folders[0] in kan_run("diff", "latest~1", "latest").out
    assert "seed=2" not in kan_run("check", "latest").err
    assert kan_run("check", "latest").out.startswith(f"{folders[1]}: match")
    assert kan_run("report", "latest").out == f"{folders[1]}/report.html\n"
    assert kan_run("resume", "latest-sweep").code == 2


@pytest.fixture
def desktop(tmp_path, monkeypatch):
    """A desktop whose program writes down what it is asked to open, through a pipe that its reader waits on."""
    os.mkfifo(tmp_path / "asked")
    program = tmp_path / "bin/xdg-open"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setenv("DISPLAY", ":7")
    return tmp_path / "asked"


def test_open_asks_the_desktop(kan_run, tmp_path, desktop):
    folder = kan_run("stats=none", "hydra.run.dir=outputs/a").out.splitlines()[-1]
    assert kan_run("open").out == f"{folder}/figures/network.png\n"
    assert desktop.read_text() == f"{tmp_path}/{folder}/figures/network.png\n"
    assert kan_run("report", folder).code == 0
    assert kan_run("open", folder).out == f"{folder}/report.html\n"
    assert desktop.read_text() == f"{tmp_path}/{folder}/report.html\n"


def test_open_without_a_desktop_prints_the_path(kan_run, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    folder = kan_run("stats=none").out.splitlines()[-1]
    assert kan_run("open", "latest").out == f"{folder}/figures/network.png\n"


def test_open_of_nothing(kan_run):
    folder = kan_run("stats=none", "figures=none").out.splitlines()[-1]
    assert "kan-run report" in kan_run("open").err
    assert "no such folder" in kan_run("open", "nope").err
    kan_run("stats=none", "figures=none", "hydra.run.dir=a b")
    assert kan_run("open", "a b").err.endswith("type kan-run report 'a b'\n")
    assert "name one folder" in kan_run("open", folder, folder).err
