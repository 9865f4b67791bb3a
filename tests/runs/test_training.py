"""Tests of runs that train: what they leave, what repeats, and how they go on after an interruption."""

import csv
import json
import math
import os

import pytest
import torch
from safetensors.torch import load_file

from kancli.runs.training_state import STATE, pack_state, read_state
from kancli.training.result import TrainingState
from tests.runs.interrupted import interrupted_after
from tests.runs.records import edit_record

TASK = ("task=f2", "width=in-3-out", "task.n=60", "task.test_n=30", "figures=none")
WORDS = (*TASK, "train.steps=20", "train.every=5", "train.lr=0.01")


@pytest.fixture
def trained(kan_run_once):
    return kan_run_once(*WORDS)


def rows_of(folder):
    return list(csv.DictReader((folder / "training.csv").read_text().splitlines()))


def test_a_task_adds_its_files_to_those_of_a_run(trained):
    names = {path.name for path in trained.folder.iterdir()}
    assert names >= {"training.csv", "trained.safetensors", "params.safetensors", "stats.json", "run.json"}
    assert STATE not in names
    files = trained.json("run.json")["sha256"]["files"]
    assert {"training.csv", "trained.safetensors"} <= files.keys()
    assert trained.json("run.json")["kernel"] == "torch", "of so short a training"
    before, after = (load_file(trained.folder / f"{name}.safetensors") for name in ("params", "trained"))
    assert before.keys() == after.keys()
    assert not torch.equal(before["layers.0.coef"], after["layers.0.coef"])
    assert torch.equal(before["layers.0.knots"], after["layers.0.knots"])


def test_the_rows_hold_the_losses_of_the_parameters_in_the_files(trained):
    rows = rows_of(trained.folder)
    assert [int(row["step"]) for row in rows] == [0, 5, 10, 15, 20]
    assert {(row["member"], row["seed"]) for row in rows} == {("0", "0")}
    entry = trained.json("stats.json")["training"]
    assert entry["train_loss"] == float(rows[-1]["train_loss"]) < entry["first_train_loss"]
    assert entry["test_loss"] == float(rows[-1]["test_loss"])
    assert entry["rel_l2"] == float(rows[-1]["rel_l2"])
    assert (entry["steps"], entry["diverged"], entry["ended"]) == (20, 0, "steps")
    assert entry["task"] == "f2: exp(sin(pi*x)+y^2)"


def test_the_first_loss_is_that_of_the_drawn_network(trained):
    """By the output that the run kept, and the targets by hand."""
    kept = load_file(trained.folder / "activations.safetensors")
    x, y = kept["inputs"].double(), kept["output"].double()
    target = torch.exp(torch.sin(math.pi * x[:, :1]) + x[:, 1:] ** 2)
    loss = (y - target).square().mean().item()
    assert trained.json("stats.json")["training"]["first_train_loss"] == pytest.approx(loss, rel=1e-5)


def test_the_start_is_that_of_the_run_without_training(kan_run, trained):
    plain = kan_run(*TASK, "train=none")
    one, other = plain.json("run.json")["ladder"], trained.json("run.json")["ladder"]
    assert set(other) - set(one) == {"training"}
    assert {name for name in one if one[name] != other[name]} == {"config"}
    assert "training" not in plain.json("stats.json")


def test_what_is_printed(trained):
    lines = trained.out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("trained on f2: "))
    entry = trained.json("stats.json")["training"]
    assert f"loss {entry['first_train_loss']:.3g} to {entry['train_loss']:.3g}; test loss " in lines[start + 1]
    assert lines[start + 2] == "the loss did not fall to a tenth"


@pytest.mark.slow
def test_members_are_their_single_runs(kan_run, trained):
    together = kan_run(*WORDS, "n_seeds=3")
    entry = together.json("stats.json")["training"]["train_loss"]
    assert entry.keys() == {"mean", "sd", "low", "high", "min", "max", "n"}
    losses = [float(row["train_loss"]) for row in rows_of(together.folder) if row["step"] == "20"]
    assert entry["mean"] == pytest.approx(math.prod(losses) ** (1 / 3))
    assert losses[0] == pytest.approx(float(rows_of(trained.folder)[-1]["train_loss"]), rel=1e-5)
    assert [row["seed"] for row in rows_of(together.folder) if row["step"] == "20"] == ["0", "1", "2"]


@pytest.mark.slow
def test_jobs_of_a_sweep_train_as_single_runs(kan_run, tmp_path):
    sweep = kan_run("-m", *WORDS, "init=default,glorot", "seed=0,1")
    assert sweep.code == 0, sweep.err
    table = list(csv.DictReader(next(tmp_path.glob("multirun/*/*/sweep.csv")).read_text().splitlines()))
    single = kan_run(*WORDS, "init=glorot", "seed=1").json("stats.json")["training"]
    assert float(table[3]["train_loss"]) == pytest.approx(single["train_loss"], rel=1e-5)
    assert float(table[3]["rel_l2"]) == pytest.approx(single["rel_l2"], rel=1e-5)


