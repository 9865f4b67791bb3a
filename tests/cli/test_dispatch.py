"""The verbs of kan-run: where they and their options may stand, and what loading them costs."""

import contextlib
import os
import shlex
import subprocess
import sys

import pytest

from kancli.cli.dispatch import main
from kancli.cli.verbs import VERBS

KAN_RUN = [sys.executable, "-m", "kancli"]
HEAVY = {"torch", "numpy", "matplotlib", "scipy", "rich", "pandas", "pyarrow"}


def write_preset(folder):
    (folder / "own/init").mkdir(parents=True)
    (folder / "own/init/mine.yaml").write_text("scheme: default\nnoise_scale: 0.5\n")


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "init=mine", "--config-dir", "own"],
        ["explain", "--config-dir=own", "init=mine"],
        ["--config-dir", "own", "explain", "init=mine"],
        ["-cd", "own", "explain", "init=mine"],
        ["--config-dir=own", "explain", "init=mine"],
    ],
    ids=" ".join,
)
def test_config_dir_may_stand_before_or_after_a_verb(kan_run, tmp_path, words):
    write_preset(tmp_path)
    outcome = kan_run(*words)
    assert outcome.code == 0, outcome.err
    assert "preset init=mine" in outcome.out


@pytest.mark.parametrize("words", [["-c", "job", "rerun"], ["--cfg=job", "rerun"], ["rerun", "--cfg", "job"]])
def test_options_may_stand_before_a_verb(kan_run, kan_run_once, words):
    folder = kan_run_once("figures=none").out.splitlines()[-1]
    outcome = kan_run(*words, folder, "seed=7")
    assert outcome.code == 0, outcome.err
    assert "seed: 7" in outcome.out


def test_options_of_a_verb_may_stand_before_it(kan_run):
    assert "--jobs 0: allowed: 1 or more" in kan_run("--jobs", "0", "check", "x").err


@pytest.mark.parametrize("verb", VERBS)
def test_unknown_option_of_a_verb(kan_run, verb):
    outcome = kan_run(verb, "--fast")
    assert outcome.code == 2
    assert outcome.err == f"kan-run: --fast: {verb} has no such option; kan-run help {verb} lists them\n"


@pytest.mark.parametrize(
    ("word", "row"),
    [
        ("++seed=3", "seed 3 command line"),
        ("inputs.mean=-1", "inputs.mean -1 command line"),
    ],
)
def test_every_form_of_override_reaches_a_verb(kan_run, word, row):
    outcome = kan_run("explain", word)
    assert row in [" ".join(line.split()) for line in outcome.out.splitlines()], outcome.err


@pytest.mark.parametrize("word", ["~seed", "+grid.eps=x", "seed:1"])
def test_a_wrong_override_has_one_answer_in_a_run_and_in_a_verb(kan_run, word):
    outcome = kan_run("explain", word)
    assert outcome.code == 2
    assert word.lstrip("+") in outcome.err
    assert outcome.err == kan_run(word).err


LIGHT = [["--help"], ["explain", "init=gloro"], ["seed=x"], ["check", "--fast"], *([verb, "--help"] for verb in VERBS)]
PROGRAM = """
import sys
from kancli.cli import main

try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", LIGHT, ids=" ".join)
def test_help_and_mistakes_load_nothing_heavy(words):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("word", "verb"), [("chek", "check"), ("drw", "draw"), ("explane", "explain"), ("resme", "resume"), ("dif", "diff")]
)
def test_misspelt_verb(kan_run, word, verb):
    outcome = kan_run(word, "x", "seed=1")
    assert outcome.code == 2
    assert outcome.err == f"kan-run: {word}: no such verb; did you mean {verb}? kan-run help lists all\n"


@pytest.mark.slow
def test_a_preset_is_not_answered_as_a_misspelt_verb(kan_run, presets):
    for preset in (preset for group in presets.groups() for preset in presets.options(group)):
        assert "no such verb" not in kan_run(preset).err


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["check"], "check: name a blessed file or the folder of a run"),
        (["check", "x", "--jobs", "0"], "--jobs 0: allowed: 1 or more"),
        (["bless"], "bless: name a run and a file"),
        (["bless", "x"], "bless x: name the file to write"),
        (["bless", "x", "y", "-o", "f"], "bless x y: allowed: one run for one file"),
        (["bless", "--update", "x", "-o", "f"], "bless -o f: --update replaces the files"),
        (["diff", "a"], "diff a: name two folders"),
        (["diff", "a", "b", "c"], "diff a b c: name two folders"),
        (["draw", "figures=all"], "draw: name the folder of a run"),
        (["resume", "a", "b"], "resume a b: name the folder of one sweep"),
        (["collect"], "collect: name the folders of sweeps"),
        (["collect", "nowhere"], "nowhere: no such folder"),
        (["compare"], "compare: name folders of runs or sweeps, or presets"),
        (["compare", "default", "default"], "compare: 1 column; allowed: 2 to 40"),
        (["report", "a", "b"], "report a b: name the folder"),
        (["rerun", "seed=1"], "rerun: name the folder of a run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_of_a_verb_is_one_line_and_leaves_nothing(kan_run, tmp_path, words, answer):
    outcome = kan_run(*words)
    assert outcome.code == 2
    assert outcome.err.startswith("kan-run: ")
    assert answer in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def no_reader():
    """A text stream to a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = open(writing, "w")  # noqa: SIM115 - closed below
    yield stream
    with contextlib.suppress(BrokenPipeError):
        stream.close()


