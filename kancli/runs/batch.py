"""Several runs of one shape computed together, as the members of one ensemble."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from kancli.config.settings import Settings
from kancli.inits.initialise import declared, init_
from kancli.runs.experiment import _empty, _sample_each, _told, compute, deterministic
from kancli.runs.forward import forward_and_measure
from kancli.runs.result import Result
from kancli.stats import network_stats
from kancli.stats.network_stats import format_non_finite
from kancli.stats.parameters import Declared


def compute_together(runs: Sequence[Settings]) -> Iterator[Result]:
    """Compute runs of one shape (`sweeps.batches.shape_of`) as the members of an ensemble: each result has the bits of
    `compute`.

    Its `seconds` are the run's share of what they took together.
    """
    if len(runs) == 1:
        yield compute(runs[0])
        return
    first = runs[0]
    with deterministic() if first.deterministic else contextlib.nullcontext():
        yield from _compute_together(runs)


def _compute_together(runs: Sequence[Settings]) -> Iterator[Result]:
    first = runs[0]
    seconds = {"model": 0.0, "inputs": 0.0, "forward": 0.0, "stats": 0.0}
    start = time.perf_counter()
    model = _empty(first, len(runs))
    laws = []  # of each run
    for which in _consecutive_groups([each.init for each in runs]):
        init_(model.member(which), runs[which.start].init, seed=[each.seed for each in runs[which]])
        laws += [declared(model, runs[which.start].init)] * len(runs[which])
    seconds["model"] = time.perf_counter() - start
    start = time.perf_counter()
    x = torch.cat(
        [_sample_each(runs[which.start], [each.seed for each in runs[which]])
         for which in _consecutive_groups([each.inputs for each in runs])]
    )  # fmt: skip
    seconds["inputs"] = time.perf_counter() - start
    passed = forward_and_measure(first, model, x, _joined(laws), seconds, keep=slice(None))
    share = {name: each / len(runs) for name, each in seconds.items()}
    for number, settings in enumerate(runs):
        start = time.perf_counter()
        found = passed.found.member(number)
        told, verdicts, _ = _told(settings, found, model.layers[0].coef.dtype)
        one = model.member(number)
        activations = {name: each[number] for name, each in passed.activations.items()}
        non_finite = format_non_finite(network_stats.non_finite(found.layers), ensemble=False)
        spent = {**share, "report": time.perf_counter() - start}
        yield Result(settings, one, one, found, told, verdicts, [], [], activations, non_finite, spent)


def _consecutive_groups(values: Sequence[Any]) -> Iterator[slice]:
    """Of neighbours that are equal."""
    begin = 0
    for _, same in itertools.groupby(values):
        end = begin + sum(1 for _ in same)
        yield slice(begin, end)
        begin = end


def _joined(laws: Sequence[list[dict[str, tuple[float, ...]]]]) -> list[dict[str, Declared]]:
    """The laws of all runs, by layer and tensor."""

    def together(each: Sequence[tuple[float, ...]]) -> Declared:
        return Declared(*map(np.array, zip(*each, strict=True)))

    return [{name: together([run[number][name] for run in laws]) for name in laws[0][number]}
            for number in range(len(laws[0]))]  # fmt: skip
