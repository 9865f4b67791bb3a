"""The samples that users hand to a model: their type and shape, checked and brought to `[(s,) n, n_0]`.

Shapes: s members, n samples, n_0 inputs; `...` stands for any leading axes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def check_samples(x: Any, like: Tensor, n_inputs: int) -> None:
    """Check samples before they enter a model.

    Args:
        x: `[..., n_0]`.
        like: a parameter of the model, for dtype and device.
        n_inputs: n_0.

    Raises:
        TypeError: x is no tensor, or of another dtype than the model.
        ValueError: x has no last axis of n_0 columns, or lies on another device.
    """
    dtype = _name(like.dtype)
    if not isinstance(x, Tensor):
        kind = f"{type(x).__module__}.{type(x).__qualname__}".removeprefix("builtins.")
        raise TypeError(f"x is a {kind}: allowed: a tensor; give torch.as_tensor(x, dtype=torch.{dtype})")
    if x.dtype != like.dtype:
        hint = " or build the model with dtype='float64'" if x.dtype == torch.float64 else ""
        raise TypeError(f"x is {_name(x.dtype)}, the model {dtype}: give x.to(torch.{dtype}){hint}")
    if x.dim() == 0 or x.shape[-1] != n_inputs:
        columns = f"{x.shape[-1]} columns for {n_inputs} inputs" if x.dim() else f"no axis for {n_inputs} inputs"
        raise ValueError(f"x has shape {list(x.shape)}: {columns}; allowed: [n, {n_inputs}] or [..., {n_inputs}]")
    if x.device != like.device:
        raise ValueError(f"x is on {x.device}, the model on {like.device}: give x.to('{like.device}')")


def check_members(x: Tensor, n_members: int) -> None:
    """Check the leading axes of samples for an ensemble.

    Raises:
        ValueError: there are more than two leading axes, or another number of members.
    """
    if x.dim() > 3 or (x.dim() == 3 and x.shape[0] != n_members):
        n_inputs = x.shape[-1]
        raise ValueError(
            f"x has shape {list(x.shape)}: allowed for {n_members} members: [n, {n_inputs}] for all of them"
            f" or [{n_members}, n, {n_inputs}]"
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
