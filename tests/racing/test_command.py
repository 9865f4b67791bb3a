"""kan-run race: its files, the line that it prints, resuming, and its answers to mistakes."""

import csv
import json
import math
import os
import shlex
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

from kancli.racing.reader import read_race
from kancli.runs.hashes import seal
from tests.runs.interrupted import race_interrupted_after_a_round
from tests.sweeps.conftest import KAN_RUN

SMALL = ["task.n=60", "task.test_n=40", "width=in-2-out", "train.steps=16", "train.compile=false", "race.seeds=3"]
WORDS = ["task=f1", "init=default,glorot,lecun,kat", *SMALL]


@pytest.mark.slow
def test_the_files_hold_one_race_and_the_printed_line_runs(kan_run, tmp_path):
    done = kan_run("race", *WORDS, "hydra.sweep.dir=race")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-3:] == ["race/race.json", "race/race.csv", "race/figures/race.png"]
    assert {path.name for path in (tmp_path / "race").iterdir()} == {"race.json", "race.csv", "run.log", "figures"}
    record = read_race(tmp_path / "race")
    answer = record.answer
    assert answer.sentence in " ".join(done.out.split())
    rows = list(csv.DictReader((tmp_path / "race/race.csv").read_text().splitlines()))
    assert len(rows) == 4 * 3 + len(record.final.entries) * 3
    for entry in record.final.entries:
        own = [row for row in rows if (row["round"], row["candidate"]) == ("final", entry.candidate)]
        tests = [float(row["test_loss"]) for row in own]
        assert [row["seed"] for row in own] == ["3", "4", "5"]
        assert entry.test == pytest.approx(math.exp(np.log(tests).mean()))
    tests, selecting = (
        {entry.candidate: float(getattr(entry, use)) for entry in record.final.entries}
        for use in ("test", "validation")
    )
    assert answer.to_runner_up.ratio == pytest.approx(tests[answer.winner] / tests[answer.runner_up])
    assert selecting[answer.winner] <= selecting[answer.runner_up]
    line = next(line for line in done.out.splitlines() if line.startswith("  kan-run "))
    run = kan_run(*shlex.split(line)[1:], "figures=none")
    assert run.code == 0, run.err
    config = json.loads((run.folder / "run.json").read_text())["config"]
    assert config["init"]["scheme"] == answer.winner
    assert (config["train"]["steps"], config["train"]["compile"]) == (16, False), "the line was cut at 80 columns"
    listed = json.loads(kan_run("ls", ".", "--json").out)
    assert [(row["folder"], row["kind"], row["status"]) for row in listed if row["kind"] == "race"] == [
        ("race", "race", "complete")
    ]
    assert kan_run("report", "race").code == 0
    page = (tmp_path / "race/report.html").read_text()
    assert answer.sentence.replace("'", "&#39;") in page
    assert line.strip() in page
    assert page.count("data:image/png;base64,") == 1
    for verb in ("rank", "collect", "resume"):
        refused = kan_run(verb, "race")
        assert refused.code == 2
        assert "race" in refused.err
        assert refused.err.count("\n") <= 3


def wait_for_a_round(folder):
    deadline = time.monotonic() + 120
    while not (folder / "race.json").exists() or not read_race(folder).rounds:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def assert_same_race(mine, theirs):
    volatile = {"seconds", "self_sha256", "candidates"}  # those of the candidates hold the seconds of a step
    one, other = (json.loads((folder / "race.json").read_text()) for folder in (mine, theirs))
    assert {key: one[key] for key in one.keys() - volatile} == {key: other[key] for key in other.keys() - volatile}
    assert (mine / "race.csv").read_bytes() == (theirs / "race.csv").read_bytes()


@pytest.mark.slow
def test_a_race_that_is_killed_or_interrupted_ends_as_one_that_was_not(kan_run, tmp_path):
    words = ["race", *WORDS, "train.steps=60", "race.seeds=6"]
    assert kan_run(*words, "hydra.sweep.dir=whole").code == 0
    command = [*KAN_RUN, *words, "hydra.sweep.dir=killed"]
    killed = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_a_round(tmp_path / "killed")
    killed.kill()
    assert killed.wait(60) == -signal.SIGKILL

    def interrupt():
        wait_for_a_round(tmp_path / "stopped")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    stopped = kan_run(*words, "hydra.sweep.dir=stopped")
    thread.join()
    assert stopped.code == 130
    assert "go on with: kan-run resume stopped" in stopped.err
    assert (tmp_path / "stopped/figures/race.png").exists()
    for name in ("killed", "stopped"):
        resumed = kan_run("resume", name)
        assert resumed.code == 0, resumed.err
        assert_same_race(tmp_path / name, tmp_path / "whole")


