"""Compute several runs of one shape together, as the members of one ensemble."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kancli.config import memory
from kancli.config.settings import Settings
from kancli.inits.initialise import DeclaredMoments, declared, init_
from kancli.kan.grid_adaptation import adapt_grid_
from kancli.kan.mlp import MLP
from kancli.kan.network import KAN
from kancli.runs.build import draw_mlp, empty_model, sample_inputs
from kancli.runs.experiment import compute, declared_laws, deterministic
from kancli.runs.forward import forward_and_measure
from kancli.runs.result import Result, TrainingOutcome, make_result
from kancli.runs.stopwatch import Stopwatch
from kancli.stats.law_distance import Declared


def compute_together(runs: Sequence[Settings]) -> Iterator[Result]:
    """Compute runs of one shape (`sweeps.batches.shape_of`) as an ensemble. Each result has the bits of `compute`, and
    its `seconds` are an equal share of the batch's.
    """
    if len(runs) == 1:
        yield _compute_alone(runs[0])
        return
    with deterministic(runs[0].deterministic):
        watch = Stopwatch()
        model, laws = _build_together(runs)
        watch.lap("model")
        x = _sample_together(runs)
        watch.lap("inputs")
        forward = forward_and_measure(runs[0], model, x, laws, watch, keep=slice(None))
        trained = _train_together(runs, model, watch) if runs[0].trains else None
        for number, settings in enumerate(runs):
            share = watch.share(len(runs))
            result = make_result(settings, model.member(number), forward.member(number), share)
            yield result if trained is None else _with_training(result, *trained, number)


def start_together(runs: Sequence[Settings]) -> KAN | MLP:
    """The ensemble of runs of one shape before training: drawn, and on adapted grids where the settings adapt them."""
    with deterministic(runs[0].deterministic):
        model, _ = _build_together(runs)
        if isinstance(model, KAN) and (grid := runs[0].grid).adapts:
            chunk = memory.chunk_size(runs[0].width, grid.size + runs[0].k)
            adapt_grid_(model, _sample_together(runs), eps=grid.eps, rule=grid.adapt, chunk=chunk)
        return model


def _sample_together(runs: Sequence[Settings]) -> Tensor:
    """The inputs of all runs, `[s, n, n_0]`."""
    return torch.cat(
        [
            sample_inputs(runs[group.start], [run.seed for run in runs[group]])
            for group in _consecutive_groups([run.inputs for run in runs])
        ]
    )


def _compute_alone(settings: Settings) -> Result:
    if not settings.trains:
        return compute(settings)
    from kancli.runs.training import compute_and_train

    return compute_and_train(settings)


def _train_together(runs: Sequence[Settings], model: KAN | MLP, watch: Stopwatch) -> tuple[KAN | MLP, TrainingOutcome]:
    from kancli.runs.training import Hooks, train

    trained, outcome, _ = train(model, runs[0], [run.seed for run in runs], Hooks())
    watch.lap("training")
    return trained, outcome


def _with_training(result: Result, model: KAN | MLP, outcome: TrainingOutcome, number: int) -> Result:
    from kancli.runs.training import with_training

    return with_training(result, model.member(number), outcome.member(number))


def _build_together(runs: Sequence[Settings]) -> tuple[KAN | MLP, list[dict[str, Declared]]]:
    """The ensemble of all runs, each drawn by its own scheme and seed; and what the schemes declare."""
    if not runs[0].model.is_kan:
        mlp = draw_mlp(runs[0], [run.seed for run in runs], len(runs))
        return mlp, declared_laws(mlp, runs[0].init)
    model = empty_model(runs[0], len(runs))
    laws = []  # by run
    for group in _consecutive_groups([run.init for run in runs]):
        init = runs[group.start].init
        init_(model.member(group), init, seed=[run.seed for run in runs[group]])
        laws += [declared(model, init)] * len(runs[group])
    return model, _stack_laws(laws)


def _consecutive_groups(values: Sequence[Any]) -> Iterator[slice]:
    """Slices of equal neighbours."""
    begin = 0
    for _, neighbours in itertools.groupby(values):
        end = begin + sum(1 for _ in neighbours)
        yield slice(begin, end)
        begin = end


def _stack_laws(laws: Sequence[list[dict[str, DeclaredMoments]]]) -> list[dict[str, Declared]]:
    """Join what each run's scheme declares into arrays over the runs, by layer and tensor."""

    def stack(moments: Sequence[DeclaredMoments]) -> Declared:
        columns = zip(DeclaredMoments._fields, zip(*moments, strict=True), strict=True)
        objects = ("scores", "edge")
        return Declared(**{name: np.fromiter(column, object if name in objects else float) for name, column in columns})

    return [
        {name: stack([layer[name] for layer in layers]) for name in layers[0]} for layers in zip(*laws, strict=True)
    ]
