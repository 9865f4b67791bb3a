"""Losses and errors on samples that do not train.

Shapes: s members, n samples, i inputs, o outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kancli.kan.network import KAN
from kancli.tasks.task import Samples

NUMBERS_AT_A_TIME = 2**22  # factors of a layer's edges, about


@torch.no_grad()
def squared_errors(model: KAN, samples: Samples, kernel: str = "torch") -> Tensor:
    """The sum over samples and outputs of (y_hat - y)^2, float64 `[s]`, of an ensemble.

    Args:
        kernel: that computes: "torch" or "numba".
    """
    if kernel == "numba":
        from kancli.training import compiled_evaluation

        return compiled_evaluation.squared_errors(model, samples)
    n_members = model.n_members or 1
    widest = max(layer.n_in * (layer.k + 2) + layer.n_out for layer in model.layers)
    size = max(1, NUMBERS_AT_A_TIME // (widest * n_members))
    total = torch.zeros(n_members, dtype=torch.float64, device=samples.x.device)
    for x, y in zip(samples.x.split(size), samples.y.split(size), strict=True):
        total += (model(x).double() - y.double()).square().sum((-2, -1))
    return total


def mean_squared_error(model: KAN, samples: Samples) -> Tensor:
    """Float64 `[s]`."""
    return squared_errors(model, samples) / samples.y.numel()
