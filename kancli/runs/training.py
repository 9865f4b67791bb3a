"""Train a run's network, and collect the results of training."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kancli.config.settings import Settings
from kancli.figures.data import Fit
from kancli.kan.mlp import MLP
from kancli.kan.network import KAN
from kancli.runs.build import build_model
from kancli.runs.experiment import compute, forward_of
from kancli.runs.result import Result, Trained, TrainingOutcome, make_result
from kancli.runs.stopwatch import Stopwatch
from kancli.tasks.task import Regression, Samples
from kancli.training.curves import curves_of
from kancli.training.fit import check_state, fit_
from kancli.training.result import Row, TrainingState
from kancli.training.statistics import training_statistics
from kancli.training.verdicts import judge_training

MAX_MESH_SIDE, MAX_POINTS = 101, 2000  # of the points in the figure `fit`
MAX_MARKED = 100  # samples that figures mark
PYKAN_EPS = 0.02  # grid_eps of pykan's knots, where the config's grid does not adapt
AFTER = ("layers", "propagation", "jacobian", "ntk", "reasons")  # of the trained network, in stats.json


@dataclass(frozen=True)
class Hooks:
    """What the caller of a training wants to know while it runs."""

    on_row: Callable[[Row], None] | None = None
    on_state: Callable[[TrainingState], None] | None = None
    should_stop: Callable[[], bool] | None = None


def compute_and_train(settings: Settings) -> Result:
    """As `compute`, with training where the settings have a task."""
    result = compute(settings)
    if not settings.trains:
        return result
    model, outcome, _ = train(result.model, settings, seeds_of(settings), Hooks())
    return with_training(result, model, outcome)


def seeds_of(settings: Settings) -> range:
    """The seeds of a run's members."""
    return range(settings.seed, settings.seed + settings.n_seeds)


def grid_eps(settings: Settings) -> float:
    """How evenly grid updates lay the knots: as the config's grid, where that adapts, else as pykan."""
    return settings.grid.eps if settings.grid.adapts else PYKAN_EPS


def train(
    model: KAN | MLP, settings: Settings, seeds: Sequence[int], hooks: Hooks, state: TrainingState | None = None
) -> tuple[KAN | MLP, TrainingOutcome, TrainingState]:
    """Train a copy of a model.

    Args:
        settings: the run's, or those of the first of several that differ by scheme and seed.
        seeds: of the members.
        state: to go on from.

    Returns:
        The trained copy, how training ended, and the state that another call can go on from.
    """
    trained = copy.deepcopy(model)
    result = fit_(
        trained,
        settings.task.data(),
        settings.training,
        seeds=seeds,
        eps=grid_eps(settings),
        state=state,
        on_row=hooks.on_row,
        on_state=hooks.on_state,
        should_stop=hooks.should_stop,
    )
    diverged = tuple(
        stop.describe() if stop is not None and stop.reason == "diverged" else None for stop in result.stops
    )
    outcome = TrainingOutcome(curves_of(result.rows), diverged, result.state.step, result.ended, result.kernel)
    return trained, outcome, result.state


def check_resumable(settings: Settings, state: TrainingState) -> None:
    """Check that the training of a run can go on from a state.

    Raises:
        ValueError: the state is damaged or of another training.
    """
    model, data = build_model(settings), settings.task.data()
    check_state(model, data, settings.training, seeds_of(settings), grid_eps(settings), state)


def with_training(result: Result, model: KAN | MLP, outcome: TrainingOutcome) -> Result:
    """The result of a run with what training added.

    Args:
        result: of the run at its start.
        model: after training.
    """
    settings, ensemble = result.settings, model.n_members is not None
    reasons: dict[str, str] = {}
    label, curves = settings.task.label, outcome.curves
    entry = training_statistics(label, outcome.steps, curves, outcome.diverged, ensemble=ensemble, reasons=reasons)
    entry |= {"singular": settings.task.singular, "ended": outcome.ended, "kernel": outcome.kernel, "reasons": reasons}
    verdicts = result.verdicts + judge_training(curves, outcome.diverged, vars(settings.verdicts), ensemble=ensemble)
    after = measure_trained(settings, model) if settings.stats.after else None
    stats = {**result.stats, "training": entry, "verdicts": [verdict.as_json() for verdict in verdicts]}
    if after is not None:
        stats["after"] = {name: after.stats[name] for name in AFTER}
    non_finite = result.non_finite
    if non_finite is None and outcome.all_diverged:
        non_finite = f"training {outcome.diverged[0]}; no network is left"
    return dataclasses.replace(
        result, stats=stats, verdicts=verdicts, non_finite=non_finite, trained=Trained(outcome, model, after)
    )


def measure_trained(settings: Settings, model: KAN | MLP) -> Result:
    """Measure the trained network over the run's inputs: all of it with stats.after, else what figures need."""
    stats = settings.stats if settings.stats.after else dataclasses.replace(settings.stats, level="none")
    trained = dataclasses.replace(
        settings,
        stats=stats,
        grid=dataclasses.replace(settings.grid, adapt="none"),  # the knots are the model's
        activations=dataclasses.replace(settings.activations, n=MAX_MARKED),
    )
    watch = Stopwatch()
    return make_result(trained, model, forward_of(trained, model, [{} for _ in model.layers], watch), watch)


@torch.no_grad()
def fit_points(settings: Settings, model: KAN | MLP) -> Fit:
    """Target and prediction of the first member where the task measures its error, at some thousand points."""
    data = settings.task.data()
    first = model.member(None if model.n_members is None else 0)
    like = first.like
    if isinstance(data, Regression):
        shown, train = data.mesh or data.test or data.train, data.train
    else:
        shown, train = data.mesh, None
    chosen = _thin(shown.x.numpy())
    x = shown.x[chosen]
    with first.with_basis_statistics((x if train is None else train.x).to(like)):
        prediction = first(x.to(like)).double().cpu().numpy()
    samples = None if train is None else _some(train)
    return Fit(x.numpy(), shown.y[chosen].numpy(), prediction, samples)


def _some(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    step = -(-len(samples.x) // MAX_MARKED)
    return samples.x[::step].numpy(), samples.y[::step].numpy()


def _thin(x: np.ndarray) -> np.ndarray:
    """The numbers of some rows of `[n, i]`: a coarser mesh of a mesh in two dimensions, else rows at equal steps."""
    if x.shape[1] == 2:
        places = [np.unique(x[:, axis], return_inverse=True) for axis in (0, 1)]
        if len(places[0][0]) * len(places[1][0]) == len(x):
            steps = [-(-len(values) // MAX_MESH_SIDE) for values, _ in places]
            kept = np.all([place.ravel() % step == 0 for (_, place), step in zip(places, steps, strict=True)], axis=0)
            return np.flatnonzero(kept)
    return np.arange(0, len(x), -(-len(x) // MAX_POINTS))
