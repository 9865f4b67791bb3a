"""Runs of the models in checkpoints: `kan-run model=FILE`."""

import csv
import json

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import kancli

QUICK = ["inputs.n=30", "figures=none"]
TRAINING = ["task=f2", "task.n=20", "task.test_n=10", "train.steps=3", "train.every=1", "train.compile=false"]
MODEL = kancli.KAN([2, 4, 1], grid=4, k=2, init="efficient_kan", seed=1)


@pytest.fixture
def files(tmp_path):
    """A folder with one model in the layouts of two libraries, and another model in a third."""
    torch.save(kancli.write(MODEL, "efficient_kan"), tmp_path / "a.pt")
    np.savez(tmp_path / "a.npz", **{name: tensor.numpy() for name, tensor in kancli.write(MODEL, "pykan").items()})
    torch.save(kancli.write(kancli.KAN([2, 4, 1], grid=4, k=2), "pykan"), tmp_path / "b.pt")
    return tmp_path


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def verdict(stats, name):
    return next(entry for entry in stats["verdicts"] if entry["name"] == name)


def test_a_run_has_the_statistics_of_examine(kan_run, files):
    made = kan_run("model=a.pt", "stats=full", *QUICK)
    assert made.code == 0, made.err
    assert made.out.startswith("KAN 2-4-1, grid 4, k 2, base silu, init unknown: checkpoint a.pt, seed 0, 30")
    record, stats = made.json("run.json"), made.json("stats.json")
    inputs = load_file(made.folder / "activations.safetensors")["inputs"]
    expected = kancli.examine(str(files / "a.pt"), inputs, "full")
    assert {name: stats[name] for name in ("layers", "jacobian", "ntk")} == {
        name: expected[name] for name in ("layers", "jacobian", "ntk")
    }
    parameters = load_file(made.folder / "params.safetensors")
    assert all(torch.equal(parameters[name], tensor) for name, tensor in MODEL.state_dict().items())
    assert record["config"]["init"] == {"scheme": "checkpoint"}
    assert record["config"]["width"] == [2, 4, 1]
    assert (record["config"]["grid"]["size"], record["config"]["k"]) == (4, 2)
    assert record["config"]["model"]["path"] == "a.pt"
    off_law = verdict(stats, "off_law")
    assert (off_law["value"], off_law["verdict"]) == (None, None)
    assert off_law["detail"].startswith("no law is known")
    loaded = kancli.KAN.load(made.folder)
    assert torch.equal(loaded(inputs), MODEL(inputs))
    assert verdict(loaded.stats(inputs), "off_law") == off_law


def test_the_identity_is_that_of_the_tensors(kan_run, files):
    kan_run("model=a.pt", "hydra.run.dir=a", *QUICK)
    kan_run("model=a.npz", "model.layout=pykan", "hydra.run.dir=npz", *QUICK)
    kan_run("model=b.pt", "hydra.run.dir=b", *QUICK)
    records = [json.loads((files / name / "run.json").read_text()) for name in ("a", "npz", "b")]
    one, same, other = (record["identity"] for record in records)
    assert one == same != other
    assert len({record["model_file"]["sha256"] for record in records}) == 3


ANSWERED = {
    "model=a.pt init=glorot": "init=glorot: the parameters are those of a.pt",
    "model=a.pt init=default": "init=default: the parameters are those of a.pt",
    "model=a.pt noise_scale=1": "noise_scale=1: the parameters",
    "model=a.pt width=2-5-1": "width=2-5-1: the model in a.pt has width=2-4-1; leave width out",
    "model=a.pt grid=5": "grid=5: the model in a.pt has grid=4",
    "model=a.pt k=quadratic grid=coarse": "grid=3: the model in a.pt has grid=4",
    "model=a.pt dtype=float64": "dtype=float64: the model in a.pt has dtype=float32",
    "model=a.pt base_fun=gelu": "type model.base_fun=gelu if",
    "model=a.pt model.base_fun=glu": "allowed: one of",
    "model=a.pt n_seeds=2": "a file holds one network",
    "model=a.pt grid.adapt=samples": "the knots are those of the file",
    "model=a.pt model.layout=inkan": "a.pt: layers.0.base_weight",
    "model=a.pt inputs=a.npz": "inputs.path=a.npz",
    "model=no.pt": "no.pt: no such file",
    "model=a.txt": "or a file such as checkpoint.pt",
    "model=trained": "or NAME_state of pykan's saveckpt(NAME)",
    "model=checkpoint": "model.path is missing",
    "model=checkpoint model.path=/dev/zero": "/dev/zero: damaged: no plain file",
    "init.scheme=checkpoint": "type model=FILE",
}


