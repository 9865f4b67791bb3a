"""A run as a pure function of its settings: the parts meet here. `recording` gives it a folder."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kancli import memory, stats
from kancli.base_functions import base_function
from kancli.errors import ConfigError
from kancli.figures.scene import MOST_MEMBERS
from kancli.inits import declared, init_, size_of
from kancli.inits.laws import Law
from kancli.measuring import Passed, measure
from kancli.model import KAN, Standard
from kancli.settings import Settings
from kancli.stats import Found, LayerScope


@dataclass(frozen=True)
class Result:
    """All that a run found."""

    settings: Settings
    model: KAN
    shown: KAN  # the model itself, or an ensemble's first members: those in figures
    found: Found  # of every member
    stats: dict[str, Any]  # the contents of stats.json
    members: list[dict[str, Any]]  # the rows of members.csv; empty for a single model
    scopes: list[LayerScope]  # of the first member
    activations: dict[str, Tensor]  # of the first member, by the names of activations.safetensors; empty for none
    non_finite: str | None  # layer, edge and branch of the first value that is infinite or NaN
    seconds: dict[str, float]

    def parameters(self) -> dict[str, Tensor]:
        """By the names of params.safetensors; in an ensemble each with the member axis, shared knots too."""
        tensors = {name: tensor.detach().cpu() for name, tensor in self.model.state_dict().items()}
        members = self.model.n_members
        if members is not None:
            for number, layer in enumerate(self.model.layers):
                if not layer.own_knots:
                    tensors[f"layers.{number}.knots"] = layer.knots.cpu().expand(members, -1)
        return tensors


def device_of(name: str) -> torch.device:
    """The device of that name: cpu, cuda, or auto.

    Raises:
        ConfigError: cuda is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(["device=cuda: torch finds no CUDA device here; take device=cpu or device=auto"])
    return torch.device(name)


def layer_options(settings: Settings) -> dict[str, Any]:
    """What the settings say of every layer, by the keywords of `KANLayer`."""
    return {
        "grid": settings.grid.size,
        "k": settings.k,
        "base_fun": base_function(settings.base_fun),
        "base_name": settings.base_fun,
        "bias": settings.init.has_bias,
        "standardise": settings.init.standardises,
        "grid_range": settings.grid.range,
        "dtype": getattr(torch, settings.dtype),
    }


def build(settings: Settings) -> KAN:
    """The model that the settings describe, with its parameters drawn; an ensemble where there are several seeds.

    Where the grid is to adapt to samples it has not done so yet.
    """
    members = settings.n_seeds if settings.n_seeds > 1 else None
    return init_(_empty(settings, members), settings.init, seed=settings.seed)


def _empty(settings: Settings, members: int | None) -> KAN:
    model = KAN(settings.width, **layer_options(settings), n_members=members, device=device_of(settings.device))
    if settings.grid.adapt == "samples":
        for layer in model.layers:
            layer.take_own_knots_()
    return model


def compute(settings: Settings) -> Result:
    """Build the model, draw its parameters, sample the inputs, run the forward pass and measure. No file is touched
    but an input file.

    Members go through in groups, and samples in chunks of a size that does not depend on the number of members: one
    member's numbers are those of a run of its own.
    """
    with deterministic() if settings.deterministic else contextlib.nullcontext():
        return _compute(settings)


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Within, torch takes its repeatable algorithms, and raises RuntimeError for an operation that has none."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    tuning = torch.backends.cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for; read at its first use
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = tuning


def _compute(settings: Settings) -> Result:
    seconds = {"model": 0.0, "inputs": 0.0, "forward": 0.0, "stats": 0.0}
    start = time.perf_counter()
    model = build(settings)
    seconds["model"] = time.perf_counter() - start

    ensemble = settings.n_seeds > 1
    laws = [{name: stats.Declared(*each) for name, each in layer.items()} for layer in declared(model, settings.init)]
    parts: list[Passed] = []
    size = memory.group_size(settings.width, settings.grid.size + settings.k, settings.inputs.count())
    for begin in range(0, settings.n_seeds, size):
        group = slice(begin, min(begin + size, settings.n_seeds))
        start = time.perf_counter()
        x = _sample(settings, group if ensemble else None)
        seconds["inputs"] += time.perf_counter() - start
        part = model.member(group) if ensemble else model
        parts.append(measure(settings, part, x, laws, seconds, keep=None if parts else slice(0, 1)))

    start = time.perf_counter()
    shown = model.member(slice(0, MOST_MEMBERS) if ensemble else None)
    for layer, *standards in zip(shown.layers, *(each.standards for each in parts), strict=True):
        layer.standard = _of_first_members(standards) if ensemble else standards[0]
    found = stats.join([each.found for each in parts])
    told, members = _told(settings, found, model.layers[0].coef.dtype)
    non_finite = stats.describe(stats.non_finite(found.layers), ensemble)
    activations = {name: each[0] for name, each in parts[0].activations.items()}
    seconds["report"] = time.perf_counter() - start
    return Result(settings, model, shown, found, told, members, parts[0].scopes, activations, non_finite, seconds)


