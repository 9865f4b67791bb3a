"""A run as a pure function of its settings: the parts meet here. `recording` gives it a folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kancli import figures, memory, stats
from kancli.base_functions import base_function
from kancli.config import Settings
from kancli.errors import ConfigError
from kancli.inits import declared, init_
from kancli.model import KAN, LayerTrace
from kancli.run_folder import RunFolder
from kancli.stats import LayerScope


@dataclass(frozen=True)
class Result:
    """All that a run found."""

    settings: Settings
    model: KAN
    stats: dict[str, Any]  # the contents of stats.json
    scopes: list[LayerScope]
    activations: dict[str, Tensor]  # by the names of activations.safetensors; empty where none are kept
    non_finite: str | None  # layer, edge and branch of the first value that is infinite or NaN
    seconds: dict[str, float]

    def parameters(self) -> dict[str, Tensor]:
        """By the names of params.safetensors."""
        return {name: tensor.detach().cpu() for name, tensor in self.model.state_dict().items()}


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


def build(settings: Settings) -> KAN:
    """The model that the settings describe, with its parameters drawn."""
    model = KAN(
        settings.width,
        grid=settings.grid.size,
        k=settings.k,
        base_fun=base_function(settings.base_fun),
        base_name=settings.base_fun,
        bias=settings.init.has_bias,
        grid_range=settings.grid.range,
        dtype=getattr(torch, settings.dtype),
        device=device_of(settings.device),
    )
    return init_(model, settings.init, seed=settings.seed)


def compute(settings: Settings) -> Result:
    """Build the model, draw its parameters, sample the inputs, run the forward pass and measure. No file is touched
    but an input file."""
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    model = build(settings)
    seconds["model"] = time.perf_counter() - start

    start = time.perf_counter()
    samples = settings.inputs.sample(settings.width[0], seed=settings.seed)
    x = torch.tensor(samples).to(getattr(torch, settings.dtype)).to(device_of(settings.device))
    seconds["inputs"] = time.perf_counter() - start

    start = time.perf_counter()
    laws = [{name: stats.Declared(*each) for name, each in layer.items()} for layer in declared(model, settings.init)]
    collector = stats.Collector(model, laws)
    keep = len(x) if settings.activations.n is None else min(len(x), settings.activations.n)
    kept: list[dict[str, Tensor]] = []
    size = memory.chunk_size(settings.width, settings.grid.size + settings.k)
    for first in range(0, len(x), size):
        traces = model.trace(x[first : first + size])
        collector.update(traces)
        if first < keep:
            kept.append(_activations(traces, keep - first))
    activations = {name: torch.cat([chunk[name] for chunk in kept]) for name in kept[0]} if kept else {}
    non_finite = collector.non_finite()
    found = (
        collector.report()
        if settings.stats.level != "none"
        else stats.report([], {"layers": stats.NOT_MEASURED}, non_finite, collector.epsilon)
    )
    seconds["forward"] = time.perf_counter() - start
    return Result(settings, model, found, collector.scopes(), activations, non_finite, seconds)


def _activations(traces: list[LayerTrace], n: int) -> dict[str, Tensor]:
    """The first n samples of a chunk, by the names of activations.safetensors."""
    named = {"inputs": traces[0].preacts}
    for number, trace in enumerate(traces):
        named[f"layers.{number}.preacts"] = trace.preacts
        named[f"layers.{number}.spline"] = trace.spline
        named[f"layers.{number}.postacts"] = trace.postacts
    named["output"] = traces[-1].output
    # contiguous().clone(): the file format takes neither views nor shared memory
    return {name: tensor[:n].cpu().contiguous().clone() for name, tensor in named.items()}


def record(result: Result, folder: RunFolder) -> None:
    """Write everything a run leaves, but for the closing of run.json."""
    settings = result.settings
    folder.write_tensors("params.safetensors", result.parameters())
    if result.activations:
        folder.write_tensors("activations.safetensors", result.activations)
    folder.write_stats(result.stats)
    for name in settings.figures.names:
        start = time.perf_counter()
        figure = figures.draw(name, result.model, result.scopes, settings.figures)
        folder.write(f"figures/{name}.png", figures.png(figure, settings.figures.dpi))
        result.seconds[f"figure {name}"] = time.perf_counter() - start
