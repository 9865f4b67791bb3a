"""kan-run -m from the outside."""

import json

import pytest

from tests.cli.test_run import CASES


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
def test_glob_sweeps_over_presets(kan_run, tmp_path):
    outcome = kan_run("-m", "init=glob(*symmetric)", "figures=none")
    assert outcome.code == 0, outcome.err
    assert "2 of 2 runs complete" in outcome.out


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


def test_one_line_sweeps_over_tasks_of_several_dimensions(kan_run, tmp_path):
    tasks = "task=runge,feynman_I.29.16,max(x0,x1)"
    quick = ["figures=none", "stats=none", "train=none", "activations.n=1", "hydra.sweep.dir=s"]
    assert kan_run("-m", tasks, "width=in-3-out", *quick).code == 0
    configs = [json.loads((tmp_path / "s" / str(job) / "run.json").read_text())["config"] for job in range(3)]
    assert [config["width"] for config in configs] == [[1, 3, 1], [3, 3, 1], [2, 3, 1]]
    assert [config["task"].get("name", config["task"].get("formula")) for config in configs] == [
        "runge",
        "I.29.16",
        "max(x0,x1)",
    ]
    assert [config["inputs"]["kind"] for config in configs] == ["task"] * 3


def test_a_key_of_some_tasks_is_left_out_of_the_others(kan_run):
    outcome = kan_run("-m", "task=f1,burgers", "task.noise=0.1,0.2", "width=in-3-out", "train=none", "--dry-run")
    assert outcome.code == 0
    assert "task.noise: pde has no such knob; left out there" in outcome.err
    assert "4 jobs, 1 duplicates, 3 without them" in outcome.err
