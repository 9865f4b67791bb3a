"""kan-run from the outside: what a run prints, writes and returns."""

import csv
import json
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
    assert config["inputs"] == {"kind": "normal", "n": 100, "mean": 0.0, "std": 1.0}
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
def test_hydras_own_outputs_are_disabled(kan_run, tmp_path):
    outcome = kan_run(
        "hydra.output_subdir=foo", "hydra/job_logging=default", "hydra.job.chdir=true", "hydra.run.dir=run"
    )
    assert outcome.code == 0, outcome.err
    assert files(outcome.folder) == FILES
    assert outcome.out.splitlines()[-1] == "run"


@pytest.mark.slow
def test_titles_and_names_are_plain_text(kan_run):
    assert kan_run("figures.title='$\\frac{1$'", "figures.in_vars=['$x_$',b]").code == 0


@pytest.mark.slow
def test_glob_sweeps_over_presets(kan_run, tmp_path):
    outcome = kan_run("-m", "init=glob(*symmetric)", "figures=none")
    assert outcome.code == 0, outcome.err
    assert "2 of 2 runs complete" in outcome.out


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


def test_hydra_folder_records_overrides_and_config(kan_run):
    folder = kan_run("width=2-5-1", "grid=7", "noise_scale=0.5").folder
    assert (folder / ".hydra" / "overrides.yaml").read_text() == "- width=2-5-1\n- grid=7\n- noise_scale=0.5\n"
    assert "noise_scale: 0.5" in (folder / ".hydra" / "config.yaml").read_text()
    assert (folder / ".hydra" / "hydra.yaml").read_text().startswith("hydra:\n")


@pytest.mark.slow
def test_hydra_run_dir_is_not_reused(kan_run):
    outcome = kan_run("hydra.run.dir=here/it is")
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == "here/it is"
    before = files(outcome.folder)
    again = kan_run("hydra.run.dir=here/it is", "seed=1")
    assert again.code == 2
    assert "is not empty" in again.err
    assert files(outcome.folder) == before
    assert outcome.json("run.json")["seed"] == 0


@pytest.mark.slow
def test_two_runs_have_two_folders(kan_run):
    assert kan_run("figures=none").folder != kan_run("figures=none").folder


