"""Send samples through a model chunk by chunk; measure, and keep activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kancli.config import memory
from kancli.config.settings import Settings
from kancli.figures.data import MAX_MEMBERS
from kancli.kan.basis_statistics import BasisStatistics
from kancli.kan.grid_adaptation import adapt_grid_
from kancli.kan.layer import LayerTrace
from kancli.kan.mlp import MLP, MLPTrace
from kancli.kan.network import KAN
from kancli.runs.stopwatch import Stopwatch
from kancli.stats.collector import Collector
from kancli.stats.gradients import GradientStats, measure_gradients
from kancli.stats.law_distance import Declared
from kancli.stats.mlp_collector import MLPCollector
from kancli.stats.mlp_gradients import measure_mlp_gradients
from kancli.stats.network_stats import EdgeRanges, NetworkStats, join
from kancli.stats.parameters import GridAdaptation, parameter_statistics


@dataclass(frozen=True)
class ForwardResult:
    """Result of the forward pass of some members."""

    stats: NetworkStats
    basis_statistics: list[BasisStatistics | None]  # by layer; of an ensemble, at least those of the members in figures
    ranges: list[EdgeRanges]  # by layer, of the first member; empty without figures
    activations: dict[str, Tensor]  # [s, ...] of the members that are kept, by the names of activations.safetensors

    def member(self, index: int) -> ForwardResult:
        """The result of one of several runs that were computed together, all of whose activations were kept."""
        basis_statistics = [
            None if layer is None else BasisStatistics(layer.mean[index], layer.inverse_std[index])
            for layer in self.basis_statistics
        ]
        activations = {name: tensor[index : index + 1] for name, tensor in self.activations.items()}
        return ForwardResult(self.stats.member(index), basis_statistics, [], activations)


def join_members(parts: Sequence[ForwardResult]) -> ForwardResult:
    """Join groups of members of one ensemble; the first group has the ranges and activations."""
    basis_statistics = [_of_first_members(groups) for groups in zip(*(part.basis_statistics for part in parts))]
    return ForwardResult(join([part.stats for part in parts]), basis_statistics, parts[0].ranges, parts[0].activations)


def _of_first_members(groups: Sequence[BasisStatistics | None]) -> BasisStatistics | None:
    known = [group for group in groups if group is not None]
    if not known:
        return None
    return BasisStatistics(
        torch.cat([group.mean for group in known])[:MAX_MEMBERS],
        torch.cat([group.inverse_std for group in known])[:MAX_MEMBERS],
    )


def forward_and_measure(
    settings: Settings,
    model: KAN | MLP,
    x: Tensor,
    laws: list[dict[str, Declared]],
    watch: Stopwatch,
    *,
    keep: slice | None,
) -> ForwardResult:
    """Run the forward pass and measure.

    Args:
        x: `[(s,) n, n_0]`.
        laws: what the scheme declares, by layer and tensor.
        watch: laps "forward" and "stats".
        keep: the members whose activations are kept, for the settings' number of samples; with any, the ranges that
            figures need are measured too. None for no member.
    """
    n_kept = 0 if keep is None else settings.activations.count(x.shape[-2])
    chunk = memory.chunk_size(settings.network_size.width, settings.network_size.n_basis)
    adaptations: list[GridAdaptation] | None = None
    if isinstance(model, KAN) and settings.grid.adapts:
        laws, adaptations = _adapt_grid(settings, model, x, laws, chunk)
    options = settings.stats
    collector = _collector(settings, model, laws, adaptations, ranges=keep is not None)
    with model.with_basis_statistics(x, chunk):
        kept = _collect(model, x, collector, watch, chunk=chunk, keep=keep, n_kept=n_kept)
        gradients = _gradients(model, x[..., : options.ntk.n, :]) if options.level == "full" else None
        basis_statistics = [layer.basis_statistics for layer in model.layers]
        stats, edge_ranges = collector.compute(gradients)
    watch.lap("stats")
    return ForwardResult(stats, basis_statistics, edge_ranges, kept)


def _collector(
    settings: Settings,
    model: KAN | MLP,
    laws: list[dict[str, Declared]],
    adaptations: list[GridAdaptation] | None,
    *,
    ranges: bool,
) -> Collector | MLPCollector:
    options = settings.stats
    if isinstance(model, MLP):
        return MLPCollector(model, laws, level=options.level)
    return Collector(
        model,
        laws,
        adaptations,
        level=options.level,
        n_first=options.first.n,
        n_quantiles=options.n_quantiles,
        flat=options.flat,
        ranges=ranges and bool(settings.figures.names),
    )


def _gradients(model: KAN | MLP, x: Tensor) -> GradientStats:
    return measure_mlp_gradients(model, x) if isinstance(model, MLP) else measure_gradients(model, x)


def _collect(
    model: KAN | MLP,
    x: Tensor,
    collector: Collector | MLPCollector,
    watch: Stopwatch,
    *,
    chunk: int,
    keep: slice | None,
    n_kept: int,
) -> dict[str, Tensor]:
    """Run the forward pass in chunks of samples, and hand the traces to a collector; return the activations kept.

    Args:
        keep: members; n_kept: the first samples of these.
    """
    kept: list[dict[str, Tensor]] = []
    for begin in range(0, x.shape[-2], chunk):
        traces: Any = model.trace(x[..., begin : begin + chunk, :])  # of the collector's kind of network
        if keep is not None and begin < n_kept:
            kept.append(_activations(traces, keep, n_kept - begin))
        watch.lap("forward")
        collector.update(traces)
        del traces  # the next chunk's take their memory
        watch.lap("stats")
    return {name: torch.cat([chunk[name] for chunk in kept], dim=1) for name in kept[0]} if kept else {}


def _adapt_grid(
    settings: Settings, model: KAN, x: Tensor, laws: list[dict[str, Declared]], chunk: int
) -> tuple[list[dict[str, Declared]], list[GridAdaptation]]:
    """Adapt the knots of a model to samples; return the laws that still hold, and statistics of the adaptation."""
    coef_as_drawn = [
        parameter_statistics(layer, declared, quantiles=settings.stats.level == "full")["coef"]
        for layer, declared in zip(model.layers, laws, strict=True)
    ]
    refits = adapt_grid_(model, x, eps=settings.grid.eps, rule=settings.grid.adapt, chunk=chunk)
    adaptations = [GridAdaptation(coef, vars(refit)) for coef, refit in zip(coef_as_drawn, refits, strict=True)]
    return [{name: law for name, law in layer.items() if name != "coef"} for layer in laws], adaptations


def _activations(traces: Sequence[LayerTrace | MLPTrace], members: slice, n: int) -> dict[str, Tensor]:
    """The first n samples of a chunk, `[s, n, ...]` by the names of activations.safetensors."""
    tensors = {"inputs": traces[0].preacts}
    for number, trace in enumerate(traces):
        tensors[f"layers.{number}.preacts"] = trace.preacts
        if isinstance(trace, LayerTrace):
            tensors[f"layers.{number}.spline"] = trace.spline
            tensors[f"layers.{number}.postacts"] = trace.leading_postacts(n)
    tensors["output"] = traces[-1].output
    single = traces[0].preacts.dim() == 2
    # A contiguous copy: safetensors writes neither views nor shared memory.
    return {
        name: (tensor.unsqueeze(0) if single else tensor)[members, :n].cpu().contiguous().clone()
        for name, tensor in tensors.items()
    }
