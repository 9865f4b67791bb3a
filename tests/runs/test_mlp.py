"""Runs of an MLP: what they leave and leave out, their statistics, and that they repeat and go on."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kancli.kan.mlp import MLP
from tests.kan.test_mlp import sequential
from tests.runs.interrupted import interrupted_after

TASK = ("model=mlp", "task=f2", "width=in-3-out", "grid=3", "task.n=60", "task.test_n=30")
WORDS = (*TASK, "train.steps=20", "train.every=5", "train.lr=0.01", "dtype=float64")


@pytest.fixture
def trained(kan_run_once):
    return kan_run_once(*WORDS, "figures=none")


def test_the_choice_of_the_width_is_in_the_record_the_log_and_the_summary(trained):
    """[2, 3, 1] has 9 edges of 8 numbers; an MLP 4h + 1."""
    record = trained.json("run.json")
    assert record["config"]["model"] == {"kind": "mlp"}
    assert record["mlp"] == {"width": [2, 18, 1], "parameters": 73, "parameters_of_kan": 72}
    line = "MLP 2-18-1, silu, He: 73 parameters, 72 of the KAN"
    assert trained.out.startswith(f"{line}, seed 0, 60 samples: task f2")
    assert line in (trained.folder / "run.log").read_text()


def test_what_is_of_splines_and_edges_is_left_out(trained):
    files = {path.name for path in trained.folder.iterdir()}
    assert {"stats.json", "layers.csv", "training.csv", "trained.safetensors"} <= files
    assert "edges.csv" not in files
    stats = trained.json("stats.json")
    assert not {"edges", "off_grid", "spline_share", "scale_base"} & stats["layers"][0].keys()
    (inert,) = (verdict for verdict in stats["verdicts"] if verdict["name"] == "spline_inert")
    assert (inert["verdict"], inert["detail"]) == (None, "an MLP has no grid and no splines")
    assert "spline share" not in trained.out
    names = load_file(trained.folder / "trained.safetensors").keys()
    assert names == {f"layers.{layer}.{name}" for layer in (0, 1) for name in ("weight", "bias")}


def test_statistics_are_those_of_the_values_of_torchs_modules(trained):
    model = MLP((2, 18, 1), dtype=torch.float64)
    model.load_state_dict(load_file(trained.folder / "params.safetensors"))
    activations = load_file(trained.folder / "activations.safetensors")
    x, plain, stats = activations["inputs"], sequential(model), trained.json("stats.json")
    with torch.no_grad():
        hidden, y = plain[0](x), plain(x)
    for values, layer, name in ((x, 0, "preacts"), (hidden, 0, "output"), (hidden, 1, "preacts"), (y, 1, "output")):
        entry = stats["layers"][layer][name]
        assert entry["rms"] == pytest.approx(values.square().mean().sqrt().item(), rel=1e-10)
        assert entry["node_std"] == pytest.approx(values.var(0, correction=0).mean().sqrt().item(), rel=1e-10)
    ratio = (y.var(correction=0) / x.var(0, correction=0).mean()).sqrt().item()
    assert stats["propagation"]["signal_ratio"] == pytest.approx(ratio, rel=1e-10)
    weight = stats["layers"][1]["weight"]
    assert weight["declared_std"] == pytest.approx((2 / 18) ** 0.5)
    assert weight["std"] == pytest.approx(model.layers[1].weight.std(correction=0).item())
    torch.testing.assert_close(activations["output"], y)


def test_a_run_repeats_and_is_blessed(kan_run, trained):
    assert kan_run("check", str(trained.folder)).out.endswith(": match (exact: same environment)\n")
    assert kan_run("bless", str(trained.folder), "-o", "mlp.json").code == 0
    assert kan_run("check", "mlp.json").code == 0
    again = kan_run("rerun", str(trained.folder), "hydra.run.dir=again")
    assert again.code == 0, again.err
    first, second = (load_file(folder / "trained.safetensors") for folder in (trained.folder, again.cwd / "again"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_resume_goes_on_to_the_same_numbers(kan_run, trained, tmp_path):
    with interrupted_after(2):
        assert kan_run(*WORDS, "figures=none", "hydra.run.dir=run").code == 130
    assert kan_run("resume", "run").code == 0
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert (record["status"], record["ladder"]) == ("complete", trained.json("run.json")["ladder"])


@pytest.mark.slow
def test_figures_of_edges_are_left_out_and_draw_gives_the_others_again(kan_run, tmp_path):
    assert kan_run(*WORDS, "figures=all", "n_seeds=2", "stats=full", "hydra.run.dir=run").code == 0
    figures = {path.name: path.read_bytes() for path in (tmp_path / "run/figures").iterdir()}
    assert figures.keys() == {f"{name}.png" for name in ("propagation", "symmetry", "spectrum", "training", "fit")}
    again = kan_run("draw", "run", "-o", "again")
    assert again.code == 0, again.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").rglob("*.png")} == figures


@pytest.mark.slow
def test_mlps_of_a_sweep_have_the_bits_of_single_runs_and_init_is_no_matter(kan_run, tmp_path, trained):
    words = ["-m", "model=kan,mlp", "init=default,glorot", "seed=1,0", *WORDS[1:], "figures=none"]
    done = kan_run(*words, "hydra.sweep.dir=sweep")
    assert done.code == 0, done.err
    assert "init has no effect on an MLP: jobs that differ only in init run once" in done.err
    records = {path.parent: json.loads(path.read_text()) for path in tmp_path.glob("sweep/*/run.json")}
    mlps = {record["seed"]: folder for folder, record in records.items() if "mlp" in record}
    assert (len(records), len(mlps)) == (6, 2)
    alone, together = (load_file(folder / "trained.safetensors") for folder in (trained.folder, mlps[0]))
    assert all(torch.equal(alone[name], together[name]) for name in alone)
    assert trained.json("stats.json")["layers"] == json.loads((mlps[0] / "stats.json").read_text())["layers"]


def test_an_ensemble_has_the_statistics_of_its_members(kan_run, tmp_path):
    words = ["model=mlp", "width=2-3-2", "figures=none"]
    assert kan_run(*words, "n_seeds=3", "hydra.run.dir=several").code == 0
    rms = []
    for seed in range(3):
        assert kan_run(*words, f"seed={seed}", f"hydra.run.dir=s{seed}").code == 0
        rms.append(json.loads((tmp_path / f"s{seed}/stats.json").read_text())["layers"][1]["output"]["rms"])
    several = json.loads((tmp_path / "several/stats.json").read_text())["layers"][1]["output"]["rms"]
    assert several["mean"] == pytest.approx(np.mean(rms), rel=1e-12)
    assert (several["min"], several["max"]) == (min(rms), max(rms))
