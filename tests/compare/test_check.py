"""kan-run check and bless: their answers, exit codes and files."""

import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from kancli import __version__, seeding
from kancli.config import identity

CASES = {
    "default": [],
    "an ensemble": ["n_seeds=3", "stats=full", "stats.ntk.n=20"],
    "standardised bases, no activations kept": ["init=lecun_norm", "activations.n=0"],
    "adapted knots": ["grid.adapt=samples", "dtype=float64"],
    "no statistics": ["stats=none"],
}


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_run_matches_its_record(kan_run, case, tmp_path):
    run = kan_run(*CASES[case], "figures=none")
    folder = run.out.splitlines()[-1]
    assert kan_run("bless", folder, "-o", "kept.json").out == "kept.json\n"
    before = tree(tmp_path)
    checked = kan_run("check", folder, "kept.json")
    assert checked.code == 0, checked.err
    assert checked.out.splitlines() == [f"{name}: match (exact: same environment)" for name in (folder, "kept.json")]
    assert tree(tmp_path) == before, "nothing was written"


def test_the_ladder_is_in_the_order_of_the_computation(kan_run):
    run = kan_run("width=2-3-1", "init=pykan_0_0_5", "figures=none").json("run.json")
    parameters = [
        f"layer {layer} {name}" for layer in (0, 1) for name in ("coef", "scale_base", "scale_sp", "bias", "knots")
    ]
    within = [f"layer {layer} {name}" for layer in (0, 1) for name in ("preacts", "spline", "postacts")]
    assert list(run["ladder"]) == ["config", "inputs", *parameters, *within, "output", "statistics"]
    assert run["ladder"]["config"] == run["identity"]
    assert run["ladder"]["layer 1 coef"] == run["sha256"]["tensors"]["params.safetensors:layers.1.coef"]
    assert run["git"] is None or len(run["git"]["commit"]) == 40
    assert run["cpu"]["capability"]


def test_another_config_is_drift(kan_run, kept):
    name = kept(lambda content: content["config"]["init"].update(noise_scale=0.3))
    checked = kan_run("check", name)
    assert checked.code == 4
    first, parting, *rows = checked.out.splitlines()
    assert first == f"{name}: drift (exact: same environment)"
    assert parting == "  first difference: config"
    assert len(rows) == 5


def test_the_first_stage_that_differs_is_named(kan_run, kept, monkeypatch):
    """A stream yields other numbers for one purpose, as after a change of the code."""
    name = kept(lambda _: None)
    streams = seeding.streams

    def changed_streams(seeds, purpose):
        return streams(seeds, purpose + "!" if purpose == "layer 1/coef" else purpose)

    monkeypatch.setattr("kancli.inits.initialise.streams", changed_streams)
    checked = kan_run("check", name)
    assert checked.code == 4
    assert checked.out.splitlines()[1] == "  first difference: layer 1 coef (equal up to layer 0 knots)"
    differences = [float(line.rpartition("(")[2].split()[0]) for line in checked.out.splitlines()[2:]
             if "sampling errors" in line]  # fmt: skip
    assert len(differences) > 1
    assert differences == sorted(differences, reverse=True)


def test_other_environments_allow_differences_by_rounding_only(kan_run, kept):
    def elsewhere(factor):
        def change(content):
            content["environment"]["threads"] = 64
            content["ladder"]["statistics"] = "0" * 64
            content["stats"]["layers"][0]["output"]["rms"] *= factor

        return change

    near, far = kept(elsewhere(1 + 1e-6), "near.json"), kept(elsewhere(1.01), "far.json")
    checked = kan_run("check", near)
    threads = json.loads(kan_run("check", "--json", near).out)[0]["why"][0].split()[1]
    assert checked.code == 0
    assert checked.out.splitlines() == [
        f"near.json: match within tolerance (close: threads {threads} instead of 64)",
        "  first difference: statistics (equal up to output)",
    ]
    checked = kan_run("check", far)
    assert checked.code == 4
    assert "layers.0.output.rms: " in checked.out.splitlines()[2]
    same = kept(lambda content: content["environment"].update(threads=64), "same.json")
    assert kan_run("check", same).out == f"same.json: match (close: threads {threads} instead of 64)\n"


def test_the_same_environment_allows_no_difference(kan_run, kept):
    def change(content):
        content["ladder"]["layer 0 postacts"] = "0" * 64

    checked = kan_run("check", kept(change))
    assert checked.code == 4
    assert checked.out.splitlines()[1] == "  first difference: layer 0 postacts (equal up to layer 0 spline)"


def test_a_changed_statistic_is_named(kan_run, kept):
    def change(content):
        content["ladder"]["statistics"] = "0" * 64
        content["stats"]["layers"][1]["output"]["rms"] *= 1 + 1e-15

    checked = kan_run("check", kept(change))
    assert checked.code == 4
    _, first, row = checked.out.splitlines()
    assert first == "  first difference: statistics (equal up to output)"
    assert row.startswith("  layers.1.output.rms: ")


