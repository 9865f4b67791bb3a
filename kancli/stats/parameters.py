"""Statistics of a layer's parameters, against what their laws declare.

Shapes: s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kancli.stats.law_distance import Declared, distances_from_law
from kancli.stats.running_moments import Array
from kancli.stats.summary import quantiles_of

if TYPE_CHECKING:
    from torch import Tensor

    from kancli.kan.layer import KANLayer
    from kancli.kan.layered import Layer


@dataclass(frozen=True)
class GridAdaptation:
    """Statistics of the adaptation of a layer's grid to its samples; the fields have their names in stats.json."""

    coef_as_drawn: dict[str, Any]  # `parameter_statistics` of coef before the adaptation
    refit: dict[str, Array]  # the fields of `RefitReport`


@np.errstate(all="ignore")
def parameter_statistics(layer: Layer, declared: Mapping[str, Declared], *, quantiles: bool = False) -> dict[str, Any]:
    """Statistics of each tensor by its name, `[s]` each.

    `mean`, `std` (divided by n), `min`, `max` and, on request, quantiles of the entries. For a tensor with a law,
    `declared_mean` and `declared_std`; `mean_error`, the standard error of the mean; `variance_error`, that of the mean
    squared distance from declared_mean; `z` and `z_std`, see `distances_from_law`.
    """
    stats = {}
    for name, tensor in layer.named_parameters(recurse=False):
        tensors = as_array(tensor if layer.n_members else tensor.unsqueeze(0))
        values = tensors.reshape(len(tensors), -1)
        entry = {"mean": values.mean(axis=1), "std": values.std(axis=1)}
        entry |= {"min": values.min(axis=1), "max": values.max(axis=1)}
        if quantiles:
            entry |= quantiles_of(values, 1)
        if name in declared:
            law = declared[name]
            entry |= {"declared_mean": law.mean, "declared_std": law.std}
            entry |= {"mean_error": law.mean_error, "variance_error": law.variance_error}
            entry |= dict(zip(("z", "z_std"), distances_from_law(tensors, law), strict=True))
        stats[name] = entry
    return stats


def edges_that_are_on(layer: KANLayer) -> Array:
    """False for the edges that a mask switches off, `[s, i, o]`, bool."""
    shape = (layer.n_members or 1, layer.n_in, layer.n_out)
    return np.ones(shape, bool) if layer.mask is None else layer.mask.cpu().numpy().reshape(shape)


def edge_parameters(layer: KANLayer) -> dict[str, Array]:
    """Parameters of each edge, `[s, i, o]` each; and `mask`, 0 for edges that are off, where the layer has one."""
    shape = (layer.n_members or 1, layer.n_in, layer.n_out)
    coef = as_array(layer.coef).reshape(*shape, -1)
    mean = coef.mean(axis=-1)
    mask = {} if layer.mask is None else {"mask": edges_that_are_on(layer).astype(float)}
    return mask | {
        "scale_base": as_array(layer.scale_base).reshape(shape),
        "scale_sp": as_array(layer.scale_sp).reshape(shape),
        "coef_mean": mean,
        "coef_std": np.sqrt(((coef - mean[..., None]) ** 2).mean(axis=-1)),
    }


def as_array(tensor: Tensor) -> Array:
    """A tensor as a float64 numpy array."""
    return tensor.detach().double().cpu().numpy()
