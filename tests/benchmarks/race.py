"""Does a race find the scheme that a full sweep finds, and at what cost? Six tasks.

    python -m tests.benchmarks.race FOLDER [TASK ...]

FOLDER takes the sweeps and races; a sweep that is there is not repeated. The sweep trains every scheme with ten seeds
for the steps of the race's final. "beside": the race's winner over the sweep's by the sweep's own test losses, paired
by seed, with a 95 % interval; where it holds 1 the two cannot be told apart. Costs are steps times networks, which do
not depend on the machine, and seconds.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import numpy as np

from kancli.cli.dispatch import main
from kancli.racing.reader import read_race
from kancli.racing.selection import compare

TASKS = ("f1", "f2", "feynman_I.12.11", "runge", "cone", "chirp")
COMMON = ["width=in-5-out", "grid=5", "task.n=400", "train.steps=300", "train.lr=0.01"]
SEEDS = 10


def sweep_losses(folder: Path) -> dict[str, np.ndarray]:
    """The log test losses of a sweep by scheme, in the order of seeds; those of failed runs are infinite."""
    losses: dict[str, dict[int, float]] = {}
    for row in csv.DictReader((folder / "sweep.csv").read_text().splitlines()):
        losses.setdefault(row["init"], {})[int(row["seed"])] = float(row["test_loss"] or "inf")
    return {name: np.log([by_seed[seed] for seed in sorted(by_seed)]) for name, by_seed in losses.items()}


def sweep(task: str, folder: Path) -> float:
    """Sweep over all schemes, unless that is done; return the seconds."""
    clock = folder / "seconds"
    if not clock.exists():
        quiet = ["stats=none", "activations.n=0", "figures=none", "sweep.workers=1"]
        words = [f"task={task}", "init=glob(*)", f"seed=range({SEEDS})", *COMMON, *quiet]
        begin = time.monotonic()
        assert main(["-m", *words, f"hydra.sweep.dir={folder / 'sweep'}"]) in (0, 6)
        clock.write_text(str(time.monotonic() - begin))
    return float(clock.read_text())


def measure(task: str, folder: Path) -> str:
    """A row of the table."""
    swept = sweep(task, folder)
    race = folder / f"race-{int(time.time())}"
    assert main(["race", f"task={task}", *COMMON, "race.minutes=60", f"hydra.sweep.dir={race}"]) == 0
    losses, record = sweep_losses(folder / "sweep"), read_race(race)
    best = min(losses, key=lambda name: losses[name].mean())
    assert record.answer is not None
    winner = record.answer.winner
    place = sorted(losses, key=lambda name: losses[name].mean()).index(winner) + 1
    same = np.ones(2)  # the test samples count as given
    beside = compare(losses[winner], losses[best], (same, same), level=0.05, rope=1.1)
    verdict = "same" if winner == best else "level" if (beside.low or 0) <= 1 else "MISSED"
    steps = len(losses) * SEEDS * record.steps
    answer = record.answer.to_runner_up
    assert answer is not None
    return (
        f"{task:<16} {best:<14} {winner:<14} {verdict:<6} {place:>2}  {beside.ratio:.2f} ({beside.low:.2f} to"
        f" {beside.high:.2f})  {answer.difference:<10} {record.member_steps:>7} / {steps:<7} ="
        f" {record.member_steps / steps:4.0%}  {record.seconds:5.0f} / {swept:<5.0f} s"
    )


if __name__ == "__main__":
    target, *names = sys.argv[1:]
    rows = []
    for name in names or TASKS:
        rows.append(measure(name, Path(target) / name))
        print("\n".join(rows), file=sys.stderr, flush=True)
    print("task             sweep's best   race's winner         place  beside  answer  network steps  seconds")
    print("\n".join(rows))
