"""Train within a run's folder: the state while it goes on, and the files that it leaves."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from kancli.config.settings import Settings
from kancli.errors import WriteError
from kancli.figures.data import Fit, TrainingData
from kancli.runs import signals
from kancli.runs.figure_files import figure_data_of, range_tensors, write_figures
from kancli.runs.files import csv_of_rows
from kancli.runs.folder import CURVES, FIT, PARAMETERS, RunFolder
from kancli.runs.result import Result, TrainingOutcome, metadata_of, parameters_of
from kancli.runs.training import Hooks, fit_points, measure_trained, seeds_of, train, with_training
from kancli.runs.training_state import MARKED, STATE, pack_state
from kancli.training.result import Row, TrainingState

LONG = 30.0  # seconds of training after which faster kernels are worth a line
log = logging.getLogger("kancli")

Bar = Callable[[int], AbstractContextManager[Callable[[Row], None]]]  # shows the rows of a training of so many steps


def train_and_record(
    result: Result, folder: RunFolder, bar: Bar, state: TrainingState | None = None
) -> tuple[Result, dict[str, float]]:
    """Train a run's network, and write what training leaves.

    A signal ends training after the current step: the curves and a state are written, then it is raised.

    Args:
        result: of the run at its start; its files are written.
        state: to go on from.

    Returns:
        The result with what training added, and the seconds of its parts.
    """
    settings = result.settings
    with signals.deferred_signals():
        with bar(settings.training.steps or 0) as show:
            hooks = Hooks(
                on_row=show,
                on_state=lambda now: _save_if_room(folder, now),
                should_stop=lambda: signals.pending_signal() is not None,
            )
            model, outcome, last = train(result.model, settings, seeds_of(settings), hooks, state)
        if outcome.ended == "interrupted":
            _write_curves(folder, settings, outcome)
            folder.write(STATE, pack_state(last))
    result = with_training(result, model, outcome)
    folder.write_stats(result.stats)
    seconds = record_training(result, folder)
    folder.remove(STATE)
    took = float(outcome.curves.seconds[-1])
    if outcome.kernel == "torch" and settings.train.compile is True:
        log.warning("train.compile=true: no kernel trains this network in this way; torch did")
    if outcome.kernel == "torch" and took > LONG and importlib.util.find_spec("numba") is None:
        log.warning("training took %.0f s; pip install '.[fast]' in the clone of kancli shortens it", took)
    return result, {"training": took, **seconds}


def record_training(result: Result, folder: RunFolder) -> dict[str, float]:
    """Write the files of a training, but for stats.json; return the seconds that each figure took."""
    settings, trained = result.settings, result.trained
    assert trained is not None
    outcome = trained.outcome
    for member, reason in enumerate(outcome.diverged):
        if reason is not None:
            log.warning("seed %d %s", settings.seed + member, reason)
    _write_curves(folder, settings, outcome)
    folder.write_tensors(PARAMETERS, parameters_of(trained.model), metadata_of(trained.model))
    names = settings.figures.drawn(trained=True)
    names = tuple(name for name in names if name not in settings.figures.drawn(trained=False))
    if not names:
        return {}
    after = trained.after or measure_trained(settings, trained.model)
    fit = fit_points(settings, trained.model)
    training = TrainingData(settings.task.label, outcome.curves, fit, figure_data_of(after))
    data = dataclasses.replace(figure_data_of(result), training=training)
    seconds = write_figures(data, dataclasses.replace(settings.figures, names=names), folder)
    ranges = range_tensors(after.figure_model, after.ranges)
    marked = {
        f"{MARKED}{name}": tensor
        for name, tensor in after.activations.items()
        if name == "inputs" or name.endswith(".preacts")
    }
    folder.write_tensors(FIT, {**_fit_tensors(fit), **ranges, **marked})
    return seconds


def _fit_tensors(fit: Fit) -> dict[str, Tensor]:
    """Target and prediction at some points: `x` `[n, n_0]`, `target` and `prediction` `[n, n_L]`, `samples_x`, ..."""
    arrays = {"x": fit.x, "target": fit.target, "prediction": fit.prediction}
    if fit.samples is not None:
        arrays["samples_x"], arrays["samples_y"] = fit.samples
    return {name: torch.from_numpy(array).contiguous() for name, array in arrays.items()}


def _write_curves(folder: RunFolder, settings: Settings, outcome: TrainingOutcome) -> None:
    folder.write(CURVES, csv_of_rows(outcome.curves.rows(seeds_of(settings))))


def _save_if_room(folder: RunFolder, state: TrainingState) -> None:
    """Write the state; where that fails, training goes on without."""
    try:
        folder.write(STATE, pack_state(state))
    except WriteError as error:
        log.warning("the state of training is not saved: %s", error)
