"""kan-run from the outside: what a run prints, writes and returns."""

import csv
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kancli._version import __version__
from tests.oracles import kan as oracle

CASES = {
    "default": (0.1, 0.1, "silu"),
    "linear": (0, 0, "identity"),
    "noisy": (1, 0.1, "silu"),
    "very_noisy": (10, 0.1, "silu"),
    "symmetric": (0.1, 0, "silu"),
    "asymmetric": (0.1, 1, "silu"),
}
FILES = {
    "run.json", "stats.json", "layers.csv", "edges.csv", "params.safetensors", "activations.safetensors", "run.log",
    "figures/network.png", "figures.safetensors", ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml",
}  # fmt: skip


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_first_command_of_the_readme(kan_run):
    outcome = kan_run("init=linear", "noise_scale=1.0")
    assert outcome.code == 0
    assert outcome.err == ""
    assert files(outcome.folder) == FILES
    run = outcome.json("run.json")
    assert run["status"] == "complete"
    assert run["config"]["init"] == {"scheme": "default", "noise_scale": 1.0, "noise_scale_base": 0.0}
    assert run["config"]["base_fun"] == "identity"
    coef = load_file(outcome.folder / "params.safetensors")["layers.0.coef"]
    assert 0.1 < coef.std() < 0.3, "noise_scale=1.0 wins over the preset's 0: coef ~ N(0, 1/5)"
    assert outcome.folder.parent.parent.name == "outputs"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_reference_case_follows_its_law(kan_run, case):
    noise_scale, noise_scale_base, base = CASES[case]
    outcome = kan_run(f"init={case}", "dtype=float64", "width=[3,40,40]", "figures=none")
    params = load_file(outcome.folder / "params.safetensors")
    for layer, n_in in ((0, 3), (1, 40)):
        scale_base = params[f"layers.{layer}.scale_base"].numpy()
        noise = scale_base - 1 / math.sqrt(n_in)
        assert np.abs(noise).max() <= noise_scale_base + 1e-15
        if noise_scale_base:
            assert noise.std() == pytest.approx(noise_scale_base / math.sqrt(3), rel=0.1)
        assert (params[f"layers.{layer}.scale_sp"] == 1).all()
        coef = params[f"layers.{layer}.coef"].numpy()
        assert coef.std() == pytest.approx(noise_scale / 5, rel=0.1)
        assert abs(coef.mean()) <= 5 * noise_scale / 5 / math.sqrt(coef.size)
    activations = load_file(outcome.folder / "activations.safetensors")
    tensors = [params[f"layers.0.{name}"].numpy() for name in ("coef", "scale_base", "scale_sp")]
    postacts = oracle.layer(activations["inputs"].numpy(), *tensors, base)
    np.testing.assert_allclose(activations["layers.0.postacts"], postacts, atol=1e-12)


def test_kan_run_without_words_is_the_default_case(kan_run):
    outcome = kan_run()
    config = outcome.json("run.json")["config"]
    assert (config["width"], config["grid"]["size"], config["k"], config["seed"]) == ([2, 5, 1], 5, 3, 0)
    assert config["inputs"] == {"kind": "normal", "n": 100, "mean": 0.0, "std": 1.0, "seed": None}
    spelt = kan_run("width=[2,5,1]", "grid=5", "k=3", "seed=0", "init=default")
    assert spelt.json("run.json")["identity"] == outcome.json("run.json")["identity"]
    tensors = [run.json("run.json")["sha256"]["tensors"] for run in (outcome, spelt)]
    assert tensors[0] == tensors[1]


def test_names_and_shapes_of_the_tensors(kan_run):
    outcome = kan_run("width=3-4-2", "grid=6", "k=2", "inputs.n=10", "figures=none")
    shapes = {name: tuple(t.shape) for name, t in load_file(outcome.folder / "params.safetensors").items()}
    assert shapes == {
        "layers.0.coef": (3, 4, 8), "layers.0.scale_base": (3, 4), "layers.0.scale_sp": (3, 4), "layers.0.knots": (11,),
        "layers.1.coef": (4, 2, 8), "layers.1.scale_base": (4, 2), "layers.1.scale_sp": (4, 2), "layers.1.knots": (11,),
    }  # fmt: skip
    shapes = {name: tuple(t.shape) for name, t in load_file(outcome.folder / "activations.safetensors").items()}
    assert shapes == {
        "inputs": (10, 3), "output": (10, 2),
        "layers.0.preacts": (10, 3), "layers.0.spline": (10, 3, 4), "layers.0.postacts": (10, 3, 4),
        "layers.1.preacts": (10, 4), "layers.1.spline": (10, 4, 2), "layers.1.postacts": (10, 4, 2),
    }  # fmt: skip