@pytest.mark.slow
def test_runs_repeat_to_the_byte(kan_run):
    first, second = kan_run("init=noisy"), kan_run("init=noisy")
    for name in ("stats.json", "params.safetensors", "activations.safetensors", "edges.csv", "figures/network.png"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


@pytest.mark.slow
def test_more_samples_keep_the_first_ones(kan_run):
    few, many = (kan_run(f"inputs.n={n}", "figures=none") for n in (100, 200))
    inputs = [load_file(run.folder / "activations.safetensors")["inputs"] for run in (few, many)]
    assert torch.equal(inputs[0], inputs[1][:100])
    params = [(run.folder / "params.safetensors").read_bytes() for run in (few, many)]
    assert params[0] == params[1]


@pytest.mark.slow
def test_activations_can_be_limited_or_left_out(kan_run):
    outcome = kan_run("activations.n=7", "figures=none")
    assert load_file(outcome.folder / "activations.safetensors")["layers.1.postacts"].shape == (7, 5, 1)
    outcome = kan_run("activations.n=0", "figures=none")
    assert not (outcome.folder / "activations.safetensors").exists()


@pytest.mark.slow
def test_chunks_do_not_change_the_statistics(kan_run, monkeypatch):
    one_chunk = kan_run("inputs.n=1000", "dtype=float64", "figures=none")
    monkeypatch.setattr("kancli.config.memory.CHUNK_NUMBERS", 1000)
    chunks = kan_run("inputs.n=1000", "dtype=float64", "figures=none")
    for a, b in zip(one_chunk.json("stats.json")["layers"], chunks.json("stats.json")["layers"], strict=True):
        assert a["postacts"] == pytest.approx(b["postacts"], rel=1e-10)
        assert a["spline_share"] == pytest.approx(b["spline_share"], rel=1e-10)
        assert a["off_grid"] == b["off_grid"]
    tensors = [load_file(run.folder / "activations.safetensors") for run in (one_chunk, chunks)]
    for name in tensors[0]:
        torch.testing.assert_close(tensors[0][name], tensors[1][name])


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


def test_version_and_cfg(kan_run, tmp_path):
    assert kan_run("--version").out == f"kan-run {__version__}\n"
    outcome = kan_run("--cfg", "job", "grid=7", "init=linear")
    assert outcome.code == 0
    assert "size: 7" in outcome.out
    assert "base_fun: identity" in outcome.out
    assert list(tmp_path.iterdir()) == []
    assert kan_run("--cfg", "job", "k=-1").code == 2


@pytest.mark.slow
def test_sweep_of_the_six_reference_cases(kan_run, tmp_path):
    outcome = kan_run("-m", "experiment=reference")
    assert outcome.code == 0, outcome.err
    folders = sorted(tmp_path.glob("multirun/*/*/[0-5]"))
    assert len(folders) == 6
    knobs = []
    for folder in folders:
        run = json.loads((folder / "run.json").read_text())
        assert run["status"] == "complete"
        assert (folder / "figures" / "network.png").is_file()
        init = run["config"]["init"]
        knobs.append((init["noise_scale"], init["noise_scale_base"], run["config"]["base_fun"]))
    assert knobs == list(CASES.values())
    assert "6 of 6 runs complete" in outcome.out


@pytest.mark.slow
def test_sweeps_mix_presets_values_and_ranges(kan_run, tmp_path):
    outcome = kan_run(
        "-m", "init=linear,default", "grid=coarse,7", "width=[2,1],2-3-1", "seed=range(2)", "figures=none"
    )
    assert outcome.code == 0, outcome.err
    configs = [json.loads(path.read_text())["config"] for path in tmp_path.glob("multirun/*/*/*/run.json")]
    seen = {(c["base_fun"], c["grid"]["size"], tuple(c["width"]), c["seed"]) for c in configs}
    assert len(seen) == len(configs) == 16
    assert seen == {
        (base, grid, width, seed)
        for base in ("identity", "silu") for grid in (3, 7) for width in ((2, 1), (2, 3, 1)) for seed in (0, 1)
    }  # fmt: skip


@pytest.mark.slow
def test_sweep_job_equals_the_single_run(kan_run, tmp_path):
    kan_run("-m", "seed=0,3", "init=noisy", "figures=default")
    single = kan_run("seed=3", "init=noisy")
    (job,) = tmp_path.glob("multirun/*/*/1")
    for name in ("params.safetensors", "activations.safetensors", "stats.json", "figures/network.png"):
        assert (job / name).read_bytes() == (single.folder / name).read_bytes()


@pytest.mark.slow
def test_failed_job_does_not_stop_the_others(kan_run, tmp_path):
    outcome = kan_run("-m", "noise_scale=1e30,0.1", "base_fun=square", "figures=none")
    assert outcome.code == 6
    assert "noise_scale=1e+30" in outcome.err
    assert "1 of 2 runs complete" in outcome.out
    statuses = [json.loads(path.read_text())["status"] for path in sorted(tmp_path.glob("multirun/*/*/*/run.json"))]
    assert statuses == ["failed", "complete"]


def test_invalid_job_stops_a_sweep_before_it_starts(kan_run, tmp_path):
    outcome = kan_run("-m", "grid=3,0", "init=linear,nosy")
    assert outcome.code == 2
    assert "grid=0" in outcome.err
    assert "did you mean noisy?" in outcome.err
    assert len(outcome.err.splitlines()) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argv", [["-c", "job"], ["--cfg", "job"], ["--cfg=job"]])
def test_cfg_prints_the_config(kan_run, argv):
    answer = kan_run(*argv, "grid=7")
    assert answer.code == 0, answer.err
    assert "size: 7" in answer.out


@pytest.mark.parametrize("argv", [["-cd", "own"], ["--config-dir", "own"], ["--config-dir=own"], ["-cd=own"]])
def test_config_dir_in_any_spelling(kan_run, tmp_path, argv):
    (tmp_path / "own/init").mkdir(parents=True)
    (tmp_path / "own/init/mine.yaml").write_text("scheme: default\nnoise_scale: 0.5\n")
    assert "noise_scale: 0.5" in kan_run(*argv, "init=mine", "--cfg", "job").out


@pytest.mark.parametrize("word", ["-cd", "--config-dir", "--config-dir="])
def test_config_dir_needs_a_folder(kan_run, word):
    answer = kan_run("init=linear", word)
    assert answer.code == 2
    assert "name a folder" in answer.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        ["width=bottleneck", "inputs.n=20000", "activations.n=20000", "init=pykan_0_2_8"],
        ["width=64-128-10", "init=glorot", "stats=full", "activations.n=100"],
        ["n_seeds=70", "width=8-8-1", "init=lecun_norm"],
        ["n_seeds=3", "width=8-8-1", "grid.adapt=samples"],
    ],
    ids=" ".join,
)
def test_results_do_not_depend_on_the_number_of_threads(kan_run, case):
    before, records = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            record = kan_run(*case, "figures=none").json("run.json")
            assert record["threads"] == threads
            records.append((record["ladder"], record["sha256"]["tensors"]))
    finally:
        torch.set_num_threads(before)
    assert records[0] == records[1] == records[2]
