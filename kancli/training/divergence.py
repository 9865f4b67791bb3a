"""When a member's training fails, and the tensor that shows it first.

Shapes: s members, P trained numbers of a member.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kancli.training.objectives import Objective
from kancli.training.result import Stop

MAX_GROWTH = 1e3  # of the loss over the first


def largest_loss(first: Tensor) -> Tensor:
    """1000 times the first loss, `[s]` float64; any finite number for a first loss of 0, and NaN for one of NaN."""
    bound = (MAX_GROWTH * first).clamp_max(torch.finfo(first.dtype).max)
    return bound.masked_fill(first == 0, torch.finfo(first.dtype).max)


@torch.no_grad()
def locate(objective: Objective, member: int, step: int, loss: float, grads: Tensor | None = None) -> Stop:
    """Name the first tensor of a member that isn't finite: a parameter, else a layer's output, else a gradient.

    If all are finite, name the trained parameter with the greatest gradient, or the greatest value without gradients.

    Args:
        member: number within the objective's members.
        grads: `[s, P]`.
    """
    model = objective.model
    for number, layer in enumerate(model.layers):
        for name, tensor in layer.named_parameters(recurse=False):
            if not tensor[member].isfinite().all():
                return Stop(step, "diverged", loss, number, name)
    x = objective.inputs(step)
    for number, layer in enumerate(model.layers):
        x = layer(x)
        if not x[member].isfinite().all():
            return Stop(step, "diverged", loss, number, "output")
    if grads is not None and not (finite := grads[member].isfinite()).all():
        number, name = objective.rows.name(int(finite.int().argmin()))
        return Stop(step, "diverged", loss, number, f"{name} gradient")
    size = objective.rows.values if grads is None else grads
    number, name = objective.rows.name(int(size[member].abs().argmax()))
    return Stop(step, "diverged", loss, number, name if grads is None else f"{name} gradient")