def test_csv_tables_equal_stats_json(kan_run):
    outcome = kan_run("width=3-4-2", "figures=none")
    stats = outcome.json("stats.json")
    assert {"schema", "epsilon", "layers", "propagation", "jacobian", "ntk", "verdicts", "reasons"} == set(stats)
    with (outcome.folder / "edges.csv").open() as file:
        edges = list(csv.DictReader(file))
    assert len(edges) == 3 * 4 + 4 * 2
    flat = [
        {"layer": layer["layer"], **dict(zip(layer["edges"], values, strict=True))}
        for layer in stats["layers"]
        for values in zip(*layer["edges"].values(), strict=True)
    ]
    assert [{name: float(value) for name, value in row.items()} for row in edges] == flat
    with (outcome.folder / "layers.csv").open() as file:
        layers = list(csv.DictReader(file))
    assert [float(row["coef_std"]) for row in layers] == [layer["coef"]["std"] for layer in stats["layers"]]
    assert [float(row["off_grid"]) for row in layers] == [layer["off_grid"] for layer in stats["layers"]]


def verdicts_of(outcome):
    return {verdict["name"]: verdict["verdict"] for verdict in outcome.json("stats.json")["verdicts"]}


@pytest.mark.slow
def test_linear_case_is_linear(kan_run):
    outcome = kan_run("init=linear", "figures=none")
    for layer in outcome.json("stats.json")["layers"]:
        assert layer["nonlinearity"]["max"] < 1e-12
        assert layer["monotone"] == 1
        assert layer["edges"]["slope"] == pytest.approx(layer["edges"]["scale_base"], rel=1e-6)
        assert layer["edges"]["intercept"] == pytest.approx([0] * len(layer["edges"]["in"]), abs=1e-7)
    assert verdicts_of(outcome)["linear"] == "warn"
    assert verdicts_of(kan_run("init=linear", "inputs.mean=1000"))["linear"] == "warn", "far from 0 it is as straight"
    for other in (["init=default"], ["init=linear", "noise_scale=0.1"]):
        assert verdicts_of(kan_run(*other))["linear"] == "pass"