@pytest.mark.slow
def test_check_repeats_the_training_to_the_bit(kan_run, trained):
    checked = kan_run("check", str(trained.folder))
    assert (checked.code, checked.out.splitlines()) == (0, [f"{trained.folder}: match (exact: same environment)"])


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "code"), [(1.01, 0), (1.5, 4)])
def test_check_compares_final_losses_within_a_tolerance(kan_run, trained, tmp_path, factor, code):
    kan_run("bless", str(trained.folder), "-o", "blessed.json")
    content = json.loads((tmp_path / "blessed.json").read_text())
    content["stats"]["training"]["train_loss"] *= factor
    content["ladder"]["training"] = "0" * 64
    del content["sha256"]
    (tmp_path / "blessed.json").write_text(json.dumps(content))
    checked = kan_run("check", "blessed.json")
    assert checked.code == code
    assert "final losses within 5 %" in checked.out
    assert "first difference: training (equal up to statistics)" in checked.out


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda content: content["stats"]["training"].update(train_loss=0.125), 4),
        (lambda content: content["stats"].update(training=None), 4),
        (lambda content: content["ladder"].pop("training"), 5),
        (lambda content: content["stats"]["training"].update(train_loss={"mean": 0.1}), 5),
    ],
)
def test_an_edited_training_does_not_match(kan_run, trained, tmp_path, harm, code):
    """With a ladder and a file's hash that let it pass."""
    kan_run("bless", str(trained.folder), "-o", "blessed.json")
    content = json.loads((tmp_path / "blessed.json").read_text())
    harm(content)
    del content["sha256"]
    (tmp_path / "blessed.json").write_text(json.dumps(content))
    assert kan_run("check", "blessed.json").code == code


def test_diff_shows_the_final_losses(kan_run, trained, tmp_path):
    other = kan_run(*(word for word in WORDS if "lr" not in word), "train.lr=0.02", "hydra.run.dir=other")
    losses = [run.json("stats.json")["training"]["train_loss"] for run in (trained, other)]
    answer = kan_run("diff", str(trained.folder), "other")
    assert answer.code == 4
    assert f"training.train_loss: {losses[0]} | {losses[1]}\n" in answer.out


def test_ctrl_c_leaves_curves_and_a_state_from_which_resume_goes_on(kan_run, trained, tmp_path):
    with interrupted_after(2):
        stopped = kan_run(*WORDS, "hydra.run.dir=run")
    folder = tmp_path / "run"
    assert stopped.code == 130
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert [row["step"] for row in rows_of(folder)][:2] == ["0", "5"]
    state = read_state(folder)
    assert state is not None
    assert 5 <= state.step < 20
    resumed = kan_run("resume", "run")
    assert (resumed.code, resumed.out.splitlines()[-1]) == (0, "run")
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["ladder"] == trained.json("run.json")["ladder"]
    assert STATE not in record["sha256"]["files"]
    assert not (folder / STATE).exists()
    again = kan_run("resume", "run")
    assert (again.code, again.err) == (2, "kan-run: run: the run has ended (complete); repeat it: kan-run rerun run\n")


def test_a_damaged_state_is_answered(kan_run, tmp_path):
    with interrupted_after(2):
        kan_run(*WORDS, "hydra.run.dir=run")
    path = tmp_path / "run" / STATE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    answer = kan_run("resume", "run")
    assert answer.code == 2
    assert f"damaged: {STATE} is not what the run wrote" in answer.err


def test_a_state_of_another_network_is_answered_and_the_run_stays_as_it_is(kan_run, tmp_path):
    """Its hash fits: what is in it is looked at, too."""
    with interrupted_after(2):
        kan_run(*WORDS, "hydra.run.dir=run")
    path = tmp_path / "run" / STATE
    state = read_state(tmp_path / "run")
    tensors = {name: tensor for name, tensor in state.tensors.items() if name != "layers.1.coef"}
    path.write_bytes(pack_state(TrainingState(tensors, state.plain)))
    answer = kan_run("resume", "run")
    assert answer.code == 2
    assert "layers.1.coef: the state is of another model or training; remove it to train from the start" in answer.err
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "interrupted"
    path.unlink()
    assert kan_run("resume", "run").code == 0


@pytest.mark.parametrize("name", ["run.log", ".hydra/config.yaml"])
def test_resume_waits_for_no_pipe_and_hands_on_no_changed_record(kan_run, tmp_path, name):
    with interrupted_after(2):
        kan_run(*WORDS, "hydra.run.dir=run")
    (tmp_path / "run" / name).unlink()
    os.mkfifo(tmp_path / "run" / name)
    answer = kan_run("resume", "run")
    assert answer.code == 2
    assert f"{name}: damaged: no plain file" in answer.err


def test_a_run_without_training_is_not_resumed(kan_run, tmp_path):
    kan_run("width=2-3-1", "figures=none", "hydra.run.dir=run")
    edit_record(tmp_path / "run", status="interrupted")
    answer = kan_run("resume", "run")
    assert answer.code == 2
    assert "starts again: kan-run rerun run" in answer.err


