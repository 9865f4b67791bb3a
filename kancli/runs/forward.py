"""Samples sent through a model chunk by chunk, and what is measured and kept of them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from kancli.config import memory
from kancli.config.settings import Settings
from kancli.kan.basis_statistics import BasisStatistics
from kancli.kan.grid_adaptation import adapt_grid_
from kancli.kan.layer import LayerTrace
from kancli.kan.network import KAN
from kancli.stats.collector import Collector
from kancli.stats.gradients import GradientStats, measure_gradients
from kancli.stats.network_stats import EdgeRanges, NetworkStats
from kancli.stats.parameters import Declared, GridAdaptation, parameter_statistics


@dataclass(frozen=True)
class ForwardResult:
    """What came of sending samples through some members."""

    found: NetworkStats
    standards: list[BasisStatistics | None]  # per layer, what its bases were standardised by
    ranges: list[EdgeRanges]  # of the first
    activations: dict[str, Tensor]  # of those kept, with the member axis


def forward_and_measure(
    settings: Settings,
    model: KAN,
    x: Tensor,
    laws: list[dict[str, Declared]],
    seconds: dict[str, float],
    *,
    keep: slice | None,
) -> ForwardResult:
    """Send samples through a model chunk by chunk.

    Args:
        seconds: what forward pass and statistics took is added here.
        keep: of which members to keep activations, as many as the settings want, and what the figures need of the
            first; None for none.
    """
    clock = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[name], clock = seconds[name] + now - clock, now

    n = x.shape[-2]
    most = n if settings.activations.n is None else min(n, settings.activations.n)
    chunk = memory.chunk_size(settings.width, settings.grid.size + settings.k)
    measures, draws = settings.stats, keep is not None and bool(settings.figures.names)
    adaptations: list[GridAdaptation] | None = None
    if settings.grid.adapt == "samples":
        laws, adaptations = _adapted(settings, model, x, laws, chunk)
    collector = Collector(
        model, laws, adaptations, level=measures.level, n_first=measures.first.n, flat=measures.flat, ranges=draws
    )
    kept: list[dict[str, Tensor]] = []
    gradients: GradientStats | None = None
    with model.with_basis_statistics(x, chunk):
        for begin in range(0, n, chunk):
            traces = model.trace(x[..., begin : begin + chunk, :])
            if keep is not None and begin < most:
                kept.append(_activations(traces, keep, most - begin))
            lap("forward")
            collector.update(traces)
            lap("stats")
        if measures.level == "full":
            gradients = measure_gradients(model, x[..., : measures.ntk.n, :])
        standards = [layer.basis_statistics for layer in model.layers]
        found, ranges = collector.compute(gradients)
    activations = {name: torch.cat([chunk[name] for chunk in kept], dim=1) for name in kept[0]} if kept else {}
    lap("stats")
    return ForwardResult(found, standards, ranges, activations)


def _adapted(
    settings: Settings, model: KAN, x: Tensor, laws: list[dict[str, Declared]], chunk: int
) -> tuple[list[dict[str, Declared]], list[GridAdaptation]]:
    """Adapt the knots of a model to samples; return the laws that still hold, and statistics of the adaptation."""
    drawn = [
        parameter_statistics(layer, each, quantiles=settings.stats.level == "full")["coef"]
        for layer, each in zip(model.layers, laws, strict=True)
    ]
    fits = adapt_grid_(model, x, eps=settings.grid.eps, chunk=chunk)
    adaptations = [GridAdaptation(coef, vars(fit)) for coef, fit in zip(drawn, fits, strict=True)]
    return [{name: law for name, law in each.items() if name != "coef"} for each in laws], adaptations


def _activations(traces: list[LayerTrace], members: slice, n: int) -> dict[str, Tensor]:
    """The first n samples of a chunk, by the names of activations.safetensors; each with the member axis."""
    named = {"inputs": traces[0].preacts}
    for number, trace in enumerate(traces):
        named[f"layers.{number}.preacts"] = trace.preacts
        named[f"layers.{number}.spline"] = trace.spline
        named[f"layers.{number}.postacts"] = trace.postacts
    named["output"] = traces[-1].output
    single = traces[0].preacts.dim() == 2
    # contiguous().clone(): the file format takes neither views nor shared memory
    return {
        name: (tensor.unsqueeze(0) if single else tensor)[members, :n].cpu().contiguous().clone()
        for name, tensor in named.items()
    }
