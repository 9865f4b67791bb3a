"""The commands that `kills` kills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """A command that is killed.

    Args:
        before: commands that are not killed, and run first.
        interrupted: one that gets SIGINT while it trains, after those.
        command: the one that is killed.
        results: files and folders of runs that it leaves, which are compared with those of an undisturbed execution.
    """

    command: Sequence[str]
    before: Sequence[Sequence[str]] = ()
    interrupted: Sequence[str] = ()
    results: Sequence[str] = ()


SWEEP = ["-m", "init=default,linear", "seed=range(12)", "noise_scale=0.1,1", "sweep.workers=2", "hydra.sweep.dir=sweep"]
RUN = ["figures=all", "stats=full", "hydra.run.dir=run"]
SMALL_SWEEP = ["-m", "seed=range(4)", "sweep.workers=0", "hydra.sweep.dir=sweep"]
TASK = ["width=in-3-out", "task.n=200", "task.test_n=50", "train.compile=false"]
TRAINING = ["task=f2", "n_seeds=2", *TASK, "train.steps=600", "train.save_s=0.01", "hydra.run.dir=run"]
TRAINED_SWEEP = ["-m", "task=f1,f2", "init=baseline,glorot", "seed=0,1,2", *TASK, "hydra.sweep.dir=sweep"]
SCENARIOS = {
    "run": Scenario(RUN, results=["run"]),
    "run n_seeds=50": Scenario([*RUN, "n_seeds=50"], results=["run"]),
    "run overwrite=true": Scenario(
        [*RUN, "overwrite=true"], before=[["seed=7", "figures=none", "hydra.run.dir=run"]], results=["run"]
    ),
    "sweep": Scenario(SWEEP, results=["sweep"]),
    "sweep with figures": Scenario(
        ["-m", "seed=range(6)", "figures=network", "sweep.workers=2", "hydra.sweep.dir=sweep"], results=["sweep"]
    ),
    "sweep hydra/launcher=basic": Scenario(
        ["-m", "seed=range(6)", "hydra/launcher=basic", "hydra.sweep.dir=sweep"], results=["sweep"]
    ),
    "resume": Scenario(["resume", "sweep"], before=[[*SWEEP, "--dry-run"]], results=["sweep"]),
    "check --jobs 2": Scenario(
        ["check", "a.json", "b.json", "a.json", "b.json", "--jobs", "2", "--junit", "check.xml"],
        before=[
            ["figures=none", "hydra.run.dir=run"],
            ["bless", "run", "-o", "a.json"],
            ["bless", "run", "-o", "b.json"],
        ],
        results=["a.json", "b.json"],
    ),
    "collect": Scenario(["collect", "sweep"], before=[SMALL_SWEEP], results=["sweep"]),
    "report": Scenario(["report", "sweep"], before=[SMALL_SWEEP], results=["sweep", "sweep/report.html"]),
    "bless": Scenario(
        ["bless", "run", "-o", "a.json"], before=[["figures=none", "hydra.run.dir=run"]], results=["a.json"]
    ),
    "training": Scenario(TRAINING, results=["run"]),
    "resume of a training": Scenario(["resume", "run"], interrupted=TRAINING, results=["run"]),
    "sweep of trainings": Scenario([*TRAINED_SWEEP, "train.steps=100", "sweep.workers=2"], results=["sweep"]),
    "rank": Scenario(["rank", "sweep"], before=[[*TRAINED_SWEEP, "train.steps=20"]], results=["sweep"]),
    "draw": Scenario(["draw", "run", "figures=all"], before=[["stats=full", "hydra.run.dir=run"]], results=["run"]),
}
