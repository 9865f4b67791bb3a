"""Optuna's sweeper, on kancli's own launcher and on joblib's."""

import csv
import json

import pytest
import yaml

from kancli.sweeps.plan import read_plan

SEARCH = ["-m", "hydra/sweeper=optuna", "init=noisy", "noise_scale=tag(log,interval(0.01,10))", "hydra.sweep.dir=found",
          "hydra.sweeper.n_trials=12", "hydra.sweeper.n_jobs=4", "hydra.sweeper.sampler.seed=1"]  # fmt: skip


def best(folder):
    return yaml.safe_load((folder / "optimization_results.yaml").read_text())


@pytest.mark.parametrize("launcher", ["kancli", "joblib"])
def test_a_statistic_is_optimised(kan_run, tmp_path, launcher):
    done = kan_run(
        *SEARCH, "objective=layer0_output_std", "hydra.sweeper.direction=maximize", f"hydra/launcher={launcher}"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "12 of 12 runs complete: found"
    *_, winner, command, _ = done.stdout.splitlines()
    found = best(tmp_path / "found")
    assert winner.startswith("best of 12: job ")
    assert f"layer0_output_std {found['best_value']:.6g}" in winner
    assert f"noise_scale={found['best_params']['noise_scale']}" in command
    tried = {}
    for number in range(12):
        folder = tmp_path / "found" / str(number)
        knob = json.loads((folder / "run.json").read_text())["config"]["init"]["noise_scale"]
        tried[knob] = json.loads((folder / "stats.json").read_text())["layers"][0]["output"]["std"]
    assert len(tried) == 12
    assert found["best_value"] == max(tried.values())
    assert tried[found["best_params"]["noise_scale"]] == found["best_value"]
    if launcher == "kancli":
        assert f"Best value: {found['best_value']}" in done.stderr
        assert len(read_plan(tmp_path / "found").jobs) == 12


def test_two_statistics_and_a_scheme_that_lacks_the_knob(kan_run, tmp_path):
    done = kan_run(*SEARCH, "objective=[rough,layer0_output_std]", "hydra.sweeper.direction=[minimize,maximize]",
                   "init=choice(noisy,glorot)")  # fmt: skip
    assert done.returncode == 0, done.stderr
    solutions = best(tmp_path / "found")["solutions"]
    assert solutions
    for each in solutions:  # none is worse than another in both
        rough, std = each["values"]
        assert not any(other["values"][0] < rough and other["values"][1] > std for other in solutions)


def test_a_search_that_its_trials_fail(kan_run, tmp_path):
    done = kan_run(*SEARCH, "objective=rough", "noise_scale=interval(1e29,1e30)", "base_fun=square")
    assert done.returncode == 6, done.stderr
    assert "gave up: " in done.stderr
    assert json.loads((tmp_path / "found/summary.json").read_text())["status"] == {"failed": 4}


def test_a_storage_goes_on_with_a_search(kan_run, tmp_path):
    words = [*SEARCH, "objective=rough", "hydra.sweeper.storage=sqlite:///study.db", "hydra.sweeper.study_name=ours"]
    assert kan_run(*words, "hydra.sweeper.n_trials=4").returncode == 0
    done = kan_run(*words, "hydra.sweeper.n_trials=4", "hydra.sweep.dir=more")
    assert done.returncode == 0, done.stderr
    known = []
    for folder in ("found", "more"):
        rows = csv.DictReader((tmp_path / folder / "sweep.csv").read_text().splitlines())
        known += [float(row["rough"]) for row in rows]
    assert len(known) == 8
    assert best(tmp_path / "more")["best_value"] == min(known)