# What the captions of the reference say, as verdicts; those not named are passed or were not measured.
SIX = {
    "default": {"spline_inert": "warn"},
    "linear": {"spline_inert": "warn", "linear": "warn", "nodes_degenerate": "fail"},
    "noisy": {},
    "very_noisy": {"off_grid": "warn", "rough": "warn"},
    "symmetric": {"spline_inert": "warn", "nodes_degenerate": "fail"},
    "asymmetric": {"spline_inert": "warn"},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", SIX)
def test_reference_cases_get_the_verdicts_of_their_captions(kan_run, case):
    verdicts = verdicts_of(kan_run(f"init={case}", "figures=none"))
    assert {name: verdict for name, verdict in verdicts.items() if verdict not in ("pass", None)} == SIX[case]


@pytest.mark.slow
def test_failed_verdict_with_strict_is_exit_code_4(kan_run):
    outcome = kan_run("init=symmetric", "strict=true", "figures=none")
    assert outcome.code == 4
    (line,) = outcome.err.splitlines()
    assert "nodes_degenerate 0.0" in line
    assert "bound 0.04" in line
    run = outcome.json("run.json")
    assert (run["status"], run["failed_verdicts"]) == ("complete", ["nodes_degenerate"])
    assert kan_run("init=symmetric", "strict=true", "verdicts.nodes_degenerate=[0.05,null]").code == 0
    assert kan_run("init=default", "strict=true", "stats=full").code == 0
    assert kan_run("strict=true", "stats=none", "init=symmetric").code == 0


def test_glossary_covers_adapted_knots(kan_run):
    from kancli.stats.glossary import ADAPTED

    layer = kan_run("grid.adapt=samples", "figures=none").json("stats.json")["layers"][0]
    assert {"coef_as_drawn", *(f"refit.{name}" for name in layer["refit"])} == set(ADAPTED)
    assert "coef_as_drawn" in layer


def test_invalid_bounds_of_a_verdict(kan_run):
    for bounds in ("0.5", "[0.1]", "[a,b]", "[0.1,0.2,0.3]", "[3,2]"):
        outcome = kan_run(f"verdicts.rough={bounds}")
        assert outcome.code == 2
        assert "verdicts.rough=" in outcome.err
        assert "[warn, fail]" in outcome.err
    assert kan_run("verdicts.linear=[1e-6,1e-3]").code == 2, "lower is worse: it would fail before it warns"
    assert "did you mean verdicts.rough" in kan_run("verdicts.rouh=[1,2]").err
    assert "stats.ntk.n=0: allowed: integer, 1 to" in kan_run("stats.ntk.n=0").err
    assert "did you mean stats.ntk.n" in kan_run("stats.ntk.m=3").err


def test_full_disk_is_answered_in_one_line(kan_run, monkeypatch):
    from kancli.runs.folder import RunFolder

    write = RunFolder.write

    def fill(self, name, content):
        if name == "edges.csv":
            monkeypatch.setattr("pathlib.Path.open", _no_space)
        write(self, name, content)

    monkeypatch.setattr(RunFolder, "write", fill)
    outcome = kan_run("hydra.run.dir=run")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert "edges.csv: cannot be written: No space left on device" in outcome.err


def _no_space(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.slow
def test_titles_and_names_are_plain_text(kan_run):
    assert kan_run("figures.title='$\\frac{1$'", "figures.in_vars=['$x_$',b]").code == 0


@pytest.mark.slow
def test_symmetric_and_asymmetric_spread_base_weights_as_named(kan_run):
    spread = {
        case: kan_run(f"init={case}", "figures=none").json("stats.json")["layers"][0]["scale_base"]["std"]
        for case in ("symmetric", "default", "asymmetric")
    }
    assert spread["symmetric"] < 1e-7
    assert 0.02 < spread["default"] < 0.1
    assert spread["asymmetric"] > 0.3


def test_run_json_records_provenance(kan_run):
    run = kan_run("seed=7").json("run.json")
    assert run["seed"] == 7
    assert run["versions"]["kancli"] == __version__
    assert (
        run["versions"]["torch"] == torch.__version__.removesuffix("+cpu")
        or run["versions"]["torch"] == torch.__version__
    )
    assert run["threads"] == torch.get_num_threads()
    assert {"identity", "argv", "platform", "started", "seconds", "sha256"} <= set(run)
    assert run["seconds"]["total"] > 0
    assert set(run["sha256"]["files"]) == FILES - {"run.json"}


@pytest.mark.slow
def test_two_runs_have_two_folders(kan_run):
    assert kan_run("figures=none").folder != kan_run("figures=none").folder


@pytest.mark.slow
def test_activations_can_be_limited_or_left_out(kan_run):
    outcome = kan_run("activations.n=7", "figures=none")
    assert load_file(outcome.folder / "activations.safetensors")["layers.1.postacts"].shape == (7, 5, 1)
    outcome = kan_run("activations.n=0", "figures=none")
    assert not (outcome.folder / "activations.safetensors").exists()


def test_figures_and_statistics_can_be_left_out(kan_run):
    outcome = kan_run("figures=none", "stats=none")
    assert outcome.code == 0
    assert files(outcome.folder) == FILES - {"figures/network.png", "figures.safetensors"}
    stats = outcome.json("stats.json")
    assert [verdict["name"] for verdict in stats["verdicts"]] == ["non_finite"]
    assert stats["layers"] == []
    assert "layers" in stats["reasons"]


@pytest.mark.slow
def test_samples_from_a_file(kan_run, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n0.5,1\n-0.25,2\n3,4\n")
    for argv in (["inputs=file", "inputs.path=x.csv"], ["inputs=x.csv"]):
        outcome = kan_run(*argv, "figures=none")
        inputs = load_file(outcome.folder / "activations.safetensors")["inputs"]
        assert inputs.tolist() == [[0.5, 1], [-0.25, 2], [3, 4]]


def test_non_finite_values_are_recorded_and_exit_code_3(kan_run):
    outcome = kan_run("noise_scale=1e30", "base_fun=square")
    assert outcome.code == 3
    (line,) = outcome.err.splitlines()
    assert "layer 1, edge 0 -> 0, base branch" in line
    assert files(outcome.folder) == FILES
    run = outcome.json("run.json")
    assert run["status"] == "failed"
    assert "base branch" in run["error"]
    assert outcome.json("stats.json")["verdicts"][0]["verdict"] == "fail"


def test_stdout_is_plain_without_a_terminal(kan_run):
    outcome = kan_run()
    assert "\x1b" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80
