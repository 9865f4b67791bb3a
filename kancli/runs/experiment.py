"""A run as a pure function of its settings: the parts meet here. `recording` gives it a folder."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from kancli.config import memory
from kancli.config.settings import Settings
from kancli.errors import ConfigError
from kancli.figures.data import MAX_MEMBERS
from kancli.inits.initialise import declared, init_, size_of
from kancli.inits.laws import Law
from kancli.kan.base_functions import base_function
from kancli.kan.basis_statistics import BasisStatistics
from kancli.kan.network import KAN
from kancli.runs.forward import ForwardResult, forward_and_measure
from kancli.runs.result import Result
from kancli.stats import network_stats
from kancli.stats.network_stats import NetworkStats, format_non_finite, join
from kancli.stats.parameters import Declared
from kancli.stats.stats_json import as_json, member_rows
from kancli.stats.verdicts import Verdict, judge


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
            layer.use_per_input_knots_()
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
    laws = [{name: Declared(*each) for name, each in layer.items()} for layer in declared(model, settings.init)]
    parts: list[ForwardResult] = []
    size = memory.group_size(settings.width, settings.grid.size + settings.k, settings.inputs.count())
    for begin in range(0, settings.n_seeds, size):
        group = slice(begin, min(begin + size, settings.n_seeds))
        start = time.perf_counter()
        x = _sample(settings, group if ensemble else None)
        seconds["inputs"] += time.perf_counter() - start
        part = model.member(group) if ensemble else model
        parts.append(forward_and_measure(settings, part, x, laws, seconds, keep=None if parts else slice(0, 1)))

    start = time.perf_counter()
    figure_model = model.member(slice(0, MAX_MEMBERS) if ensemble else None)
    for layer, *standards in zip(figure_model.layers, *(each.standards for each in parts), strict=True):
        layer.basis_statistics = _of_first_members(standards) if ensemble else standards[0]
    found = join([each.found for each in parts])
    told, verdicts, members = _told(settings, found, model.layers[0].coef.dtype)
    non_finite = format_non_finite(network_stats.non_finite(found.layers), ensemble)
    activations = {name: each[0] for name, each in parts[0].activations.items()}
    seconds["report"] = time.perf_counter() - start
    return Result(
        settings, model, figure_model, found, told, verdicts, members, parts[0].ranges, activations, non_finite, seconds
    )


def _of_first_members(groups: Sequence[BasisStatistics | None]) -> BasisStatistics | None:
    known = [each for each in groups if each is not None]
    if not known:
        return None
    mean, inverse_std = (
        torch.cat([getattr(each, name) for each in known])[:MAX_MEMBERS] for name in ("mean", "inverse_std")
    )
    return BasisStatistics(mean, inverse_std)


def laws_of(settings: Settings, model: KAN) -> list[dict[str, Law]]:
    """The law of each tensor of each layer that has one: coefficients that were fitted anew have none."""
    fitted = {"coef"} if settings.grid.adapt == "samples" else set()
    drawn = [settings.init.laws(size_of(layer)) for layer in model.layers]
    return [{name: law for name, law in layer.items() if name not in fitted} for layer in drawn]


def _told(
    settings: Settings, found: NetworkStats, dtype: torch.dtype
) -> tuple[dict[str, Any], list[Verdict], list[dict[str, Any]]]:
    """The contents of stats.json, the verdicts, and the rows of members.csv."""
    ensemble = settings.n_seeds > 1
    verdicts = judge(found, vars(settings.verdicts), ensemble=ensemble)
    figure_model = NetworkStats([], {}) if settings.stats.level == "none" else found
    told = as_json(figure_model, verdicts, epsilon=torch.finfo(dtype).eps, ensemble=ensemble)
    return told, verdicts, member_rows(figure_model.layers, settings.seed) if ensemble else []


def _sample(settings: Settings, members: slice | None) -> Tensor:
    """The inputs, `[n, n_0]`, or `[s, n, n_0]` for some members."""
    if members is None:
        return _sample_each(settings, [settings.seed])[0]
    return _sample_each(settings, range(settings.seed + members.start, settings.seed + members.stop))


def _sample_each(settings: Settings, seeds: Sequence[int]) -> Tensor:
    """The inputs of runs that differ by their seed, `[s, n, n_0]`."""
    x = torch.from_numpy(settings.inputs.sample_each(settings.width[0], seeds=seeds))
    return x.to(getattr(torch, settings.dtype)).to(device_of(settings.device))
