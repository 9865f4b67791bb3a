"""Estimated cost of a sweep, in seconds and bytes on disk, printed before it starts. Torch is not loaded."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kancli.config import memory
from kancli.config.processors import processors_within_quota
from kancli.config.settings import Settings
from kancli.config.validation import ITEM_BYTES
from kancli.spelling import show_bytes
from kancli.sweeps.batches import kept_samples

if TYPE_CHECKING:
    from kancli.sweeps.jobs import Expansion


class TrainingCost(NamedTuple):
    """What a step of training of one network takes, in seconds."""

    term: float  # for a factor of a sum over edges, at one sample
    bases: float  # for the bases of one input of a layer, at one sample
    step: float
    equation: float  # factor of an equation, which has derivatives by its inputs too


STARTUP_SECONDS = 2.5  # to load torch
# Measured on one processor, in seconds. A term is a basis function evaluated at one sample of one edge.
JOB_SECONDS, EDGE_SECONDS, FIGURE_SECONDS, TERM_SECONDS = 7e-3, 4e-5, 0.5, 2e-8
# The same of a step of training.
BY_NUMBA = TrainingCost(4e-10, 7e-9, 5e-4, equation=6)
BY_TORCH = TrainingCost(5e-9, 0.0, 5e-4, equation=8)
BY_AUTOGRAD = TrainingCost(3e-8, 0.0, 5e-4, equation=2)  # of adapted knots and standardised bases
OF_MLP = TrainingCost(1.5e-10, 2e-9, 5e-4, equation=8)  # of two terms a weight
COMPILED_BASES = ("silu", "identity", "zero")
# Measured, in bytes on disk. An edge takes space in stats.json and edges.csv.
JOB_BYTES, EDGE_BYTES, FIGURE_BYTES = 25_000, 900, 60_000


def count_workers(workers: int | None) -> int:
    """Number of worker processes for a value of `sweep.workers`."""
    return processors_within_quota() if workers is None else workers


def total_seconds(runs: Sequence[Settings]) -> float:
    """Seconds that jobs take on one processor, without the time to start."""
    return sum(map(_seconds, runs))


def disk_bytes(runs: Sequence[Settings]) -> int:
    """Bytes of the folders of jobs."""
    return sum(map(_bytes, runs))


def _seconds(settings: Settings) -> float:
    edges, members = _count_edges(settings), settings.n_seeds
    terms = settings.inputs.count() * edges * (settings.network_size.k + 2)
    report = 0 if settings.stats.level == "none" else edges * EDGE_SECONDS
    figures = FIGURE_SECONDS * len(settings.figures.names)
    return JOB_SECONDS + report * members**0.5 + TERM_SECONDS * terms * members + figures + _training_seconds(settings)


def _training_seconds(settings: Settings) -> float:
    if not settings.trains:
        return 0.0
    train, cost = settings.training, _training_cost(settings)
    n_samples = min(settings.task.n_train, train.batch or settings.task.n_train)
    factor = cost.equation if settings.task.is_equation else 1
    network = settings.network_size
    terms, bases = network.n_edges * (network.k + 2), sum(network.width[:-1])
    step = cost.step + factor * n_samples * (terms * cost.term + bases * cost.bases)
    return (train.steps or 0) * step * settings.n_seeds


def _training_cost(settings: Settings) -> TrainingCost:
    """By which means a training is computed, about as `training.kernels` decides it, which needs torch."""
    if not settings.model.is_kan:
        return OF_MLP
    if settings.grid.adapts or settings.train.adapt_every or settings.train.lamb or settings.init.standardises:
        return BY_AUTOGRAD
    return (
        BY_NUMBA
        if settings.train.compile and _has_numba() and settings.base_fun in COMPILED_BASES and settings.k > 0
        else BY_TORCH
    )


@functools.cache
def _has_numba() -> bool:
    return importlib.util.find_spec("numba") is not None


def _bytes(settings: Settings) -> int:
    item, edges = ITEM_BYTES[settings.dtype], _count_edges(settings)
    network = settings.network_size
    parameters = settings.n_seeds * item * edges * (network.n_basis + 2)
    activations = memory.kept_bytes(network.width, kept_samples(settings), item) // 2
    return JOB_BYTES + EDGE_BYTES * edges + parameters + activations + FIGURE_BYTES * len(settings.figures.names)


def _count_edges(settings: Settings) -> int:
    return settings.network_size.n_edges


def format_plan(expansion: Expansion) -> str:
    """The notices of a sweep, the number of its jobs, and their estimated cost."""
    runs = [job.settings for job in expansion.jobs]
    factors = [str(len(values)) for values in expansion.swept.values()]
    total = str(len(runs) + expansion.dropped)
    product = f"{' × '.join(factors)} = {total}" if len(factors) > 1 else total
    workers = max(1, min(count_workers(runs[0].sweep.workers), len(runs)))
    seconds = STARTUP_SECONDS + total_seconds(runs) / workers
    rest = f", {len(runs)} without them" if expansion.dropped else ""
    lines = [f"kan-run: {notice}" for notice in expansion.notices]
    lines.append(
        f"kan-run: {product} job{'' if product == '1' else 's'}, {expansion.dropped} duplicates{rest},"
        f" {show_bytes(disk_bytes(runs))}, about {_format_duration(seconds)}"
    )
    return "\n".join(lines)


def _format_duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
