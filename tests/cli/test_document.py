"""--json: one document on stdout for every verb, with the numbers of the files."""

import json

import pytest

from kancli.cli.verbs import VERBS
from kancli.stats.glossary import SECTIONS


@pytest.fixture
def runs(kan_run):
    """Two runs."""
    return [kan_run(f"seed={seed}", "figures=none", f"hydra.run.dir=outputs/{seed}").folder for seed in (1, 2)]


RACED = ["task=f1", "width=in-2-out", "train.steps=2", "task.n=50"]

# Words for every verb, and the keys of their documents; None where these are not fixed.
CALLS = {
    "explain": (["glorot"], ["law", "task", "layers", "values"]),
    "draw": (["latest", "figures=activations"], ["files"]),
    "check": (["latest"], None),
    "bless": (["latest", "-o", "b.json"], ["files"]),
    "diff": (["latest", "latest"], ["runs", "inputs", "task", "model", "config", "environment", "rungs", "statistics"]),
    "rerun": (["latest", "stats=none"], ["folder", "status", "identity", "stats"]),
    "resume": (["multirun/m"], None),
    "collect": (["outputs", "-o", "table"], None),
    "compare": (["latest", "latest~1", "-o", "both"], ["files", "columns"]),
    "rank": (["multirun/m"], ["files", "ranking"]),
    "race": ([*RACED, "race.seeds=2", "init=baseline,glorot"], ["files", "race"]),
    "export": (["latest", "--to", "pykan", "-o", "model.pt"], ["file", "what", "lines"]),
    "report": (["multirun/m"], ["files"]),
    "help": (["init"], ["text"]),
    "ls": ([], None),
    "open": (["multirun/m"], ["file"]),
}


@pytest.mark.slow
def test_every_verb_has_a_document(kan_run, runs):
    assert kan_run("-m", *RACED, "init=baseline,glorot", "seed=1,2", "hydra.sweep.dir=multirun/m").code == 0
    assert CALLS.keys() == VERBS.keys()
    for verb, (words, keys) in CALLS.items():
        outcome = kan_run(verb, *words, "--json")
        assert outcome.code == 0, outcome.err
        document = json.loads(outcome.out)
        assert keys is None or list(document) == keys, verb
        assert document


def test_document_of_a_run(kan_run):
    document = json.loads(kan_run("--json", "init=glorot", "figures=none", "hydra.run.dir=a").out)
    (listed,) = json.loads(kan_run("ls", ".", "--json").out)
    assert document["folder"] == listed["folder"] == "a"
    assert document["status"] == "complete"
    assert document["stats"]["verdicts"][0]["name"] == "non_finite"


def test_document_of_a_sweep_is_its_summary(kan_run, tmp_path):
    outcome = kan_run("-m", "seed=1,2", "stats=none", "hydra.sweep.dir=m", "--json")
    summary = json.loads((tmp_path / "m/summary.json").read_text())
    assert json.loads(outcome.out) == {"folder": "m", **summary}
    assert json.loads(kan_run("resume", "m", "--json").out) == {"folder": "m", **summary}
    assert summary["verdicts"] == {"pass": 2}


def test_a_summary_is_read_again_for_the_document_alone(kan_run, monkeypatch):
    """That of a large sweep takes gigabytes."""
    monkeypatch.setattr("kancli.cli.document.document_of_sweep", lambda folder: pytest.fail("it is read"))
    assert kan_run("-m", "seed=1,2", "stats=none", "hydra.sweep.dir=m").code == 0
    assert kan_run("resume", "m").code == 0
    assert kan_run("collect", "m").code == 0


def test_an_error_is_in_the_document(kan_run):
    outcome = kan_run("init=glorot", "gain=1e37", "figures=none", "hydra.run.dir=a", "--json")
    assert outcome.code == 3
    document = json.loads(outcome.out)
    assert document["folder"] == "a"
    assert document["exit_code"] == 3
    assert f"kan-run: {document['error']}\n" == outcome.err
    outcome = kan_run("seed=x", "--json")
    assert json.loads(outcome.out) == {"error": outcome.err.removeprefix("kan-run: ").strip(), "exit_code": 2}


def test_the_definitions_as_a_document(kan_run):
    assert json.loads(kan_run("explain", "stats", "--json").out) == SECTIONS
    (section,) = json.loads(kan_run("explain", "ntk.trace", "--json").out).values()
    assert section == {"ntk.trace": SECTIONS["whole network"]["ntk.trace"]}


def test_the_law_as_a_document(kan_run):
    document = json.loads(kan_run("explain", "init=default", "width=4-3", "--json").out)
    (layer,) = document["layers"]
    assert layer["laws"]["scale_base"]["mean"] == 0.5
    assert layer["laws"]["coef"]["std"] == pytest.approx(0.1 / 5)
    assert document["values"]["width"] == {"value": [4, 3], "origin": "command line"}


@pytest.mark.parametrize(
    "words",
    [
        ["chek"],
        ["--bogus"],
        ["-p"],
        ["resume", "m", "--only"],
        ["allow_code=maybe"],
        ["--config-dir"],
        ["draw", "latest~5"],
        ["ls", "nope"],
        ["--info", "nope"],
        ["\udcff"],
        ["hydra/launcher=nope", "-m", "seed=1,2"],
        ["hydra.run.dir=/dev/null/x", "figures=none"],
    ],
    ids=repr,
)
def test_any_mistake_is_in_the_document(kan_run, tmp_path, words):
    outcome = kan_run(*words, "--json")
    document = json.loads(outcome.out)
    assert document == {"error": outcome.err.replace("kan-run: ", "").rstrip("\n"), "exit_code": 2}
    assert outcome.code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words", [["--cfg", "job"], ["--info", "defaults"], ["-h"], ["draw", "-h"], ["--version"], ["-sc", "install=bash"]]
)
def test_texts_are_in_the_document(kan_run, words):
    text = kan_run(*words).out
    assert len(text) > 10
    assert json.loads(kan_run(*words, "--json").out)["text"].strip() == text.strip()


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (KeyboardInterrupt(), "interrupted by SIGINT", 130),
        (ZeroDivisionError("x"), "internal error: ZeroDivisionError: x; HYDRA_FULL_ERROR=1 shows where", 1),
    ],
)
def test_what_ends_a_verb_is_in_the_document_with_what_was_known(kan_run, monkeypatch, error, message, code):
    def run(args, presets):
        args.document = {"folder": "a"}
        print("half a table")
        raise error

    monkeypatch.setattr("kancli.cli.ls.run", run)
    outcome = kan_run("ls", "--json")
    assert json.loads(outcome.out) == {"folder": "a", "error": message, "exit_code": code}
    assert (outcome.code, outcome.err) == (code, f"kan-run: {message}\n")
