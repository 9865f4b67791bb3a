"""Sweeps by a sweeper that is not Hydra's basic one, here one that narrows an interval; Optuna's is in launchers."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from kancli.errors import ConfigError, KanError
from kancli.sweeps import hydra_launcher
from kancli.sweeps.objective import objective_of
from kancli.sweeps.plan import read_plan

TARGET = "hydra_plugins.thirds.thirds.Thirds"


class Thirds(Sweeper):
    """Finds where the objective passes a goal, for a knob with which it rises: two runs a step, at the thirds."""

    def __init__(self, knob, low, high, goal, steps):
        self.knob, self.low, self.high, self.goal, self.steps = knob, low, high, goal, steps

    def setup(self, *, hydra_context, task_function, config):
        self.folder = config.hydra.sweep.dir
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments):
        for step in range(self.steps):
            third = (self.high - self.low) / 3
            tried = self.low + third, self.high - third
            returned = self.launcher.launch([(f"{self.knob}={each}", *arguments) for each in tried], 2 * step)
            values = [each.return_value for each in returned]
            below = sum((value[0] if isinstance(value, tuple) else value) <= self.goal for value in values)
            self.low, self.high = [(self.low, tried[0]), tried, (tried[1], self.high)][below]
        Path(self.folder, "found.json").write_text(json.dumps([self.low, self.high]))


@pytest.fixture(autouse=True)
def thirds():
    node = {"_target_": TARGET, "knob": "noise_scale", "low": 0.1, "high": 10.0, "goal": 1.0, "steps": 4}
    ConfigStore.instance().store(group="hydra/sweeper", name="thirds", node=node)
    Plugins.instance().class_name_to_class[TARGET] = Thirds
    yield
    del Plugins.instance().class_name_to_class[TARGET]


SEARCH = ["-m", "hydra/sweeper=thirds", "init=noisy", "hydra.sweep.dir=found"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["kancli", "basic"])
def test_a_statistic_is_brought_to_a_value(kan_run, tmp_path, launcher):
    more = ["sweep.workers=0"] if launcher == "kancli" else []
    done = kan_run(*SEARCH, "objective=layer0_output_std", f"hydra/launcher={launcher}", *more)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "8 of 8 runs complete: found"
    low, high = json.loads((tmp_path / "found/found.json").read_text())
    assert high - low == pytest.approx(9.9 / 3**4)
    stds = []
    for each in (low, high):
        alone = kan_run("init=noisy", f"noise_scale={each}", "figures=none")
        stds.append(alone.json("stats.json")["layers"][0]["output"]["std"])
    assert stds[0] <= 1.0 <= stds[1]
    assert "layer0_output_std" in done.out.partition("jobs ")[2].splitlines()[0]
    table = list(csv.DictReader((tmp_path / "found/sweep.csv").read_text().splitlines()))
    assert len({each["noise_scale"] for each in table}) == 8
    plan = read_plan(tmp_path / "found")
    assert [job.folder for job in plan.jobs] == list("01234567")
    before = (tmp_path / "found/5/params.safetensors").read_bytes()
    shutil.rmtree(tmp_path / "found/5")
    resumed = kan_run("resume", "found", *more)
    assert resumed.code == 0, resumed.err
    assert "1 of 8 jobs to do" in resumed.err
    assert (tmp_path / "found/5/params.safetensors").read_bytes() == before


@pytest.mark.parametrize("launcher", ["kancli", "basic"])
def test_a_search_writes_below_its_folder_only(kan_run, tmp_path, launcher):
    words = [*SEARCH, "objective=rough", f"hydra/launcher={launcher}", "hydra.sweeper.steps=1"]
    outside = kan_run(*words, "hydra.sweep.subdir=../outside_${hydra.job.num}")
    assert outside.code == 2
    assert "allowed: a name below the sweep's folder" in outside.err
    assert list(tmp_path.iterdir()) == []
    shared = kan_run(*words, "hydra.sweep.subdir=same")
    assert (shared.code, "would share the folder same" in shared.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_search_at_work_is_not_resumed(kan_run, tmp_path, monkeypatch):
    """Although each step replaces the plan, which is what a sweep locks."""
    write, refused = hydra_launcher.write_plan, []

    def write_and_try(plan):
        write(plan)
        with pytest.raises(ConfigError, match="another kan-run is at work in this folder"), plan.lock():
            pass
        refused.append(len(plan.jobs))

    monkeypatch.setattr(hydra_launcher, "write_plan", write_and_try)
    assert kan_run(*SEARCH, "objective=rough", "hydra.sweeper.steps=2").code == 0
    assert refused == [2, 4]
    with read_plan(tmp_path / "found").lock():
        pass


@pytest.mark.slow
def test_jobs_are_planned_as_they_come_and_have_the_bits_of_single_runs(kan_run, tmp_path):
    done = kan_run(*SEARCH, "objective=layer0_output_std", "hydra.sweeper.steps=2")
    header = done.out.splitlines()[0]
    assert "noise_scale" in header
    assert "layer0_output_std" in header
    plan = read_plan(tmp_path / "found")
    assert [job.folder for job in plan.jobs] == ["0", "1", "2", "3"]
    for job in plan.jobs:
        alone = kan_run(*job.words)
        for name in ("params.safetensors", "activations.safetensors"):
            assert (alone.folder / name).read_bytes() == (plan.path(job) / name).read_bytes()
        assert alone.json("run.json")["identity"] == job.identity
    shutil.rmtree(plan.folder / "2")
    assert kan_run("resume", "found", "sweep.workers=0").code == 0
    assert (plan.folder / "2/run.json").is_file()


def test_a_search_of_unknown_directions_prints_all_jobs(kan_run, tmp_path):
    done = kan_run(*SEARCH, "objective=[rough,layer0_output_std]", "hydra.sweeper.steps=1")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "2 of 2 runs complete: found"
    assert "best" not in done.out


def test_a_job_that_fails_ends_a_search_that_cannot_do_without(kan_run, tmp_path):
    done = kan_run(*SEARCH, "objective=layer0_output_std", "hydra.sweeper.high=1e30", "base_fun=square")
    assert done.code == 6
    assert "hydra/sweeper=thirds: gave up: 0: failed: " in done.err
    assert "the search did not come to its end" in done.err
    assert json.loads((tmp_path / "found/summary.json").read_text())["status"] == {"failed": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([], "hydra/sweeper=thirds: name the objective, a number in sweep.csv"),
        (["objective=rough", "--dry-run"], "no plan to show"),
        (["objective=rough", "hydra.sweeper.knob=noise_scal"], "no such key; did you mean noise_scale?"),
        (["objective=rough", "hydra.sweeper.low=x"], "hydra/sweeper=thirds: TypeError"),
        (["objective=[]"], "hydra/sweeper=thirds: name the objective, a number in sweep.csv"),
        (["objective=rugh"], "objective=rugh: no statistic; "),
        (["objective=layer7_output_std"], "objective=layer7_output_std: allowed: layer0 to layer1"),
        (["objective=gradient_vanishes"], "objective=gradient_vanishes: stats=basic does not compute it"),
        (["objective=status"], "objective=status: no statistic; "),
        (["objective=rough", "+hydra.sweeper.direction=[a,b]"], "hydra.sweeper.direction: 2 for 1 objectives"),
    ],
)
def test_mistakes_leave_nothing(kan_run, tmp_path, words, answer):
    done = kan_run(*SEARCH, *words)
    assert done.code == 2
    assert answer in done.err
    assert not list(tmp_path.rglob("*"))


def test_a_job_that_was_run_before_counts_once(kan_run, tmp_path):
    done = kan_run(*SEARCH, "hydra.sweeper.low=1", "hydra.sweeper.high=1", "objective=rough")
    assert done.code == 0, done.err
    assert len(read_plan(tmp_path / "found").jobs) == 1
    (cell,) = json.loads((tmp_path / "found/summary.json").read_text())["cells"]
    assert cell["statistics"]["rough"]["n"] == 1


@pytest.mark.slow
def test_an_objective_without_a_value_is_no_number(kan_run):
    done = kan_run(*SEARCH, "objective=nodes_degenerate", "width=2-1")
    assert done.code == 6
    assert "objective=nodes_degenerate: has no value in this run" in done.err


@pytest.mark.slow
def test_a_knob_that_a_scheme_lacks_is_left_out(kan_run, tmp_path):
    done = kan_run(*SEARCH, "init=glorot", "objective=rough", "hydra.sweeper.steps=1")
    assert done.code == 0, done.err
    assert "noise_scale: glorot has no such knob; left out there" in done.err
    assert all("noise_scale" not in word for job in read_plan(tmp_path / "found").jobs for word in job.words)


def test_several_objectives_are_returned_together(presets):
    statistics = {"rough": 1.5, "linear": 0.25, "off_grid": None}
    assert objective_of(statistics, ["linear"]) == 0.25
    assert objective_of(statistics, ["linear", "rough"]) == (0.25, 1.5)
    with pytest.raises(KanError, match="no value"):
        objective_of(statistics, ["off_grid"])
