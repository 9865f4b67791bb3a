"""`kan-run draw`: the same figures from the folder alone, and clear errors for a damaged folder."""

import hashlib
import json

import pytest

from tests.runs.records import edit_record, reseal

CASES = {
    "default": [],
    "an ensemble": ["n_seeds=3", "stats=full", "figures=all"],
    "many members": ["n_seeds=60", "init=glorot", "figures=[activations,distributions]"],
    "bias": ["init=pykan_0_0_5", "width=2-3-1", "figures=all"],
    "standardised bases of several members": ["init=lecun_norm", "n_seeds=3", "figures=[network,activations]"],
    "per-input knots of several members": ["grid.adapt=samples", "n_seeds=3", "figures=[network,activations]"],
    "parts and ranges": ["figures.parts=true", "figures.tick=true", "figures.scale=0.5"],
    "standardised bases without activations": ["init=lecun_norm", "activations.n=0"],
    "per-input knots": ["grid.adapt=samples", "grid.eps=0.3", "dtype=float64"],
    "options of the figure": ["figures.style=dark", "figures.beta=7", "figures.title=a, b", "figures.metric=std"],
}


LAYER = {"layer": 0, "n_in": 2, "n_out": 5}


def record(**fields):
    return json.dumps({"status": "complete", "config": {}, "sha256": {"files": {}}, **fields})


def stats(**entries):
    return json.dumps({"schema": 2, "layers": [], **entries})


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_figures_are_redrawn_byte_for_byte(kan_run, case):
    words = [word.replace("a, b", "'a, b'") for word in CASES[case]]
    run = kan_run(*words, "figures.format=[png,svg,pdf]", "figures.dpi=50")
    assert run.code == 0, run.err
    before = {path.name: path.read_bytes() for path in (run.folder / "figures").iterdir()}
    for path in (run.folder / "figures").glob("*.*"):
        path.unlink()
    again = kan_run("draw", run.out.splitlines()[-1])
    assert again.code == 0, again.err
    assert {path.name: path.read_bytes() for path in (run.folder / "figures").iterdir()} == before
    assert {line.rpartition("/")[2] for line in again.out.splitlines()} == set(before)


@pytest.mark.slow
def test_other_figures_and_another_style(kan_run):
    run = kan_run("figures=none")
    folder = run.out.splitlines()[-1]
    assert not (run.folder / "figures").exists()
    again = kan_run("draw", folder, "figures=[network,propagation]", "figures.format=svg", "figures.style=dark")
    assert again.out.splitlines() == [f"{folder}/figures/network.svg", f"{folder}/figures/propagation.svg"]
    for name, digest in run.json("run.json")["sha256"]["files"].items():
        assert hashlib.sha256((run.folder / name).read_bytes()).hexdigest() == digest
    assert run.json("run.json")["status"] == "complete"
    fresh = kan_run("figures=network", "figures.format=svg", "figures.style=dark")
    # Ranges and scores come from the kept samples: all of them here.
    assert (run.folder / "figures/network.svg").read_bytes() == (fresh.folder / "figures/network.svg").read_bytes()


def test_a_figure_is_replaced_only_with_overwrite(kan_run, kan_run_once):
    run = kan_run_once("width=1-1")
    folder, figure = run.out.splitlines()[-1], run.folder / "figures/network.png"
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    refused = kan_run("draw", folder, "figures.style=dark", "figures=[network,propagation]")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        f"kan-run: {folder}/figures/network.png: there already, with other content; type --overwrite to replace it,"
        " or -o DIR to write elsewhere\n"
    )
    assert kan_run("draw", folder, "figures.style=dark", "-o", "dark").out == "dark/network.png\n"
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before
    same = kan_run("draw", folder, "figures=[network,propagation]")
    assert same.out.splitlines() == [f"{folder}/figures/network.png", f"{folder}/figures/propagation.png"]
    assert figure.read_bytes() == before[figure], "the same figure is no other content"
    assert kan_run("draw", folder, "figures.style=dark", "--overwrite").code == 0
    assert figure.read_bytes() == (run.cwd / "dark/network.png").read_bytes()
    recorded = run.json("run.json")["sha256"]["files"]
    for name in ("network", "propagation"):
        content = (run.folder / f"figures/{name}.png").read_bytes()
        assert recorded[f"figures/{name}.png"] == hashlib.sha256(content).hexdigest()


