"""Signal and gradient by layer of a sweep: quantiles over seeds, and the figure."""

import json

import numpy as np
import pytest

from kancli.figures.data import DepthProfile, depth_profile
from kancli.sweeps.depth_profiles import depth_profiles
from kancli.sweeps.row import Row

DEEP = [1.0, 0.5, 0.25, 0.125]


def row(number, init, seed, middle, slope=-0.7):
    profile = DepthProfile("", {"signal": {"middle": np.array(middle)}}, {"signal": slope})
    keys = {"init": init, "seed": str(seed)}
    return Row(number, str(number), "complete", None, "", keys, [], {"layer2_output_std": middle[-1]}, None, profile)


def test_seeds_share_a_profile_of_quantiles():
    rows = [row(seed, "a", seed, [1.0, 2.0 + seed, 4.0, 8.0], slope=0.5 + seed / 10) for seed in range(21)]
    ((profile,), remarks) = depth_profiles([*rows[:1], *rows[1:]])
    assert (profile.name, remarks) == ("init=a", [])
    at_one = {name: values[1] for name, values in profile.values["signal"].items()}
    assert at_one == {"low": pytest.approx(3), "middle": pytest.approx(12), "high": pytest.approx(21)}
    assert profile.slopes["signal"] == pytest.approx(1.5)


def test_shallow_networks_and_jobs_without_statistics_have_no_profiles():
    assert depth_profiles([row(0, "a", 0, DEEP[:3])]) == ([], [])
    bare = Row(0, "0", "failed", "x", "", {}, [], {}, None)
    profiles, _ = depth_profiles([bare, row(1, "b", 0, DEEP)])
    assert [profile.name for profile in profiles] == ["init=b"]


def test_networks_of_other_depths_are_not_taken_together():
    """Runs of one name and other configs, in one folder."""
    profiles, _ = depth_profiles([row(0, "a", 0, DEEP), row(1, "a", 1, [*DEEP, 0.0]), row(2, "a", 2, DEEP)])
    assert [len(profile.values["signal"]["middle"]) for profile in profiles] == [4, 5]


def test_of_many_combinations_the_extremes_are_shown():
    profiles, remarks = depth_profiles([row(n, f"i{n:02}", 0, [1.0, 1.0, 1.0, float(n)]) for n in range(20)])
    assert [profile.name for profile in profiles] == [f"init=i{n:02}" for n in (*range(8), *range(12, 20))]
    assert remarks == ["16 of 20 combinations: the 8 of smallest and the 8 of largest output std"]


def test_lists_of_another_length_are_an_error():
    with pytest.raises(ValueError, match="reshape"):
        depth_profile({"layers": [{}, {}], "propagation": {"signal_by_layer": [1.0, 2.0]}})


@pytest.mark.slow
def test_a_sweep_over_deep_networks_draws_them_by_layer(kan_run, tmp_path):
    done = kan_run("-m", "width=2-3-3-1,2-3-1", "seed=0,1", "hydra.sweep.dir=sweep")
    assert done.code == 0, done.err
    assert sorted(path.name for path in (tmp_path / "sweep/figures").iterdir()) == ["propagation.png", "sweep.png"]
    stats = json.loads((tmp_path / "sweep/0/stats.json").read_text())
    assert stats["propagation"]["signal_by_layer"][-1] == stats["propagation"]["signal_ratio"]
    shallow = kan_run("-m", "width=2-3-1,2-4-1", "hydra.sweep.dir=other")
    assert shallow.code == 0
    assert [path.name for path in (tmp_path / "other/figures").iterdir()] == ["sweep.png"]
    assert kan_run("draw", "sweep").out.splitlines()[-1] == "sweep/figures/propagation.png"
