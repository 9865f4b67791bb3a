"""Statistics of a layer's parameters, against what their laws declare.

Shapes: s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kancli.stats.running_moments import Array
from kancli.stats.summary import quantiles_of

if TYPE_CHECKING:
    from torch import Tensor

    from kancli.kan.layer import KANLayer


class Declared(NamedTuple):
    """What a scheme's law declares for one tensor; `[s]` where members have schemes of their own."""

    mean: float | Array
    std: float | Array
    mean_error: float | Array  # standard error of the mean of all entries
    variance_error: float | Array  # standard error of the mean squared distance of all entries from the declared mean


@dataclass(frozen=True)
class GridAdaptation:
    """Statistics of the adaptation of a layer's grid to its samples; the fields have their names in stats.json."""

    coef_as_drawn: dict[str, Any]  # `parameter_statistics` of coef before the adaptation
    refit: dict[str, Array]  # the fields of `RefitReport`


@np.errstate(all="ignore")
def parameter_statistics(
    layer: KANLayer, declared: Mapping[str, Declared], *, quantiles: bool = False
) -> dict[str, Any]:
    """Statistics of each tensor by its name, `[s]` each.

    `mean`, `std` (divided by n), `min`, `max` and, on request, quantiles of the entries. For a tensor with a law,
    `declared_mean` and `declared_std`; `mean_error`, the standard error of the mean; `variance_error`, that of the mean
    squared distance from declared_mean; `z` = (mean - declared_mean) / mean_error; and `z_std`, the difference of that
    mean square and the law's variance, in standard errors. Both are NaN where a law without randomness is met.
    """
    stats = {}
    for name, tensor in layer.named_parameters(recurse=False):
        values = as_array(tensor).reshape(layer.n_members or 1, -1)
        entry = {"mean": values.mean(axis=1), "std": values.std(axis=1)}
        entry |= {"min": values.min(axis=1), "max": values.max(axis=1)}
        if quantiles:
            entry |= quantiles_of(values, 1)
        if name in declared:
            law = declared[name]
            entry |= {"declared_mean": law.mean, "declared_std": law.std}
            entry |= {"mean_error": law.mean_error, "variance_error": law.variance_error}
            square = ((values - np.reshape(law.mean, (-1, 1))) ** 2).mean(axis=1)
            entry |= {"z": _z_of_mean(entry["mean"], law), "z_std": _z_of_std(square, law)}
        stats[name] = entry
    return stats


def pooled_z(entry: Mapping[str, Any]) -> tuple[float, float]:
    """`z` and `z_std` over the entries of all members, from an entry of `parameter_statistics`."""
    declared = (entry[name] for name in ("declared_mean", "declared_std", "mean_error", "variance_error"))
    law = Declared(*(float(np.mean(value)) for value in declared))  # the members have one law
    mean, root = entry["mean"], math.sqrt(len(entry["mean"]))
    square = entry["std"] ** 2 + (mean - law.mean) ** 2
    law = law._replace(mean_error=law.mean_error / root, variance_error=law.variance_error / root)
    return float(_z_of_mean(mean.mean(), law)), float(_z_of_std(square.mean(), law))


def _z_of_mean(mean: Array, law: Declared) -> Array:
    return (mean - law.mean) / np.asarray(law.mean_error, np.float64)


def _z_of_std(square: Array, law: Declared) -> Array:
    """The difference of a mean square and the law's variance, in standard errors, by the cube root that makes a
    chi-square nearly normal (Wilson and Hilferty 1931)."""
    variance = np.asarray(law.std, np.float64) ** 2
    spread = (law.variance_error / variance) ** 2 / 9  # 2/(9 nu), 2/nu being the square of the relative error
    return (np.cbrt(square / variance) - (1 - spread)) / np.sqrt(spread)


def edges_that_are_on(layer: KANLayer) -> Array:
    """False for the edges that a mask switches off, `[s, i, o]`, bool."""
    shape = (layer.n_members or 1, layer.n_in, layer.n_out)
    return np.ones(shape, bool) if layer.mask is None else layer.mask.cpu().numpy().reshape(shape)


def edge_parameters(layer: KANLayer) -> dict[str, Array]:
    """Parameters of each edge, `[s, i, o]` each; and `mask`, 0 for edges that are off, where the layer has one."""
    shape = (layer.n_members or 1, layer.n_in, layer.n_out)
    coef = as_array(layer.coef).reshape(*shape, -1)
    mask = {} if layer.mask is None else {"mask": edges_that_are_on(layer).astype(float)}
    return mask | {
        "scale_base": as_array(layer.scale_base).reshape(shape),
        "scale_sp": as_array(layer.scale_sp).reshape(shape),
        "coef_mean": coef.mean(axis=-1),
        "coef_std": coef.std(axis=-1),
    }


def as_array(tensor: Tensor) -> Array:
    """A tensor as a float64 numpy array."""
    return tensor.detach().double().cpu().numpy()