def test_no_folder_is_created_without_a_figure(kan_run, kan_run_once):
    run = kan_run_once("figures=none", "width=1-1")
    answer = kan_run("draw", run.out.splitlines()[-1], "figures=symmetry")
    assert answer.code == 2
    assert "no layer has several nodes" in answer.err
    assert "nothing to draw" in answer.err
    assert not (run.folder / "figures").exists()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "name the folder of a run"),
        (["figures=all"], "name the folder of a run"),
        (["nowhere"], "nowhere/run.json: no such file"),
        (["RUN", "width=3-1"], "width: a run is drawn as it was"),
        (["RUN", "init=linear"], "init: a run is drawn as it was"),
        (["RUN", "figures=netwrk"], "figures=netwrk: allowed"),
        (["RUN", "figures.style=pink"], "figures.style=pink: allowed: one of light, dark"),
        (["RUN", "hydra.run.dir=x"], "only figures can be chosen"),
    ],
)
def test_a_mistake_gives_a_message(kan_run, kan_run_once, argv, says):
    folder = kan_run_once("figures=none").out.splitlines()[-1]
    answer = kan_run("draw", *(folder if word == "RUN" else word for word in argv))
    assert answer.code == 2
    assert says in answer.err
    assert len(answer.err.splitlines()) <= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "harm"),
    [
        (name, harm)
        for name in ("run.json", "stats.json", "params.safetensors", "activations.safetensors")
        for harm in ("cut", "garbage", "of another network")
        if (name, harm) != ("stats.json", "of another network")  # this figure does not compare it with the tensors
    ],
)
def test_a_damaged_file_is_named(kan_run, kan_run_once, name, harm):
    run = kan_run_once("figures=none", "width=2-3-1")
    path, sha256 = run.folder / name, run.json("run.json")["sha256"]
    if harm == "of another network":
        path.write_bytes((kan_run_once("figures=none", "width=3-4-1").folder / name).read_bytes())
        if name == "run.json":
            edit_record(run.folder, sha256=sha256)
        else:
            reseal(run.folder)
    else:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if harm == "cut" else b"\x00\xff not at all" * 40)
    answer = kan_run("draw", run.out.splitlines()[-1], "figures=network")
    assert answer.code == 2, answer.err
    (line,) = answer.err.splitlines()
    assert (name if harm != "of another network" else "its tensors are not those of its config") in line


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("run.json", "[1, 2]", "run.json: damaged: ValidationError: Expected `object`, got `array`"),
        ("run.json", record(config={"figures": 3}), "figures are no section"),
        ("run.json", record(config={"width": "a", "grid": [], "figures": {}}), "width=a: allowed"),
        ("run.json", record(sha256="x"), "Expected `object`, got `str` - at `$.sha256`"),
        ("run.json", record(sha256={"files": []}), "Expected `object`, got `array` - at `$.sha256.files`"),
        ("run.json", '{"status": "complete"}', "Object missing required field `config`"),
        ("run.json", record(status="running"), "run.json says 'running'"),
        ("stats.json", '{"schema": 1}', "have schema 1; this kancli reads 2"),
        ("stats.json", stats(layers=[LAYER], verdicts=[]), "not the statistics of 2 layers"),
        ("stats.json", stats(layers=None), "Expected `array`, got `null` - at `$.layers`"),
        ("stats.json", stats(layers=[{}, {}], verdicts=[]), "missing required field `layer` - at `$[0]`"),
        (
            "stats.json",
            stats(layers=[LAYER, {**LAYER, "layer": 1}], verdicts=[], propagation={"signal_by_layer": [1]}),
            "cannot be drawn",
        ),
        (
            "stats.json",
            stats(layers=[{**LAYER, "preacts": {"rms": "big"}}], verdicts=[]),
            "got `str` - at `$.layers[0]",
        ),
        ("stats.json", "[" * 100_000, "damaged"),
    ],
)
def test_content_of_another_type_is_reported(kan_run, kan_run_once, name, content, says):
    run = kan_run_once("figures=none")
    (run.folder / name).write_text(content)
    if name == "stats.json":
        reseal(run.folder)
    answer = kan_run("draw", run.out.splitlines()[-1], "figures=propagation")
    assert answer.code == 2, answer.err
    assert says in answer.err
    assert len(answer.err.splitlines()) <= 3


@pytest.mark.slow
def test_standardised_bases_of_a_run_without_figures(kan_run):
    """Basis statistics are computed from the kept samples: all of them here."""
    run = kan_run("figures=none", "init=lecun_norm")
    assert kan_run("draw", run.out.splitlines()[-1], "figures=network").code == 0
    fresh = kan_run("init=lecun_norm")
    assert (run.folder / "figures/network.png").read_bytes() == (fresh.folder / "figures/network.png").read_bytes()


SCHEME = """
from dataclasses import dataclass
from kancli.inits import Scheme
from kancli.inits.laws import Constant, Normal

@dataclass(frozen=True)
class Mine(Scheme):
    def laws(self, size):
        return {"scale_base": Constant(1.0), "scale_sp": Constant(1.0), "coef": Normal(0.0, 1.0)}
"""


@pytest.mark.slow
def test_a_users_scheme_is_imported_only_with_config_dir(kan_run, tmp_path, monkeypatch):
    own = tmp_path / "own"
    (own / "init").mkdir(parents=True)
    (own / "drawn_scheme.py").write_text(SCHEME)
    (own / "init/mine.yaml").write_text("_target_: drawn_scheme.Mine\n")
    monkeypatch.syspath_prepend(str(tmp_path / "nothing"))
    run = kan_run("--config-dir", "own", "init=mine", "figures=distributions", "figures.format=svg")
    assert run.code == 0, run.err
    path = run.folder / "figures/distributions.svg"
    before = path.read_bytes()
    folder = run.out.splitlines()[-1]
    assert kan_run("draw", folder, "--overwrite").code == 0
    assert path.read_bytes() != before, "without its law"
    assert kan_run("draw", folder, "--config-dir", "own", "--overwrite").code == 0
    assert path.read_bytes() == before