UNREAD = {"stdout": ["stdout"], "both": ["stdout", "stderr"]}


@pytest.mark.slow
@pytest.mark.parametrize("streams", [*UNREAD, "closed"])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["check", "drift.json"], 4),
        (["collect", "sweep"], 6),
        (["noise_scale=1e30", "base_fun=square", "figures=none"], 3),
    ],
)
def test_the_exit_code_does_not_depend_on_the_reader(kan_run, tmp_path, monkeypatch, no_reader, words, code, streams):
    if words[0] == "check":
        folder = kan_run("figures=none").out.splitlines()[-1]
        assert kan_run("bless", folder, "-o", "drift.json").code == 0
        baseline = tmp_path / "drift.json"
        baseline.write_text(baseline.read_text().replace('"seed": 0', '"seed": 1'))
    elif words[0] == "collect":
        kan_run("-m", "noise_scale=1e30,0.1", "base_fun=square", "hydra.sweep.dir=sweep")
    assert kan_run(*words).code == code
    for name in UNREAD.get(streams, ["stdout"]):
        monkeypatch.setattr(sys, name, no_reader if streams in UNREAD else None)  # as Python starts with a closed one
    assert main(words) == code
    sys.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("redirection", ["| true", ">&-"])
def test_the_exit_code_of_a_process_does_not_depend_on_the_reader(tmp_path, redirection):
    words = ["noise_scale=1e30", "base_fun=square", "figures=none"]
    command = f"set -o pipefail; {shlex.join([*KAN_RUN, *words])} {redirection}"
    assert subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True).returncode == 3


@pytest.mark.slow
def test_a_check_goes_on_when_its_reader_has_gone(kan_run, tmp_path):
    folder = kan_run("figures=none").out.splitlines()[-1]
    assert kan_run("bless", folder, "-o", "kept.json").code == 0
    words = shlex.join([*KAN_RUN, "check", folder, "kept.json", "--junit", "check.xml"])
    command = f"set -o pipefail; {words} | grep -q match"
    assert subprocess.run(["bash", "-c", command], cwd=tmp_path).returncode == 0
    assert (tmp_path / "check.xml").read_text().count("<testcase") == 2


@pytest.mark.parametrize("words", [["inputs='gr\udcf6.csv'"], ["check", "gr\udcf6"], ["-m", "title=\udcf6"]])
def test_a_word_that_is_not_utf8_is_refused(kan_run, tmp_path, words):
    outcome = kan_run(*words, "hydra.run.dir=a")
    assert outcome.code == 2
    assert "\\xf6" in outcome.err
    assert "not UTF-8" in outcome.err
    assert not any(tmp_path.iterdir())


def test_a_current_folder_that_is_not_utf8_is_refused(kan_run, tmp_path, monkeypatch):
    folder = tmp_path / "gr\udcf6"
    folder.mkdir()
    monkeypatch.chdir(folder)
    outcome = kan_run("-m", "seed=1,2", "stats=none")
    assert outcome.code == 2
    assert "not UTF-8" in outcome.err
    assert not any(folder.iterdir())


@pytest.mark.parametrize("words", [["collect", "r"], ["report", "r"], ["check", "r/*", "--junit", "j.xml"]])
def test_a_run_in_a_folder_that_is_not_utf8_is_refused(kan_run, tmp_path, words):
    (tmp_path / "r" / "gr\udcf6").mkdir(parents=True)
    (tmp_path / "r" / "gr\udcf6" / "run.json").write_text("{}")
    outcome = kan_run(*words)
    assert outcome.code == 2
    assert "\\xf6: not UTF-8" in outcome.err


@pytest.mark.slow
def test_the_collector_has_nothing_to_look_through_as_python_ends():
    code = "import atexit, gc; from kancli.cli import main; main(['--version'])\n"
    code += "atexit._run_exitfuncs(); print(gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) > 10_000
