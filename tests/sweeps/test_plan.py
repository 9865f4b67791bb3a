"""The plan of a sweep: its jobs, folders and notices, and what it does not depend on later."""

import json

import pytest

from kancli.sweeps.plan import read_plan
from tests.runs.records import write_plan
from tests.sweeps.conftest import record


@pytest.mark.slow
def test_plan_drops_duplicates_and_prints_the_counts(kan_run, tmp_path):
    done = kan_run("-m", "init=default,glorot", "noise_scale=0.1,1,1.0", "seed=0,1", "--dry-run")
    assert done.code == 0
    assert "noise_scale: glorot has no such knob; left out there" in done.err
    assert "2 × 3 × 2 = 12 jobs, 6 duplicates, 6 without them, " in done.err
    (folder,) = tmp_path.glob("multirun/*/*")
    assert sorted(path.name for path in folder.iterdir()) == ["multirun.yaml", "plan.jsonl"]
    words = [job.words[:-2] for job in read_plan(folder).jobs]
    assert words == [
        ["init=default", "noise_scale=0.1", "seed=0"],
        ["init=default", "noise_scale=0.1", "seed=1"],
        ["init=default", "noise_scale=1", "seed=0"],
        ["init=default", "noise_scale=1", "seed=1"],
        ["init=glorot", "seed=0"],
        ["init=glorot", "seed=1"],
    ]
    assert kan_run("resume", str(folder)).out.splitlines()[-1].startswith("6 of 6 runs complete")


@pytest.mark.slow
def test_folders_follow_hydra_sweep_subdir(kan_run, tmp_path):
    words = [
        "init=default,linear",
        "seed=1,2",
        "hydra.sweep.dir=s",
        "hydra.sweep.subdir=${init.scheme}/${hydra.job.override_dirname}",
    ]
    done = kan_run("-m", *words)
    assert done.code == 0, done.err
    found = sorted(str(path.parent.relative_to(tmp_path / "s")) for path in tmp_path.glob("s/**/run.json"))
    assert len(found) == 4
    assert found[0].startswith("default/figures=none,init=default,")


@pytest.mark.slow
def test_later_edits_of_presets_do_not_change_a_plan(kan_run, tmp_path):
    own = tmp_path / "own/init"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("scheme: default\nnoise_scale: 0.5\nnoise_scale_base: 0\n")
    kan_run("-m", "--config-dir", "own", "init=mine,linear", "--dry-run", "hydra.sweep.dir=sweep")
    (own / "mine.yaml").write_text("scheme: glorot\n")
    assert kan_run("resume", "sweep").code == 0
    assert record(tmp_path / "sweep/0")["config"]["init"]["noise_scale"] == 0.5


def test_a_plan_with_other_semantics_is_not_resumed(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    path = tmp_path / "sweep/plan.jsonl"
    head, *jobs = map(json.loads, path.read_text().splitlines())
    write_plan(path, {**head, "semantics": 1000}, jobs)
    done = kan_run("resume", "sweep")
    assert done.code == 2
    assert "planned with semantics 1000" in done.err
    assert not (tmp_path / "sweep/0").exists()


@pytest.mark.slow
def test_jobs_fail_if_their_input_file_changed_since_the_plan(kan_run, tmp_path):
    samples = tmp_path / "x.csv"
    samples.write_text("1,2\n3,4\n")
    kan_run("-m", "inputs=x.csv", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    samples.write_text("1,2\n3,5\n")
    done = kan_run("resume", "sweep")
    assert done.code == 6
    assert "has changed since the plan: the file of samples" in done.err
    assert record(tmp_path / "sweep/0")["status"] == "failed"


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "garbage", "schema", "outside"])
def test_damaged_plans_are_reported_by_name(kan_run, tmp_path, harm):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    path = tmp_path / "sweep/plan.jsonl"
    text = path.read_text()
    if harm == "gone":
        path.unlink()
    else:
        harmed = {
            "empty": "",
            "cut": text.splitlines()[0] + "\n",
            "garbage": "\x00\x01",
            "schema": text.replace('"schema": 1', '"schema": 9'),
            "outside": text.replace('"folder": "1"', '"folder": "../1"'),
        }
        path.write_text(harmed[harm])
    done = kan_run("resume", "sweep")
    assert done.code == 2
    assert "plan.jsonl" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "change", "message"),
    [
        (0, {"typed": "seed=0,1"}, "plan.jsonl: damaged: ValidationError: Expected `array`, got `str` - at `$.typed`"),
        (0, {"swept": {"seed": 3}}, "Expected `array`, got `int` - at `$.swept[...]`"),
        (0, {"hydra": {}}, "Object missing required field `overrides` - at `$.hydra`"),
        (0, {"base": []}, "Expected `object`, got `array` - at `$.base`"),
        (0, {"jobs": 3}, "plan.jsonl: damaged: 2 jobs, 3 were planned"),
        (1, {"words": [3]}, "plan.jsonl:2: damaged: ValidationError: Expected `str`, got `int` - at `$.words[0]`"),
        (2, {"identity": None}, "plan.jsonl:3: damaged: ValidationError: Expected `str`, got `null` - at `$.identity`"),
        (2, {"number": 0}, "plan.jsonl:3: damaged: its number is 0; this is the line of job 1"),
    ],
)
def test_a_wrong_type_in_a_plan_is_named(kan_run, tmp_path, line, change, message):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    path = tmp_path / "sweep/plan.jsonl"
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    lines[line] |= change
    write_plan(path, lines[0], lines[1:])
    for verb in ("resume", "collect", "report", "draw"):
        done = kan_run(verb, "sweep")
        assert done.code == 2
        assert message in done.err
        assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(("old", "new"), [('"seed=1"', '"seed=2"'), ('"dropped": 0', '"dropped": 1')])
def test_an_edited_plan_is_damaged(kan_run, tmp_path, old, new):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    path = tmp_path / "sweep/plan.jsonl"
    path.write_text(path.read_text().replace(old, new))
    for verb in ("resume", "collect", "report"):
        done = kan_run(verb, "sweep")
        assert done.code == 2
        assert "plan.jsonl: damaged: is not the plan that the sweep wrote" in done.err
    assert not (tmp_path / "sweep/0").exists()


def test_plans_of_an_older_kancli_have_no_hashes(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep", "figures=none")
    path = tmp_path / "sweep/plan.jsonl"
    head, *jobs = path.read_text().splitlines()
    head = {name: value for name, value in json.loads(head).items() if not name.endswith("sha256")}
    path.write_text("\n".join([json.dumps(head), *jobs]) + "\n")
    assert kan_run("resume", "sweep").code == 0
