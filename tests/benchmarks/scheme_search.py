"""Search the knobs of two families of schemes on half of the Feynman tasks; score the winners on the other half.

The families: `power_law` by its exponents alpha and beta, and `kat` by its gain and the splines' share. Optuna
proposes knobs; a trial's score is the mean over tasks and seeds of the log ratio of its test loss to `power_law`'s at
the exponents of the study. The winners, and the schemes beside them, are scored on tasks, seeds, sizes and numbers of
steps that no trial has seen; intervals are those of `kan-run rank`.

    python -m tests.benchmarks.scheme_search --folder outputs/study

It needs the extras optuna and fast, and writes search.csv, a row a trial, and scores.csv, a row a scheme, size, task.
"""

from __future__ import annotations

import argparse
import csv
import functools
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from kancli.inits.initialise import init_
from kancli.inits.jaxkan import Baseline, PowerLaw
from kancli.inits.kat import Kat
from kancli.inits.scheme import Scheme
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.ranking.bootstrap import estimate_tasks, resample_counts
from kancli.tasks.catalogue import FEYNMAN
from kancli.tasks.functions import Feynman, Function
from kancli.tasks.task import Regression
from kancli.training.fit import fit_
from kancli.training.options import Train

SOUND = [name for name, function in FEYNMAN.items() if not function.singular]
SEARCHED = [*SOUND[::2], "f2"]
HELD_OUT = [*SOUND[1::2], "f1", "f3", "runge", "cone"]
# Hidden nodes and grid.
SEARCH_SIZE = ((8, 8), 5)
HELD_OUT_SIZES = [((8, 8), 5), ((5,), 3), ((16, 16), 10), ((8, 8, 8, 8), 5)]
SCHEMES = {
    "power_law": PowerLaw(),
    "baseline": Baseline(),
    "kat": Kat(),
}
Losses = np.ndarray  # [seeds], logs of test losses


@functools.cache
def data_of(name: str, n: int) -> tuple[Regression, int]:
    """The samples of a task without its mesh, and its number of inputs."""
    task = Feynman(name=name, n=n) if name in FEYNMAN else Function(name=name, n=n)
    data = task.data()
    assert isinstance(data, Regression)
    return replace(data, mesh=None), task.n_in


def log_losses(
    scheme: Scheme, name: str, size: tuple[tuple[int, ...], int], seeds: Sequence[int], *, n: int, steps: int
) -> Losses:
    """Logs of the test losses after training; a member that diverged has the loss at which it stopped."""
    data, n_in = data_of(name, n)
    scheme = scheme.with_defaults_for((-1.0, 1.0))
    hidden, grid = size
    model = KAN(
        (n_in, *hidden, 1), grid=grid, k=3, base_fun=base_function("silu"), base_name="silu",
        bias=scheme.has_bias, dtype=torch.float32, n_members=len(seeds),
    )  # fmt: skip
    init_(model, scheme, seed=seeds)
    train = Train(optimizer="adam", steps=steps, every=steps).resolved(task=True)
    losses = fit_(model, data, train, seeds=seeds).rows[-1].test_loss
    assert losses is not None
    return losses.log().nan_to_num(nan=math.inf).clamp(max=50.0).numpy()


def search(n_trials: int, family: str, proposal: Callable, write: Callable[[dict], None]) -> dict[str, float]:
    """The best knobs of a family on the tasks of the search."""
    import optuna  # pyright: ignore[reportMissingImports]

    def losses(scheme: Scheme) -> np.ndarray:
        return np.array([log_losses(scheme, task, SEARCH_SIZE, range(3), n=1000, steps=1000) for task in SEARCHED])

    reference = losses(PowerLaw())

    def objective(trial) -> float:
        scheme = proposal(trial)
        score = float((losses(scheme) - reference).mean())
        write({"family": family, **trial.params, "ratio": math.exp(score)})
        return score

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=n_trials)
    return study.best_params


def power_law(knobs: Mapping[str, float]) -> Scheme:
    return PowerLaw(alpha=knobs["alpha"], beta=knobs["beta"])


def kat(knobs: Mapping[str, float]) -> Scheme:
    return Kat(gain=knobs["gain"], spline_share=knobs["spline_share"], distribution="uniform")


def propose_power_law(trial) -> Scheme:
    return power_law({"alpha": trial.suggest_float("alpha", 0, 2), "beta": trial.suggest_float("beta", 0, 3)})


def propose_kat(trial) -> Scheme:
    gain = trial.suggest_float("gain", 0.02, 2, log=True)
    return kat({"gain": gain, "spline_share": trial.suggest_float("spline_share", 1e-8, 1, log=True)})


def scores(
    schemes: Mapping[str, Scheme], tasks: Sequence[str], size: tuple[tuple[int, ...], int], n_seeds: int
) -> Iterable[dict]:
    """A row for each scheme and task, and one over tasks: the ratio to power_law with its interval, paired by seed."""
    seeds = range(100, 100 + n_seeds)
    logs = {
        label: np.array([log_losses(scheme, task, size, seeds, n=1000, steps=2000) for task in tasks])
        for label, scheme in schemes.items()
    }
    others = [label for label in schemes if label != "power_law"]
    ratios = [np.array([logs[label][t] - logs["power_law"][t] for label in others]) for t in range(len(tasks))]
    by_task, overall = estimate_tasks(ratios, resample_counts([n_seeds] * len(tasks)))
    for task, estimate in zip([*tasks, "all"], [*by_task, overall], strict=True):
        for number, label in enumerate(others):
            mean, low, high = (float(np.exp(part[number])) for part in (estimate.mean, estimate.low, estimate.high))
            hidden = "-".join(map(str, size[0]))
            yield {
                "width": f"in-{hidden}-out", "grid": size[1], "task": task, "scheme": label, "ratio": mean,
                "low": low, "high": high, "seeds": n_seeds,
            }  # fmt: skip


class Table:
    """A CSV file that grows by rows of the same columns."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, columns
        with path.open("w", newline="") as file:
            csv.DictWriter(file, columns).writeheader()

    def write(self, row: Mapping[str, object]) -> None:
        rounded = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in row.items()}
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(rounded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=30, help="of each family")
    parser.add_argument("--seeds", type=int, default=10, help="of the held-out scores")
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    trials = Table(options.folder / "search.csv", ["family", "alpha", "beta", "gain", "spline_share", "ratio"])
    schemes = dict(SCHEMES)
    for family, proposal, scheme in [("power_law", propose_power_law, power_law), ("kat", propose_kat, kat)]:
        started = time.monotonic()
        best = search(options.trials, family, proposal, trials.write)
        knobs = {name: float(f"{value:.2g}") for name, value in best.items()}
        label = " ".join([family, *(f"{name}={value:g}" for name, value in knobs.items())])
        print(f"{label}  ({time.monotonic() - started:.0f} s)", flush=True)
        schemes[label] = scheme(knobs)
    columns = ["width", "grid", "task", "scheme", "ratio", "low", "high", "seeds"]
    table = Table(options.folder / "scores.csv", columns)
    for size in HELD_OUT_SIZES:
        for row in scores(schemes, HELD_OUT, size, options.seeds):
            table.write(row)
            if row["task"] == "all":
                print("{width} G={grid} {scheme}: {ratio:.3g} ({low:.3g} to {high:.3g})".format_map(row), flush=True)


if __name__ == "__main__":
    main()
