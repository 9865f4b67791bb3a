"""kan-run check and bless: their answers, exit codes and files."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from kancli import seeding
from kancli.compare import baseline
from kancli.config import identity
from kancli.runs import result

CASES = {
    "default": [],
    "an ensemble": ["n_seeds=3", "stats=full", "stats.ntk.n=20"],
    "standardised bases, nothing kept": ["init=lecun_norm", "activations.n=0"],
    "knots of their own": ["grid.adapt=samples", "dtype=float64"],
    "no statistics": ["stats=none"],
}


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_run_is_what_it_was(kan_run, case, tmp_path):
    run = kan_run(*CASES[case], "figures=none")
    folder = run.out.splitlines()[-1]
    assert kan_run("bless", folder, "-o", "kept.json").out == "kept.json\n"
    before = tree(tmp_path)
    found = kan_run("check", folder, "kept.json")
    assert found.code == 0, found.err
    assert found.out.splitlines() == [f"{each}: match (exact: same environment)" for each in (folder, "kept.json")]
    assert tree(tmp_path) == before, "nothing was written"


def test_the_ladder_is_told_in_the_order_of_the_computation(kan_run):
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


def test_a_blessed_file_is_small_sorted_and_plain(kan_run, tmp_path):
    folder = kan_run("figures=none").out.splitlines()[-1]
    kan_run("bless", folder, "-o", "kept.json")
    text = (tmp_path / "kept.json").read_text()
    content = json.loads(text)
    assert len(text) < 14_000
    assert list(content) == sorted(content)
    assert list(content["stats"]) == sorted(content["stats"])
    assert "nodes" not in content["stats"]["layers"][0]
    assert content["kancli_baseline"] == 1


@pytest.fixture
def kept(kan_run, kan_run_once, tmp_path):
    """A blessed file, and a way to write it changed."""
    folder = kan_run_once("width=2-3-1", "figures=none").out.splitlines()[-1]
    kan_run("bless", folder, "-o", "kept.json")

    def changed(change, name="changed.json"):
        content = json.loads((tmp_path / "kept.json").read_text())
        change(content)
        (tmp_path / name).write_text(json.dumps(content))
        return name

    return changed


def test_another_config_drifts_at_once(kan_run, kept):
    name = kept(lambda content: content["config"]["init"].update(noise_scale=0.3))
    found = kan_run("check", name)
    assert found.code == 4
    first, parting, *rows = found.out.splitlines()
    assert first == f"{name}: drift (exact: same environment)"
    assert parting == "  config differs first; nothing before it"
    assert len(rows) == 5


def test_another_draw_is_named_with_what_is_equal_before_it(kan_run, kept, monkeypatch):
    """A stream that yields other numbers for one purpose, as a change of the code would."""
    name = kept(lambda _: None)
    streams = seeding.streams

    def other(seeds, purpose):
        return streams(seeds, purpose + "!" if purpose == "layer 1/coef" else purpose)

    monkeypatch.setattr("kancli.inits.initialise.streams", other)
    found = kan_run("check", name)
    assert found.code == 4
    assert found.out.splitlines()[1] == "  layer 1 coef differs first; equal up to layer 0 knots"
    worst = [float(line.rpartition(", ")[2].split()[0]) for line in found.out.splitlines()[2:]
             if "sampling errors" in line]  # fmt: skip
    assert worst == sorted(worst, reverse=True)


def test_elsewhere_statistics_may_differ_by_rounding_only(kan_run, kept):
    def elsewhere(factor):
        def change(content):
            content["environment"]["threads"] = 64
            content["ladder"]["statistics"] = "0" * 64
            content["stats"]["layers"][0]["output"]["rms"] *= factor

        return change

    near, far = kept(elsewhere(1 + 1e-6), "near.json"), kept(elsewhere(1.01), "far.json")
    found = kan_run("check", near)
    threads = json.loads(kan_run("check", "--json", near).out)[0]["why"][0].split()[1]
    assert found.code == 0
    assert found.out.splitlines() == [
        f"near.json: match within tier (close: threads {threads} against 64)",
        "  statistics differs first; equal up to output",
    ]
    found = kan_run("check", far)
    assert found.code == 4
    assert "layers.0.output.rms: " in found.out.splitlines()[2]
    same = kept(lambda content: content["environment"].update(threads=64), "same.json")
    assert kan_run("check", same).out == f"same.json: match (close: threads {threads} against 64)\n"


def test_bits_count_where_the_environment_is_the_same(kan_run, kept):
    def change(content):
        content["ladder"]["layer 0 postacts"] = "0" * 64

    found = kan_run("check", kept(change))
    assert found.code == 4
    assert found.out.splitlines()[1] == "  layer 0 postacts differs first; equal up to layer 0 spline"


def test_a_baseline_matches_after_a_statistic_is_added(kan_run, kept, tmp_path, monkeypatch):
    """To a layer, to the network, to nodes, and a verdict."""
    folder = str(next(tmp_path.glob("outputs/*/*")))
    as_json = result.as_json

    def grown(*args, **options):
        stats = as_json(*args, **options)
        stats["layers"][0]["invented"] = {"mean": 1.0}
        stats["layers"][0]["nodes"]["invented"] = [0.5, None]
        stats["invented"] = {"condition": 2.0}
        stats["verdicts"].append({**stats["verdicts"][0], "name": "invented"})
        return stats

    name = kept(lambda _: None)
    monkeypatch.setattr(result, "as_json", grown)
    checked = kan_run("check", folder, name)
    assert checked.out.splitlines() == [f"{each}: match (exact: same environment)" for each in (folder, name)]
    assert checked.code == 0


def test_a_baseline_matches_after_a_key_is_added(kan_run, kept, tmp_path, monkeypatch):
    """To the whole config, and to one of its sections."""
    folder = str(next(tmp_path.glob("outputs/*/*")))
    config_of = identity.config_of

    def grown(settings):
        config = config_of(settings)
        return {**config, "invented": "off", "grid": {**config["grid"], "invented": 1}}

    name = kept(lambda _: None)
    monkeypatch.setattr(identity, "config_of", grown)
    checked = kan_run("check", folder, name)
    assert checked.out.splitlines() == [f"{each}: match (exact: same environment)" for each in (folder, name)]
    assert checked.code == 0


def test_a_changed_statistic_is_named(kan_run, kept):
    def change(content):
        content["ladder"]["statistics"] = "0" * 64
        content["stats"]["layers"][1]["output"]["rms"] *= 1 + 1e-15

    checked = kan_run("check", kept(change))
    assert checked.code == 4
    _, first, row = checked.out.splitlines()
    assert first == "  statistics differs first; equal up to output"
    assert row.startswith("  layers.1.output.rms: ")


def test_a_key_that_is_gone_drifts(kan_run, kept, monkeypatch):
    config_of = identity.config_of

    def without_base_fun(settings):
        return {name: value for name, value in config_of(settings).items() if name != "base_fun"}

    name = kept(lambda _: None)
    monkeypatch.setattr(identity, "config_of", without_base_fun)
    checked = kan_run("check", name)
    assert checked.code == 4
    assert checked.out.splitlines()[1] == "  config differs first; nothing before it"


@pytest.mark.parametrize(
    "harm", ["missing", "empty", "cut", "garbage", "list", "schema", "semantics", "ladder", "stats", "layers"]
)
def test_what_cannot_be_compared_is_inconclusive(kan_run, kept, tmp_path, harm):
    def change(content):
        if harm == "schema":
            content["kancli_baseline"] = 0
        elif harm == "semantics":
            content["semantics"] = 1
        elif harm in content:
            content[harm] = 7
        elif harm == "layers":
            content["stats"]["layers"] = 7

    path = tmp_path / kept(change)
    whole = path.read_bytes()
    if harm == "missing":
        path.unlink()
    elif harm in ("empty", "cut", "garbage", "list"):
        path.write_bytes(
            {"empty": b"", "cut": whole[: len(whole) // 2], "garbage": b"\xff\x00" * 99, "list": b"[1]"}[harm]
        )
    found = kan_run("check", "changed.json")
    assert found.code == 5
    assert found.out.startswith("changed.json: inconclusive: ")
    assert len(found.out.splitlines()) == 1
    assert found.err == ""


@pytest.mark.parametrize("name", ["run.json", "stats.json"])
@pytest.mark.parametrize("harm", [b"", b"{", b"\x00\xff", b"[]", b'{"status": "running"}', None])
def test_a_damaged_folder_is_inconclusive(kan_run, kan_run_once, name, harm):
    run = kan_run_once("figures=none")
    if harm is None:
        (run.folder / name).unlink()
    else:
        (run.folder / name).write_bytes(harm)
    found = kan_run("check", run.out.splitlines()[-1])
    assert found.code == 5, found.out
    assert "inconclusive" in found.out
    assert name in found.out


def test_statistics_that_were_touched_are_no_baseline(kan_run, kan_run_once):
    run = kan_run_once("figures=none")
    path = run.folder / "stats.json"
    path.write_text(path.read_text().replace('"schema": 2', '"schema":  2'))
    found = kan_run("check", run.out.splitlines()[-1])
    assert found.code == 5
    assert "not what the run wrote" in found.out


def test_drift_outweighs_what_is_inconclusive(kan_run, kept):
    drifted = kept(lambda content: content["config"].update(seed=1), "a.json")
    whole = kept(lambda _: None, "b.json")
    found = kan_run("check", drifted, whole, "nothing.json")
    assert found.code == 4
    assert kan_run("check", whole, "nothing.json").code == 5
    assert kan_run("check", "[ab].json").out.splitlines()[0].startswith("a.json: drift")
    assert kan_run("check").code == 2


def test_answers_for_programs(kan_run, kept, tmp_path, monkeypatch):
    drifted = kept(lambda content: content["config"].update(seed=1), "a.json")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    found = kan_run("check", drifted, "kept.json", "nothing.json", "--json", "--junit", "junit.xml")
    told = json.loads(found.out)
    assert [each["answer"] for each in told] == ["drift", "match", "inconclusive"]
    assert (told[0]["first"], told[0]["tier"]) == ("config", "exact")
    assert told[0]["rows"][0]["difference"] is None or told[0]["rows"][0]["difference"] > 0
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert [[child.tag for child in case] for case in suite] == [["failure"], [], ["error"]]
    summary = (tmp_path / "summary.md").read_text()
    assert "| a.json | drift | (exact: same environment) config differs first" in summary
    assert "| kept.json | match |" in summary


def test_a_summary_that_cannot_be_written_changes_no_answer(kan_run, kept, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary.md"))
    found = kan_run("check", kept(lambda _: None))
    assert found.code == 0
    assert found.err.startswith("kan-run: GITHUB_STEP_SUMMARY=")


@pytest.mark.slow
def test_a_baseline_is_made_anew_only_where_no_machine_judges(kan_run, kept, tmp_path, monkeypatch):
    name = kept(lambda content: content["config"].update(seed=1), "a.json")
    before = (tmp_path / name).read_bytes()
    monkeypatch.setenv("CI", "true")
    refused = kan_run("bless", "--update", name)
    assert refused.code == 2
    assert "not under CI=true" in refused.err
    assert (tmp_path / name).read_bytes() == before
    assert kan_run("bless", "--update", "--force", name).code == 0
    assert kan_run("check", name).code == 0
    monkeypatch.delenv("CI")
    assert kan_run("bless", "--update", name).out == f"{name}\n"
    direct = kan_run("width=2-3-1", "seed=1", "figures=none").out.splitlines()[-1]
    kan_run("bless", direct, "-o", "direct.json")
    one, other = (json.loads((tmp_path / each).read_text()) for each in (name, "direct.json"))
    assert one["ladder"] == other["ladder"]
    assert one["stats"] == other["stats"]


@pytest.mark.parametrize(
    "argv", [[], ["RUN"], ["a", "b", "-o", "c"], ["RUN", "-o", "x", "--update"], ["nowhere", "-o", "x"]]
)
def test_bless_answers_mistakes(kan_run, argv):
    answer = kan_run("bless", *argv)
    assert answer.code in (2, 5)
    assert len(answer.err.splitlines()) == 1


def test_a_scheme_of_ones_own_is_run_only_where_the_user_points(kan_run, tmp_path):
    own = tmp_path / "own"
    (own / "init").mkdir(parents=True)
    (own / "checked_scheme.py").write_text(
        "from dataclasses import dataclass\nfrom kancli.inits import Scheme\nfrom kancli.inits.laws import Constant\n\n"
        "@dataclass(frozen=True)\nclass Mine(Scheme):\n    def laws(self, size):\n"
        "        return {name: Constant(1.0) for name in ('scale_base', 'scale_sp', 'coef')}\n"
    )
    (own / "init/mine.yaml").write_text("_target_: checked_scheme.Mine\n")
    folder = kan_run("--config-dir", "own", "init=mine", "figures=none").out.splitlines()[-1]
    found = kan_run("check", folder)
    assert found.code == 5
    assert "give --config-dir DIR" in found.out
    assert kan_run("check", folder, "--config-dir", "own").code == 0


@pytest.mark.slow
def test_processes_of_their_own_and_other_threads_find_the_same(kan_run, kept, tmp_path):
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


def test_a_record_is_read_back_as_it_was(kan_run, tmp_path):
    run = kan_run("figures=none")
    found = baseline.read(run.folder)
    (tmp_path / "kept.json").write_text(baseline.blessed(found))
    again = baseline.read(tmp_path / "kept.json")
    assert dataclasses.replace(again, name=found.name, stats=found.stats) == found
    canonical = json.dumps(found.stats, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode()).hexdigest() == found.ladder["statistics"]
