"""Losses and errors on samples that do not train.

Shapes: s members, n samples, i inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from kancli.kan.layered import LayeredNetwork
from kancli.tasks.task import Samples

NUMBERS_AT_A_TIME = 2**22  # factors of a layer's edges, about


@torch.no_grad()
def squared_errors(model: LayeredNetwork, samples: Samples) -> Tensor:
    """The sum over samples and outputs of (y_hat - y)^2, float64 `[s]`, of an ensemble."""
    total = torch.zeros(model.n_members or 1, dtype=torch.float64, device=samples.x.device)
    for part in _parts(model, samples):
        total += (model(part.x).double() - part.y.double()).square().sum((-2, -1))
    return total


@torch.no_grad()
def sample_errors(model: LayeredNetwork, samples: Samples) -> Tensor:
    """The mean over outputs of (y_hat - y)^2 at each sample, float64 `[s, n]`, of an ensemble."""
    parts = _parts(model, samples)
    return torch.cat([(model(part.x).double() - part.y.double()).square().mean(-1) for part in parts], -1)


def _parts(model: LayeredNetwork, samples: Samples) -> Iterator[Samples]:
    """The samples, so many at a time that they take little memory."""
    widest = max(layer.n_factors + layer.n_out for layer in model.layers)
    size = max(1, NUMBERS_AT_A_TIME // (widest * (model.n_members or 1)))
    yield from map(Samples, samples.x.split(size), samples.y.split(size))


def mean_squared_error(model: LayeredNetwork, samples: Samples) -> Tensor:
    """Float64 `[s]`."""
    return squared_errors(model, samples) / samples.y.numel()
