"""Records from elsewhere: they give plain values of a run's keys, and start nothing."""

import json

import pytest

from kancli.config.recorded import check_config, check_job_words, launcher_words, with_legal_bounds
from kancli.errors import ConfigError
from kancli.inits.plugins import CodePolicy, use_policy


@pytest.mark.parametrize(
    "config",
    [
        {"+hydra.job.env_set.PATH": "/evil"},
        {"hydra": {"run": {"dir": "precious"}}},
        {"hydra/launcher": "basic"},
        {"++seed": 1},
        {"seed=1 overwrite": True},
        {"figures": {"title": "${oc.env:HOME}"}},
        {"figures": {"in_vars": ["a", "${oc.env:HOME}"]}},
        {"seed": {"${now:%Y}": 1}},
        {"init": {"a b": 1}},
    ],
    ids=json.dumps,
)
def test_a_recorded_config_has_plain_values_of_known_keys(tmp_path, config):
    with pytest.raises(ConfigError, match=r"run\.json: damaged: "):
        check_config(config, tmp_path / "run.json")


def test_defaults_replace_bounds_that_are_not_legal():
    legal = {"verdicts": {"rough": [3.0, None], "linear": [None, None]}, "seed": 1}
    assert with_legal_bounds(legal) == (legal, {})
    assert with_legal_bounds({"seed": 1}) == ({"seed": 1}, {}), "a key that the record lacks is no fault"
    config, texts = with_legal_bounds({"verdicts": {"rough": [3.0, None], "linear": "much", "dead_edges": [0.9, 0.1]}})
    assert config == {"verdicts": {"rough": [3.0, None], "linear": [1e-6, None], "dead_edges": [0.1, 0.5]}}
    assert set(texts) == {"linear", "dead_edges"}
    assert texts["linear"].startswith("verdicts.linear=much is not legal")
    damaged = {"verdicts": 7}
    assert with_legal_bounds(damaged) == (damaged, {}), "no section: validation names it"


@pytest.mark.parametrize(
    "word",
    [
        "+hydra.job.env_set.PATH=/evil",
        "hydra.searchpath=[pkg://evil]",
        "hydra.callbacks.mine._target_=hydra.experimental.callbacks.PickleJobInfoCallback",
        "hydra.launcher.setup=[evil]",
        "hydra.launcher.submitit_folder=/precious",
        "hydra.launcher.name=${oc.env:SECRET}",
        "hydra.launcher.comment='a b'",
        "hydra/launcher=evil",
        "~hydra.launcher.n_jobs",
        "hydra/launcher@hydra.sweep=joblib",
    ],
)
def test_a_plan_chooses_a_launcher_and_its_numbers_only(presets, tmp_path, word):
    kept = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.launcher.partition=gpu"]
    planned = ["seed=0,1", *kept, "hydra.sweep.dir=a"]
    assert launcher_words(planned, [], presets, tmp_path) == kept
    with pytest.raises(ConfigError, match="a plan may choose a launcher and its numbers only"):
        launcher_words([*planned, word], [], presets, tmp_path)
    with use_policy(CodePolicy(None, anywhere=True)):
        assert word in launcher_words([*planned, word], [], presets, tmp_path)


def test_a_typed_key_replaces_the_planned_one(presets, tmp_path):
    assert launcher_words(["hydra.launcher.setup=[a]"], ["hydra.launcher.setup=[b]"], presets, tmp_path) == []


@pytest.mark.parametrize(
    "word", ["hydra.run.dir=precious", "figures.title='${oc.env:SECRET}'", "init@hydra.job=linear"]
)
def test_the_words_of_a_planned_job_set_keys_of_a_run(tmp_path, word):
    check_job_words(["seed=1", "init=linear", "figures.title='a b'"], tmp_path)
    with pytest.raises(ConfigError, match="a plan sets keys of a run to plain values"):
        check_job_words(["seed=1", word], tmp_path)


@pytest.fixture
def marked_record(kan_run_once):
    """A run whose record can be given other entries of its config."""
    run = kan_run_once("figures=none")

    def change(**entries):
        record = run.json("run.json")
        record["config"] |= entries
        record.pop("self_sha256", None)  # as in the record of an older kancli
        (run.folder / "run.json").write_text(json.dumps(record))
        return str(run.folder)

    return change


def test_a_record_gives_no_orders_to_rerun(kan_run, marked_record, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    answer = kan_run("rerun", marked_record(**{"+hydra.job.env_set.PATH": "/evil"}))
    assert answer.code == 2
    assert "damaged" in answer.err
    answer = kan_run("rerun", marked_record(**{"hydra.run.dir": str(tmp_path / "precious"), "overwrite": True}))
    assert answer.code == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_a_record_does_not_choose_to_overwrite(kan_run, marked_record, tmp_path):
    folder = marked_record(overwrite=True)
    content = (tmp_path / folder / "run.json").read_bytes()
    answer = kan_run("rerun", folder, f"hydra.run.dir={folder}")
    assert answer.code == 2
    assert "is not empty" in answer.err
    assert (tmp_path / folder / "run.json").read_bytes() == content


@pytest.mark.parametrize("form", ["typed", "swept", "experiment"])
@pytest.mark.parametrize(
    ("word", "section"),
    [
        ("+hydra.job.env_set.A=b", "{job: {env_set: {A: b}}}"),
        ("hydra.searchpath=[pkg://this]", "{searchpath: ['pkg://this']}"),
        ("hydra.searchpath=['file:///tmp']", "{searchpath: ['file:///tmp']}"),
        ("+hydra.searchpath=[own/../elsewhere]", "{searchpath: [own/../elsewhere]}"),
    ],
)
def test_environment_and_search_path_need_allow_code(kan_run, tmp_path, form, word, section):
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/sly.yaml").write_text(f"hydra: {section}\n")
    words = {"typed": [word], "swept": [word, "-m", "seed=1,2"], "experiment": ["experiment=sly"]}[form]
    answer = kan_run("--config-dir", "own", *words)
    assert answer.code == 2, answer.err
    assert "add allow_code=true" in answer.err
    assert not (tmp_path / "outputs").exists()


def test_the_search_path_may_lie_in_the_users_folder(kan_run, tmp_path):
    (tmp_path / "own/more/init").mkdir(parents=True)
    assert kan_run("--config-dir", "own", "hydra.searchpath=[own/more]", "figures=none", "--cfg", "job").code == 0


def test_a_plan_gives_no_orders_to_resume(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    plan = tmp_path / "sweep/plan.jsonl"
    head, *jobs = plan.read_text().splitlines(keepends=True)
    head = json.loads(head)
    head["typed"] += ["hydra/launcher=basic", "+hydra.job.env_set.PATH=/evil"]
    del head["self_sha256"], head["jobs_sha256"]  # as in a plan of an older kancli: the edit itself is not noticed
    plan.write_text(json.dumps(head) + "\n" + "".join(jobs))
    before = sorted(tmp_path.rglob("*"))
    answer = kan_run("resume", "sweep")
    assert answer.code == 2
    assert "planned with +hydra.job.env_set.PATH=/evil" in answer.err
    assert sorted(tmp_path.rglob("*")) == before
