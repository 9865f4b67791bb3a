"""The jobs of a sweep that its pictures show."""

import itertools
import math

import pytest

from kancli.compare.figures import _runs_of_sweep
from kancli.runs.reader import read_run
from kancli.sweeps.representatives import select_representatives
from kancli.sweeps.row import Row


def rows(std, **swept):
    """A complete job for each combination of values; `std` of its keys is the std of the outputs."""
    jobs = []
    for number, values in enumerate(itertools.product(*swept.values())):
        keys = dict(zip(swept, map(str, values), strict=True))
        statistics = {"layer0_output_std": 1000.0, "layer1_output_std": std(**keys)}
        jobs.append(Row(number, str(number), "complete", None, "", keys, [], statistics, None))
    return jobs


def test_seeds_share_a_panel_with_the_median_one():
    order = {"0": 3.0, "1": 1.0, "2": 9.0, "3": 2.0, "4": math.nan}
    selection = select_representatives(rows(lambda init, seed: order[seed], init=["a", "b"], seed=range(5)))
    titles = [(title, row.number) for title, row in selection.jobs]
    assert titles == [("init=a, seed 0 of 5", 0), ("init=b, seed 0 of 5", 5)], "3 of 1, 2, 3, 9 and NaN"
    assert selection.remarks == ["of several seeds, the one of median output std"]


def test_all_combinations_are_shown_up_to_sixteen_and_then_the_extremes():
    some = select_representatives(rows(lambda grid: float(grid), grid=range(16)))
    assert [title for title, _ in some.jobs] == [f"grid={value}" for value in range(16)]
    assert (some.subset, some.remarks) == (None, [])
    many = select_representatives(rows(lambda grid: -float(grid), grid=range(40)))
    assert [row.number for _, row in many.jobs] == [*range(8), *range(32, 40)]
    assert many.subset == "16 of 40 combinations: the 8 of smallest and the 8 of largest output std"


def test_where_the_seed_alone_is_swept_each_has_a_panel():
    selection = select_representatives(rows(lambda seed: float(seed), seed=range(3)))
    assert [title for title, _ in selection.jobs] == ["seed=0", "seed=1", "seed=2"]
    assert selection.remarks == []


@pytest.mark.slow
def test_a_drawn_sweep_has_a_panel_for_each_init(kan_run, tmp_path):
    assert kan_run("-m", "init=default,glorot", "seed=range(3)", "hydra.sweep.dir=sweep").code == 0
    drawn = kan_run("draw", "sweep")
    assert drawn.code == 0, "the sweep's own figure is drawn the same again, and so not replaced"
    assert drawn.out.splitlines() == ["sweep/figures/compare.png", "sweep/figures/sweep.png"]
    compared, runs, *_ = _runs_of_sweep(tmp_path / "sweep")
    assert len(runs) == 6
    for (title, run), init, first in zip(compared, ("default", "glorot"), (0, 3), strict=True):
        jobs = {number: read_run(tmp_path / "sweep" / str(number)) for number in range(first, first + 3)}
        stds = {number: job.stats["layers"][-1]["output"]["std"] for number, job in jobs.items()}
        median = sorted(stds, key=stds.__getitem__)[1]
        assert (title, run.folder.name) == (f"init={init}, seed {median - first} of 3", str(median))