@pytest.mark.slow
def test_several_runs_are_drawn_side_by_side(kan_run, kan_run_once, tmp_path):
    folders = [kan_run_once(f"init={name}", "figures=none").out.splitlines()[-1] for name in ("linear", "glorot")]
    drawn = kan_run("draw", *folders, "figures.format=svg")
    assert drawn.out.splitlines() == [f"{folders[0]}/figures/{name}.svg" for name in ("compare", "sweep")], drawn.err
    assert 'id="layer 1 curves"' in (tmp_path / folders[0] / "figures/compare.svg").read_text()


@pytest.mark.slow
def test_a_sweep_is_drawn_from_its_folder(kan_run, tmp_path):
    swept = kan_run("-m", "noise_scale=0.1,1", "seed=0,1", "figures=none")
    assert swept.code == 0
    folder = next((tmp_path / "multirun").glob("*/*"))
    (folder / "2" / "run.json").write_text("{}")
    drawn = kan_run("draw", str(folder), "figures.dpi=50", "--overwrite")
    assert drawn.out.splitlines() == [f"{folder}/figures/compare.png", f"{folder}/figures/sweep.png"]
    assert f"{folder}/2/run.json: damaged: ValidationError: Object missing required field" in drawn.err
    assert all((folder / "figures" / name).read_bytes()[:4] == b"\x89PNG" for name in ("compare.png", "sweep.png"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stats.json", "params.safetensors", "run.json"])
def test_a_damaged_job_of_a_sweep_is_named_and_left_out(kan_run, tmp_path, name):
    assert kan_run("-m", "noise_scale=0.1,1,10", "figures=none").code == 0
    folder = next((tmp_path / "multirun").glob("*/*"))
    (folder / "1" / name).write_text("")
    drawn = kan_run("draw", str(folder), "figures.dpi=50", "--overwrite")
    assert drawn.code == 0, drawn.err
    assert f"{folder}/1/{name}" in drawn.err or f"{folder}/1: damaged: {name} is not what the run wrote" in drawn.err
    assert len(drawn.out.splitlines()) == 2


def test_a_sweep_among_runs_is_refused(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "figures=none")
    folder = next((tmp_path / "multirun").glob("*/*"))
    answer = kan_run("draw", str(folder / "0"), str(folder))
    assert (answer.code, answer.err) == (2, f"kan-run: {folder}: a sweep is drawn alone: kan-run draw {folder}\n")


def test_no_figure_is_replaced_if_one_fails(kan_run):
    run = kan_run("figures=[network,propagation]")
    before = {path.name: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    stats = run.json("stats.json")
    stats["propagation"]["signal_by_layer"] = [1.0]
    (run.folder / "stats.json").write_text(json.dumps(stats))
    reseal(run.folder)
    before["run.json"] = (run.folder / "run.json").read_bytes()
    answer = kan_run("draw", run.out.splitlines()[-1], "figures.style=dark", "--overwrite")
    assert answer.code == 2
    assert "cannot be drawn" in answer.err
    after = {path.name: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert {name for name in before if before[name] != after[name]} == {"stats.json"}


def test_letters_missing_from_the_font_give_one_warning(kan_run):
    run = kan_run("figures.in_vars=['日本',x]")
    assert (run.code, run.err.count("\n")) == (0, 1)
    assert "the font lacks some letters" in run.err


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("run.json", record(overrides=3), "Expected `array`, got `int` - at `$.overrides`"),
        ("stats.json", stats(verdicts=3), "Expected `array`, got `int` - at `$.verdicts`"),
        ("stats.json", stats(verdicts=[{"name": "rough", "value": "x"}]), "got `str` - at `$.verdicts[0].value`"),
        ("stats.json", stats(verdicts=[{"name": "rough"}]), "missing required field `value` - at `$.verdicts[0]`"),
        ("stats.json", stats(), "missing required field `verdicts`"),
        ("run.json", "[", "damaged"),
    ],
)
def test_a_damaged_run_among_several_is_named(kan_run, kan_run_once, name, content, says):
    folders = [kan_run_once(f"seed={seed}", "figures=none") for seed in (0, 1)]
    (folders[1].folder / name).write_text(content)
    if name == "stats.json":
        reseal(folders[1].folder)
    answer = kan_run("draw", *(run.out.splitlines()[-1] for run in folders))
    assert answer.code == 2
    assert says in answer.err
    assert f"{folders[1].out.splitlines()[-1]}/{name}" in answer.err
    assert len(answer.err.splitlines()) <= 3
