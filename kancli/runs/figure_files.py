"""Write the figures of a run, and the tensors from which `kan-run draw` plots them again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from kancli.figures import render as figures
from kancli.figures.data import FigureData
from kancli.figures.options import FigureOptions
from kancli.kan.layered import LayeredNetwork
from kancli.runs.build import laws_of
from kancli.runs.folder import RunFolder
from kancli.runs.result import Result
from kancli.runs.stopwatch import Stopwatch
from kancli.stats.network_stats import EdgeRanges


def figure_data_of(result: Result) -> FigureData:
    """The data of a run's figures."""
    settings = result.settings
    return FigureData(
        result.figure_model,
        result.ranges,
        result.stats,
        result.activations,
        laws_of(settings, result.model),
        settings.n_seeds,
        dataclasses.asdict(settings.verdicts),
    )


def write_figures(data: FigureData, options: FigureOptions, folder: RunFolder) -> dict[str, float]:
    """Draw figures and write their files; return the seconds that each took."""
    watch = Stopwatch()
    with figures.matplotlib_cache(folder.path):
        for name, files in figures.render_files(data, options):
            for path, content in files.items():
                folder.write(path, content)
            watch.lap(f"figure {name}")
    return watch.seconds


def range_tensors(model: LayeredNetwork, ranges: Sequence[EdgeRanges]) -> dict[str, Tensor]:
    """The contents of figures.safetensors, from which `kan-run draw` plots the edges' functions.

    `layers.{l}.low`, `.high` `[in]` and `.mean_abs`, `.std` `[in, out]` of the first member; basis statistics as
    `.standard_mean`, `.standard_inverse_std` `[in, G + k]`, or `[s, in, G + k]` of the first members.
    """
    tensors = {}
    for index, (layer, edge_ranges) in enumerate(zip(model.layers, ranges)):  # an MLP has none
        tensors |= {f"layers.{index}.{name}": torch.from_numpy(values) for name, values in vars(edge_ranges).items()}
        if (statistics := layer.basis_statistics) is not None:
            tensors |= {f"layers.{index}.standard_{name}": tensor.cpu() for name, tensor in vars(statistics).items()}
    return tensors
