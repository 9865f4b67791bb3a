"""The name of a base function that a library's model holds as a function of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kancli.bridges.leaves import as_tensor
from kancli.kan.base_functions import NAMES, base_function

TOLERANCE = 1e-6  # relative to max(1, |b(x)|), at every sample


def name_of(function: Callable[[Any], Any], *, arrays: bool = False) -> str | None:
    """The name in `kan.base_functions` of a function that has its values.

    Args:
        function: of torch tensors.
        arrays: it is one of arrays, such as jax's.

    Returns:
        None if it has no name, or cannot be computed on 257 numbers from -8 to 8.
    """
    samples, candidates = _values()
    try:
        values = _apply(function, samples, arrays)
    except Exception:  # of a foreign function, which may ask for other shapes or devices
        return None
    if values.shape != samples.shape:
        return None
    size = values.double().abs().clamp(min=1)
    distance = {
        name: ((values.double() - candidate).abs() / size).max().item() for name, candidate in candidates.items()
    }
    nearest = min(distance, key=distance.__getitem__)
    return nearest if distance[nearest] <= TOLERANCE else None


@torch.no_grad()
def _apply(function: Callable[[Any], Any], samples: Tensor, arrays: bool) -> Tensor:
    return as_tensor(function(samples.numpy())) if arrays else function(samples.clone())


@functools.cache
def _values() -> tuple[Tensor, dict[str, Tensor]]:
    samples = torch.linspace(-8, 8, 257)
    with torch.no_grad():
        return samples, {name: base_function(name)(samples.clone()).double() for name in NAMES}
