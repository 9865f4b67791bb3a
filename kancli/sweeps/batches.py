"""Batches: jobs of one shape that a worker computes as the members of one ensemble. Torch is not loaded."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from kancli.config import memory
from kancli.config.models import CheckpointModel
from kancli.config.settings import Settings
from kancli.config.validation import ITEM_BYTES

MAX_BATCH = 64  # jobs; bounds the work lost with a worker, and the interval between progress reports


def shape_of(settings: Settings) -> tuple[Any, ...] | None:
    """Key that the jobs of one batch share. None for a job that is computed alone."""
    if settings.n_seeds > 1 or settings.figures.names:
        return None
    if isinstance(settings.model, CheckpointModel):
        return None
    init = settings.init
    free = {"seed": 0, "init": None, "inputs": None, "strict": False, "overwrite": False, "verdicts": None}
    common = dataclasses.replace(settings, **free)  # pyright: ignore[reportArgumentType]
    kind = (init.has_bias, init.standardises, init.has_mask) if settings.model.is_kan else settings.network_size
    return common, kind, settings.inputs.count()


def kept_samples(settings: Settings) -> int:
    """Number of samples whose activations a job keeps."""
    return settings.activations.count(settings.inputs.count())


def max_batch_size(settings: Settings) -> int:
    """The most jobs of this shape that fit the memory limit of one group of members."""
    network = settings.network_size
    kept = memory.kept_bytes(network.width, kept_samples(settings), ITEM_BYTES[settings.dtype])
    group = memory.group_size(network.width, network.n_basis, settings.inputs.count())
    return max(1, min(MAX_BATCH, group, memory.GROUP_BYTES // max(1, kept)))


def batches(runs: Mapping[int, Settings], workers: int) -> Iterator[list[int]]:
    """Divide jobs into batches. Within a batch, jobs with the same scheme and sampler are neighbours.

    Args:
        runs: the settings of each job, by number.
        workers: the jobs of one shape are spread over this many processes.

    Yields:
        The numbers of the jobs of one batch.
    """
    shapes: dict[Any, list[int]] = {}
    for number, settings in runs.items():
        shape = shape_of(settings)
        shapes.setdefault(number if shape is None else shape, []).append(number)
    for numbers in shapes.values():
        laws: dict[Any, list[int]] = {}
        for number in numbers:
            laws.setdefault((runs[number].init, runs[number].inputs), []).append(number)
        ordered = list(itertools.chain.from_iterable(laws.values()))
        size = _even_size(len(numbers), max_batch_size(runs[numbers[0]]), workers)
        for start in range(0, len(ordered), size):
            yield ordered[start : start + size]


def _even_size(n_jobs: int, most: int, workers: int) -> int:
    """The size of batches, at most `most`, of which each worker gets as many."""
    per_worker = -(-n_jobs // (most * workers))
    return -(-n_jobs // (per_worker * workers))