def test_all_members_diverged_is_exit_3_with_all_files(kan_run):
    answer = kan_run(*TASK, "train.steps=50", "train.optimizer=sgd", "train.lr=1e6", "hydra.run.dir=run")
    assert answer.code == 3
    assert "diverged at step" in answer.err
    stats = json.loads((answer.cwd / "run/stats.json").read_text())
    assert stats["training"]["diverged"] == 1
    assert next(entry for entry in stats["verdicts"] if entry["name"] == "diverges")["verdict"] == "fail"
    assert (answer.cwd / "run/trained.safetensors").exists()


def test_training_a_bias_that_the_network_lacks_is_answered(kan_run):
    answer = kan_run(*TASK, "train.only=bias")
    assert answer.code == 2
    assert answer.err == ("kan-run: train.only=[bias]: this init has no bias; allowed: coef, scale_base, scale_sp\n")
    assert kan_run(*TASK, "init=pykan_0_0_5", "train.only=bias", "train.steps=2").code == 0


def test_keys_of_training_without_a_task_are_answered(kan_run):
    answer = kan_run("train.lr=0.1")
    assert answer.code == 2
    assert answer.err == "kan-run: train.lr=0.1: without a task nothing is trained; add one, such as task=f2\n"


@pytest.mark.slow
def test_the_figures_are_drawn_and_drawn_again(kan_run, tmp_path):
    words = [word for word in WORDS if not word.startswith("figures")]
    first = kan_run(*words, "hydra.run.dir=run")
    assert first.code == 0, first.err
    names = {path.name for path in (tmp_path / "run/figures").iterdir()}
    assert names == {"network.png", "training.png", "fit.png", "network_trained.png"}
    again = kan_run("draw", "run", "-o", "again")
    assert again.code == 0, again.err
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "run/figures" / name).read_bytes(), name


@pytest.mark.slow
def test_the_trained_network_is_measured_on_request(kan_run):
    stats = kan_run(*WORDS, "stats.after=true").json("stats.json")
    assert len(stats["after"]["layers"]) == len(stats["layers"]) == 2
    assert stats["after"]["layers"][0]["coef"]["std"] != stats["layers"][0]["coef"]["std"]


def test_nothing_is_measured_after_training_that_nobody_reads(kan_run, monkeypatch):
    def refuse(*_):
        raise AssertionError("measured")

    monkeypatch.setattr("kancli.runs.training.measure_trained", refuse)
    monkeypatch.setattr("kancli.runs.record_training.measure_trained", refuse)
    monkeypatch.setattr("kancli.runs.record_training.fit_points", refuse)
    assert kan_run(*WORDS).code == 0


@pytest.mark.slow
def test_compare_draws_a_line_of_losses_for_each_scheme(kan_run, tmp_path):
    words = [word for word in WORDS if not word.startswith("figures")]
    compared = kan_run("compare", "default", "glorot", "seed=0,1", *words, "-o", "compared")
    assert compared.code == 0, compared.err
    assert (tmp_path / "compared/figures/training.png").exists()
    table = list(csv.DictReader((tmp_path / "compared/compare.csv").read_text().splitlines()))
    losses = [
        json.loads(path.read_text())["training"]["train_loss"]
        for path in sorted(tmp_path.glob("compared/*/stats.json"), key=lambda path: int(path.parent.name))
    ]
    row = next(row for row in table if row["statistic"] == "train_loss")
    assert float(row["init=default"]) == pytest.approx(math.sqrt(losses[0] * losses[1]))
    assert float(row["init=glorot"]) == pytest.approx(math.sqrt(losses[2] * losses[3]))


def test_an_objective_of_training_needs_a_task(kan_run):
    answer = kan_run("width=2-3-1", "objective=test_loss")
    assert answer.code == 2
    assert "objective=test_loss: nothing is trained; add a task" in answer.err


def test_the_page_tells_of_training(kan_run, trained, tmp_path):
    assert kan_run("report", str(trained.folder)).code == 0
    page = (trained.folder / "report.html").read_text()
    entry = trained.json("stats.json")["training"]
    assert "trained on f2: exp(sin(pi*x)+y^2)" in page
    assert f"loss {entry['first_train_loss']:.3g} to {entry['train_loss']:.3g}" in page


def test_refinements_are_one_value(kan_run):
    done = kan_run(*WORDS, "train.refine=5:8,10:12")
    assert done.code == 0, done.err
    trained = load_file(done.folder / "trained.safetensors")
    assert trained["layers.0.coef"].shape == (2, 3, 15)
    assert done.json("run.json")["config"]["train"]["refine"] == "5:8,10:12"


def test_a_network_without_a_kernel_is_trained_by_torch_and_said_so(kan_run):
    done = kan_run(*WORDS, "train.compile=true", "k=0")
    assert done.code == 0
    assert "train.compile=true: no kernel trains this network" in done.err
    assert done.json("run.json")["kernel"] == "torch"
