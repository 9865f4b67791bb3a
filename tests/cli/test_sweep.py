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