@pytest.mark.parametrize("words", ANSWERED)
def test_what_does_not_fit_is_answered(kan_run, files, words):
    outcome = kan_run(*words.split(), "hydra.run.dir=made")
    assert outcome.code == 2
    assert ANSWERED[words] in outcome.err
    assert len(outcome.err.splitlines()) <= 3
    assert not (files / "made").exists()


def test_what_agrees_with_the_file_may_be_typed(kan_run, files):
    made = kan_run("model=a.pt", "width=2-4-1", "grid=4", "k=quadratic", "model.base_fun=gelu", *QUICK)
    assert made.code == 0, made.err
    assert made.json("run.json")["config"]["base_fun"] == "gelu"


def test_a_record_is_checked_repeated_and_drawn_from_elsewhere(kan_run, files, monkeypatch):
    kan_run("model=a.pt", "hydra.run.dir=a", *QUICK)
    (files / "elsewhere").mkdir()
    monkeypatch.chdir(files / "elsewhere")
    assert kan_run("check", "../a").code == 0
    assert kan_run("rerun", "../a", "hydra.run.dir=c").code == 0
    records = [json.loads((files / name / "run.json").read_text()) for name in ("a", "elsewhere/c")]
    assert records[0]["ladder"] == records[1]["ladder"], "the same computation"
    monkeypatch.chdir(files)
    (files / "b.pt").rename("a.pt")
    outcome = kan_run("check", "a")
    assert outcome.code == 4
    assert "first difference: model: a.pt is another file\n" in outcome.out
    (files / "a.pt").unlink()
    outcome = kan_run("check", "a")
    assert (outcome.code, "a: inconclusive: a.pt: no such file" in outcome.out) == (5, True)
    assert kan_run("draw", "a", "figures=[network]").code == 0, "of the run's own files"


@pytest.mark.slow
def test_a_record_is_repeated_with_another_model_of_other_sizes(kan_run, files):
    """Sizes and init that the record has of its own model give way; typed ones don't."""
    other = kancli.KAN([3, 2], grid=6, k=3, init="glorot")
    torch.save(kancli.write(other, "pykan"), files / "other.pt")
    kan_run("model=a.pt", "hydra.run.dir=a", *QUICK)
    kan_run("init=glorot", "gain=2", "hydra.run.dir=glorot", *QUICK)
    for words in (["a", "model.path=other.pt"], ["a", "model=other.pt"], ["glorot", "model=other.pt"]):
        again = kan_run("rerun", *words)
        assert again.code == 0, again.err
        config = again.json("run.json")["config"]
        assert (config["width"], config["grid"]["size"], config["k"]) == ([3, 2], 6, 3)
        assert config["init"] == {"scheme": "checkpoint"}
        assert config["inputs"]["n"] == 30
    refused = kan_run("rerun", "a", "model=other.pt", "grid=4")
    assert "grid=4: the model in other.pt has grid=6; leave grid out" in refused.err
    planned = kan_run("rerun", "a", "-m", "model=other.pt,b.pt", "--dry-run")
    assert planned.code == 0, planned.err