def test_a_statistic_of_another_kancli_has_a_hint(kan_run, kept):
    def change(content):
        content["ladder"]["statistics"] = "0" * 64
        content["stats"]["layers"][1]["output"]["rms"] *= 1 + 1e-15
        content["environment"] |= {"git": {"commit": "0123456789", "dirty": False}}

    name = kept(change)
    checked = kan_run("check", name)
    assert checked.code == 4
    *_, hint = checked.out.splitlines()
    assert hint.startswith(f"  recorded by kancli {__version__} 0123456, this is {__version__} ")
    assert hint.endswith("if CHANGELOG.md explains the change, bless the run again")
    (document,) = json.loads(kan_run("check", name, "--json").out)
    assert f"  {document['hint']}" == hint


def test_a_key_that_is_gone_drifts(kan_run, kept, monkeypatch):
    config_of = identity.config_of

    def without_base_fun(settings, **options):
        return {name: value for name, value in config_of(settings, **options).items() if name != "base_fun"}

    name = kept(lambda _: None)
    monkeypatch.setattr(identity, "config_of", without_base_fun)
    checked = kan_run("check", name)
    assert checked.code == 4
    assert checked.out.splitlines()[1] == "  first difference: config"


def test_drift_takes_precedence_over_inconclusive(kan_run, kept):
    drifted = kept(lambda content: content["config"].update(seed=1), "a.json")
    whole = kept(lambda _: None, "b.json")
    checked = kan_run("check", drifted, whole, "nothing.json")
    assert checked.code == 4
    assert kan_run("check", whole, "nothing.json").code == 5
    assert kan_run("check", "[ab].json").out.splitlines()[0].startswith("a.json: drift")
    assert kan_run("check").code == 2


def test_json_junit_and_markdown_hold_the_answers(kan_run, kept, tmp_path, monkeypatch):
    drifted = kept(lambda content: content["config"].update(seed=1), "a.json")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    checked = kan_run("check", drifted, "kept.json", "nothing.json", "--json", "--junit", "junit.xml")
    results = json.loads(checked.out)
    assert [result["answer"] for result in results] == ["drift", "match", "inconclusive"]
    assert (results[0]["first"], results[0]["tier"]) == ("config", "exact")
    assert results[0]["rows"][0]["difference"] is None or results[0]["rows"][0]["difference"] > 0
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert [[child.tag for child in case] for case in suite] == [["failure"], [], ["error"]]
    summary = (tmp_path / "summary.md").read_text()
    assert "| a.json | drift | (exact: same environment) first difference: config" in summary
    assert "| kept.json | match |" in summary


def test_an_unwritable_github_summary_changes_no_exit_code(kan_run, kept, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary.md"))
    checked = kan_run("check", kept(lambda _: None))
    assert checked.code == 0
    assert checked.err.startswith("kan-run: GITHUB_STEP_SUMMARY=")


def test_a_users_scheme_is_checked_only_with_config_dir(kan_run, tmp_path):
    own = tmp_path / "own"
    (own / "init").mkdir(parents=True)
    (own / "checked_scheme.py").write_text(
        "from dataclasses import dataclass\nfrom kancli.inits import Scheme\nfrom kancli.inits.laws import Constant\n\n"
        "@dataclass(frozen=True)\nclass Mine(Scheme):\n    def laws(self, size):\n"
        "        return {name: Constant(1.0) for name in ('scale_base', 'scale_sp', 'coef')}\n"
    )
    (own / "init/mine.yaml").write_text("_target_: checked_scheme.Mine\n")
    folder = kan_run("--config-dir", "own", "init=mine", "figures=none").out.splitlines()[-1]
    checked = kan_run("check", folder)
    assert checked.code == 5
    assert "give --config-dir DIR" in checked.out
    assert kan_run("check", folder, "--config-dir", "own").code == 0


@pytest.mark.slow
def test_answers_do_not_depend_on_jobs_or_threads(kan_run, kept, tmp_path):
    names = [kept(lambda content, seed=seed: content["config"].update(seed=seed), f"{seed}.json") for seed in (0, 1, 2)]
    whole = kan_run("check", *names)
    for argv, threads in ((["--jobs", "2"], "2"), ([], "1"), ([], "4")):
        done = subprocess.run(
            [sys.executable, "-m", "kancli", "check", *names, *argv], cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "OMP_NUM_THREADS": threads},
        )  # fmt: skip
        assert done.returncode == 4, done.stderr
        answers = [line.split(" (")[0] for line in done.stdout.splitlines() if line[0] != " "]
        assert answers == [line.split(" (")[0] for line in whole.out.splitlines() if line[0] != " "]
        assert answers == ["0.json: match", "1.json: drift", "2.json: drift"]


def test_junit_is_well_formed_whatever_a_record_holds(kan_run, kept, tmp_path):
    def change(content):
        content["environment"]["cpu"] = {"model": "a\x1b[31m\x00b\ufffe"}
        content["stats"]["layers"][0]["output"]["rms"] *= 2

    answer = kan_run("check", kept(change), "--junit", "junit.xml")
    assert answer.code == 4
    assert "\x1b" not in answer.out
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures") == "1"
