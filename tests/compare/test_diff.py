"""kan-run diff: what differs between two runs, and nothing else."""

import json

import pytest


@pytest.mark.slow
def test_diff_tells_only_what_differs(kan_run):
    one, other, same = (
        kan_run(*argv, "figures=none").out.splitlines()[-1]
        for argv in (["seed=1"], ["seed=1", "noise_scale=0.2"], ["seed=1"])
    )
    found = kan_run("diff", one, other)
    assert found.code == 4
    lines = found.out.splitlines()
    assert lines[:4] == [f"- {one}", f"+ {other}", "config", "  init.noise_scale: 0.1 | 0.2"]
    assert "  config, layer 0 coef, layer 1 coef, layer 0 spline ..." in lines
    told = json.loads(kan_run("diff", "--json", one, other).out)
    assert told["config"] == [["init.noise_scale", "0.1", "0.2"]]
    differences = [row["difference"] for row in told["statistics"] if row["difference"] is not None]
    assert differences == sorted(differences, reverse=True)
    assert not any("scale_base" in row["name"] and "declared" in row["name"] for row in told["statistics"])
    alike = kan_run("diff", one, same)
    assert (alike.code, alike.out) == (0, "no difference\n")
    assert kan_run("diff", one).code == 2
    assert kan_run("diff", one, "nowhere").code == 5


@pytest.mark.slow
def test_runs_of_other_shapes_can_be_told_apart(kan_run):
    runs = [
        kan_run(*argv, "figures=none").out.splitlines()[-1]
        for argv in (["width=2-3-1"], ["width=2-4-4-1"], ["n_seeds=3"])
    ]
    for one in runs:
        for other in runs:
            assert kan_run("diff", one, other).code == (0 if one == other else 4)
