"""Does a race find the scheme that training them all finds, and at what cost? Six tasks.

    python -m tests.benchmarks.race [TASK ...]

All schemes train with ten seeds for the steps of the race's final, on all training samples, as a sweep trains them.
"beside": the race's winner over the best of all by their test losses, paired by seed, with a 95 % interval; where it
holds 1 the two cannot be told apart. Costs are steps times networks, which do not depend on the machine, and seconds.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from kancli.config.presets import Presets, builtin_folder
from kancli.racing.candidates import compose_entrants
from kancli.racing.held_out import RaceData, divide
from kancli.racing.networks import Network, Trainer
from kancli.racing.selection import compare, log_losses
from kancli.racing.start import begin_race

TASKS = ("f1", "f2", "feynman_I.12.11", "runge", "cone", "chirp")
COMMON = ["width=in-5-out", "grid=5", "task.n=400", "train.steps=300", "train.lr=0.01"]
SEEDS = 10


def train_all(words: list[str], presets: Presets) -> tuple[dict[str, np.ndarray], float]:
    """The log test losses of every scheme, in the order of seeds, and the seconds."""
    candidates = compose_entrants(words, presets).candidates
    task = candidates[0].settings.task
    whole = RaceData(dataclasses.replace(task.data(), test=None, mesh=None), *[divide(task, 0.2).test] * 2)
    trainer = Trainer([candidate.settings for candidate in candidates], whole, 300)
    losses = np.full((len(candidates), SEEDS), np.nan)
    begin = time.monotonic()
    for batch in trainer.divide([Network(number, seed) for number in range(len(candidates)) for seed in range(SEEDS)]):
        done = trainer.train(batch, candidates[0].settings.training.steps or 0, lambda: False)
        assert done is not None
        for network, loss in zip(batch.networks, done[1].test_loss, strict=True):
            losses[network.candidate, network.seed] = loss
    logs = log_losses(losses, float(whole.test.y.square().mean()))
    return {candidate.name: row for candidate, row in zip(candidates, logs, strict=True)}, time.monotonic() - begin


def measure(task: str, presets: Presets, folder: Path) -> str:
    """A row of the table."""
    words = [f"task={task}", *COMMON]
    losses, seconds = train_all(words, presets)
    _, record = begin_race([*words, "race.minutes=60", f"hydra.sweep.dir={folder}"], presets)
    ranked = sorted(losses, key=lambda name: losses[name].mean())
    assert record.answer is not None
    winner = record.answer.winner
    same = np.ones(2)  # the test samples count as given
    beside = compare(losses[winner], losses[ranked[0]], (same, same), level=0.05, rope=1.1)
    verdict = "same" if winner == ranked[0] else "level" if (beside.low or 0) <= 1 else "MISSED"
    steps = len(losses) * SEEDS * record.steps
    answer = record.answer.to_runner_up
    assert answer is not None
    return (
        f"{task:<16} {ranked[0]:<14} {winner:<14} {verdict:<6} {ranked.index(winner) + 1:>2}  {beside.ratio:.2f}"
        f" ({beside.low:.2f} to {beside.high:.2f})  {answer.difference:<10} {record.member_steps:>6} / {steps} ="
        f" {record.member_steps / steps:4.0%}  {record.seconds:4.0f} / {seconds:.0f} s"
    )


if __name__ == "__main__":
    os.nice(10)
    rows = ["task             best of all    race's winner         place  beside  answer  network steps  seconds"]
    with tempfile.TemporaryDirectory() as scratch:
        for name in sys.argv[1:] or TASKS:
            rows.append(measure(name, Presets([builtin_folder()]), Path(scratch) / name))
            print("\n".join(rows), flush=True)