def compute_together(runs: Sequence[Settings]) -> Iterator[Result]:
    """Compute runs of one shape (`sweeps.costs.shape_of`) as the members of an ensemble: each result has the bits of
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
    for which in _stretches([each.init for each in runs]):
        init_(model.member(which), runs[which.start].init, seed=[each.seed for each in runs[which]])
        laws += [declared(model, runs[which.start].init)] * len(runs[which])
    seconds["model"] = time.perf_counter() - start
    start = time.perf_counter()
    x = torch.cat(
        [_sample_each(runs[which.start], [each.seed for each in runs[which]])
         for which in _stretches([each.inputs for each in runs])]
    )  # fmt: skip
    seconds["inputs"] = time.perf_counter() - start
    passed = measure(first, model, x, _joined(laws), seconds, keep=slice(None))
    share = {name: each / len(runs) for name, each in seconds.items()}
    for number, settings in enumerate(runs):
        start = time.perf_counter()
        found = passed.found.member(number)
        told, _ = _told(settings, found, model.layers[0].coef.dtype)
        one = model.member(number)
        activations = {name: each[number] for name, each in passed.activations.items()}
        non_finite = stats.describe(stats.non_finite(found.layers), ensemble=False)
        spent = {**share, "report": time.perf_counter() - start}
        yield Result(settings, one, one, found, told, [], [], activations, non_finite, spent)


def _stretches(values: Sequence[Any]) -> Iterator[slice]:
    """Of neighbours that are equal."""
    begin = 0
    for _, same in itertools.groupby(values):
        end = begin + sum(1 for _ in same)
        yield slice(begin, end)
        begin = end


def _joined(laws: Sequence[list[dict[str, tuple[float, ...]]]]) -> list[dict[str, stats.Declared]]:
    """The laws of all runs, by layer and tensor."""

    def together(each: Sequence[tuple[float, ...]]) -> stats.Declared:
        return stats.Declared(*map(np.array, zip(*each, strict=True)))

    return [{name: together([run[number][name] for run in laws]) for name in laws[0][number]}
            for number in range(len(laws[0]))]  # fmt: skip


def _of_first_members(groups: Sequence[Standard | None]) -> Standard | None:
    known = [each for each in groups if each is not None]
    if not known:
        return None
    mean, inverse_std = (
        torch.cat([getattr(each, name) for each in known])[:MOST_MEMBERS] for name in ("mean", "inverse_std")
    )
    return Standard(mean, inverse_std)


def laws_of(settings: Settings, model: KAN) -> list[dict[str, Law]]:
    """The law of each tensor of each layer that has one: coefficients that were fitted anew have none."""
    fitted = {"coef"} if settings.grid.adapt == "samples" else set()
    drawn = [settings.init.laws(size_of(layer)) for layer in model.layers]
    return [{name: law for name, law in layer.items() if name not in fitted} for layer in drawn]


def _told(settings: Settings, found: Found, dtype: torch.dtype) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The contents of stats.json, and the rows of members.csv."""
    ensemble = settings.n_seeds > 1
    verdicts = stats.judge(found, vars(settings.verdicts), ensemble=ensemble)
    shown = Found([], {}) if settings.stats.level == "none" else found
    told = stats.report(shown, verdicts, epsilon=torch.finfo(dtype).eps, ensemble=ensemble)
    return told, stats.member_rows(shown.layers, settings.seed) if ensemble else []


def _sample(settings: Settings, members: slice | None) -> Tensor:
    """The inputs, `[n, n_0]`, or `[s, n, n_0]` for some members."""
    if members is None:
        return _sample_each(settings, [settings.seed])[0]
    return _sample_each(settings, range(settings.seed + members.start, settings.seed + members.stop))


def _sample_each(settings: Settings, seeds: Sequence[int]) -> Tensor:
    """The inputs of runs that differ by their seed, `[s, n, n_0]`."""
    x = torch.from_numpy(settings.inputs.sample_each(settings.width[0], seeds=seeds))
    return x.to(getattr(torch, settings.dtype)).to(device_of(settings.device))
