"""kan-run diff."""

import json

import pytest


@pytest.mark.slow
def test_diff_lists_only_differences(kan_run):
    one, other, same = (
        kan_run(*argv, "figures=none").out.splitlines()[-1]
        for argv in (["seed=1"], ["seed=1", "noise_scale=0.2"], ["seed=1"])
    )
    done = kan_run("diff", one, other)
    assert done.code == 4
    lines = done.out.splitlines()
    assert lines[:4] == [f"- {one}", f"+ {other}", "config", "  init.noise_scale: 0.1 | 0.2"]
    assert "stages that differ" in lines
    assert "  config, layer 0 coef, layer 1 coef, layer 0 spline, ..." in lines
    content = json.loads(kan_run("diff", "--json", one, other).out)
    assert content["config"] == [["init.noise_scale", "0.1", "0.2"]]
    differences = [row["difference"] for row in content["statistics"] if row["difference"] is not None]
    assert differences == sorted(differences, reverse=True)
    assert not any("scale_base" in row["name"] and "declared" in row["name"] for row in content["statistics"])
    repeated = kan_run("diff", one, same)
    assert (repeated.code, repeated.out) == (0, "no difference\n")
    assert kan_run("diff", one).code == 2
    assert kan_run("diff", one, "nowhere").code == 5


@pytest.mark.slow
def test_runs_of_other_shapes_differ(kan_run):
    runs = [
        kan_run(*argv, "figures=none").out.splitlines()[-1]
        for argv in (["width=2-3-1"], ["width=2-4-4-1"], ["n_seeds=3"])
    ]
    for one in runs:
        for other in runs:
            assert kan_run("diff", one, other).code == (0 if one == other else 4)