def test_the_file_of_a_run_that_standardises_its_bases_is_refused(kan_run, files):
    for words, name in (([], "params"), (TRAINING, "trained")):
        made = kan_run("init=lecun_norm", "width=2-3-1", "figures=none", "hydra.run.dir=" + name, *words)
        assert made.code == 0, made.err
        for verb in (["export", f"{name}/{name}.safetensors", "--to", "pykan", "-o", "m.pt"],
                     [f"model={name}/{name}.safetensors"]):  # fmt: skip
            refused = kan_run(*verb)
            assert (refused.code, len(refused.err.splitlines())) == (2, 1)
            assert f"{name}.safetensors: the model standardises its bases" in refused.err
        assert kancli.KAN.load(name).layers[0].standardise


def test_the_config_shown_is_that_of_the_file(kan_run, files):
    shown = yaml.safe_load(kan_run("model=a.pt", "--cfg", "job").out)
    assert (shown["width"], shown["grid"]["size"], shown["k"]) == ([2, 4, 1], 4, 2)
    assert shown["init"] == {"scheme": "checkpoint"}
    assert yaml.safe_load(kan_run("--cfg", "job").out)["init"]["scheme"] == "default"


def test_a_run_of_a_checkpoint_is_exported_by_its_name(kan_run, files):
    kan_run("model=a.pt", "hydra.run.dir=a", *QUICK)
    made = kan_run("export", "a", "--to", "efficient_kan", "-o", "exported.pt")
    assert made.out.startswith("exported.pt: the parameters of a.pt, for efficient_kan\n")


def test_the_law_of_a_checkpoint_is_not_explained(kan_run, files):
    for words in (["explain", "model=a.pt"], ["explain", "model=a.pt", "--code", "torch"]):
        refused = kan_run(*words)
        assert refused.code == 2
        assert "law" in refused.err


def test_training_goes_on_from_the_checkpoint(kan_run, files):
    made = kan_run("model=a.pt", *TRAINING, *QUICK[1:])
    assert made.code == 0, made.err
    first, *_, last = rows_of(made.folder / "training.csv")
    again = kan_run(f"model={made.folder}/trained.safetensors", *TRAINING, *QUICK[1:])
    assert again.code == 0, again.err
    start = rows_of(again.folder / "training.csv")[0]
    assert float(start["train_loss"]) == pytest.approx(float(last["train_loss"]), rel=1e-6)
    assert float(last["train_loss"]) < float(first["train_loss"])


@pytest.mark.slow
def test_checkpoints_are_swept_and_ranked_by_their_names(kan_run, files):
    made = kan_run("-m", "model=a.pt,b.pt", "seed=0,1", *TRAINING, *QUICK[1:], "hydra.sweep.dir=s")
    assert made.code == 0, made.err
    assert kan_run("rank", "s").code == 0
    ranking = json.loads((files / "s" / "ranking.json").read_text())
    assert {row["init"] for row in ranking["metrics"]["rel_l2"]["schemes"]} == {"checkpoint a.pt", "checkpoint b.pt"}


@pytest.mark.slow
def test_presets_beside_a_checkpoint_have_its_sizes(kan_run, files):
    shared = ("inputs.n=30", "model.base_fun=gelu", "sweep.workers=0")
    outcome = kan_run("compare", "a.pt", "b.pt", "glorot", "gain=2", *shared, "-o", "both")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-2:] == ["both/compare.csv", "both/compare.png"]
    header = (files / "both" / "compare.csv").read_text().splitlines()[0]
    assert header == "statistic,model=a.pt,model=b.pt,init=glorot base_fun='gelu' gain=2"
    config, theirs = (
        json.loads((files / "both" / name / "0" / "run.json").read_text())["config"]
        for name in ("presets", "checkpoints")
    )
    assert (config["width"], config["grid"]["size"], config["k"], config["init"]["gain"]) == ([2, 4, 1], 4, 2, 2)
    assert all(config[name] == theirs[name] for name in ("width", "grid", "k", "base_fun", "dtype", "inputs"))
    for words, message in ((("a.pt",), "1 column"), (("a.pt", "glorot", "beta=3"), "beta=3"), (("c.pt",), "no such")):
        refused = kan_run("compare", *words, "sweep.workers=0", "-o", "none")
        assert refused.code == 2
        assert message in refused.err
        assert not (files / "none").exists()