@pytest.mark.slow
def test_mistakes_exit_with_a_message_and_leave_nothing(kan_run, tmp_path):
    np.savetxt(tmp_path / "five.csv", np.arange(15.0).reshape(5, 3), delimiter=",")
    rows = np.arange(300.0).reshape(100, 3)
    rows[3, 2] = np.nan
    np.savetxt(tmp_path / "nan.csv", rows, delimiter=",")
    for words, message in [
        ([], "race: name the task"),
        (["task=f1", "init=glorot", *SMALL], "race: one candidate, glorot"),
        (["task=five.csv"], "of 5 rows 1 select and 1 test; a race needs 5 of each"),
        (["task=nan.csv"], "nan.csv"),
        (["task=none.csv"], "none.csv"),
        ([*WORDS, "race.minutes=0"], "race.minutes=0: allowed: finite number, > 0"),
        ([*WORDS, "race.minuets=3"], "race.minuets=3: allowed: race.minutes"),
        ([*WORDS, "race.seeds=3,4"], "is the same for the whole race"),
        ([*WORDS, "train.steps=1000000", "race.minutes=0.001"], "candidates take about"),
    ]:
        outcome = kan_run("race", *words, "hydra.sweep.dir=race")
        assert outcome.code == 2, (words, outcome.err)
        assert message in outcome.err
        assert len([line for line in outcome.err.splitlines() if line]) <= 4
        assert not (tmp_path / "race").exists()


def test_resume_refuses_other_options_and_an_edited_record_even_with_its_hash_renewed(kan_run, tmp_path):
    words = [*WORDS, "init=default,glorot", "train.steps=2", "hydra.sweep.dir=race"]
    assert kan_run("race", *words).code == 0
    for word in ("race.seeds=8", "race.minuets=5", "grid=3"):  # of the default, of no key, of a sweep
        refused = kan_run("resume", "race", "race.minutes=9", word)
        assert (refused.code, f"{word}: a race goes on as it was; allowed: race.minutes=10" in refused.err) == (2, True)
    path = tmp_path / "race/race.json"
    whole = json.loads(path.read_text())
    for edit, message in [
        ({"final_steps": 3}, "its final is not one of its steps and looks"),
        ({"batches": [[[7, 0]]]}, "its batches are not those of its candidates"),
        ({"candidates": whole["candidates"][:1]}, "its rounds are not those of its candidates"),
        ({"final": {**whole["final"], "seeds": [3, 4]}}, "its losses are not those of its seeds"),
        ({"options": {**whole["options"], "seeds": -5}}, "race.seeds=-5: allowed: integer, 2 to 1000"),
        ({"typed": 3}, "Expected `array`"),
    ]:
        path.write_text(json.dumps(seal({**whole, **edit})))
        for verb in ("resume", "report"):
            refused = kan_run(verb, "race")
            assert refused.code == 2
            assert f"race/race.json: damaged: {message}" in refused.err or message in refused.err
    path.write_text(json.dumps({**whole, "status": "running"}))
    assert "damaged: is not what the race wrote" in kan_run("resume", "race").err


def test_a_race_in_which_all_diverge_exits_with_3(kan_run):
    done = kan_run("race", *WORDS, "train.optimizer=sgd", "train.lr=1e5", "hydra.sweep.dir=race")
    assert done.code == 3
    assert "race: every network diverged within 10 steps; take a smaller train.lr" in done.err
    assert "race has ended (failed)" in kan_run("resume", "race").err


def test_damaged_records_are_refused(kan_run, tmp_path):
    (tmp_path / "race").mkdir()
    path = tmp_path / "race/race.json"
    for content, message in [
        (b"{}", "has schema null"),
        (b'{"schema": 1}', "damaged"),
        (b"\xff", "damaged"),
        (b"[" * 100_000, "damaged"),
    ]:
        path.write_bytes(content)
        outcome = kan_run("resume", "race")
        assert outcome.code == 2
        assert message in outcome.err
        assert kan_run("ls", ".").code == 0


@pytest.mark.slow
def test_resume_waits_for_no_pipe(kan_run, tmp_path):
    with race_interrupted_after_a_round():
        assert kan_run("race", *WORDS, "hydra.sweep.dir=race").code == 130
    (tmp_path / "race/run.log").unlink()
    os.mkfifo(tmp_path / "race/run.log")
    answer = kan_run("resume", "race")
    assert (answer.code, "run.log: damaged: no plain file" in answer.err) == (2, True)
