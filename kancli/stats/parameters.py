"""What was drawn: each tensor of a layer, against what its law declares.

Shapes: s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from kancli.kan.layer import KANLayer
from kancli.stats.running_moments import Array
from kancli.stats.summary import quantiles_of


class Declared(NamedTuple):
    """What a scheme's law says of one tensor; `[s]` where members have schemes of their own."""

    mean: float | Array
    std: float | Array
    mean_error: float | Array  # standard error of the mean of all entries
    variance_error: float | Array  # standard error of the mean squared distance of all entries from the declared mean


@np.errstate(all="ignore")
def parameters(layer: KANLayer, declared: Mapping[str, Declared], *, quantiles: bool = False) -> dict[str, Any]:
    """What was drawn against what the scheme declares, tensor by tensor, `[s]` each.

    Mean, std (divided by n), least and greatest value of each of the layer's tensors, and where asked for, quantiles;
    `declared_mean` and `declared_std` of the law; `mean_error`, the law's standard error of the mean; `variance_error`,
    that of the mean squared distance from the law's mean; `z` = (mean - declared_mean) / mean_error; and `z_std`, how
    far that mean square is from the law's variance, in standard errors too. Both are null for a law with no randomness
    that was met.
    """
    found = {}
    for name, tensor in layer.named_parameters():
        values = as_array(tensor).reshape(layer.n_members or 1, -1)
        entry = {"mean": values.mean(axis=1), "std": values.std(axis=1)}
        entry |= {"min": values.min(axis=1), "max": values.max(axis=1)}
        if quantiles:
            entry |= quantiles_of(values, 1)
        if name in declared:
            law = declared[name]
            entry |= {f"declared_{each}": getattr(law, each) for each in ("mean", "std")}
            entry |= {each: getattr(law, each) for each in ("mean_error", "variance_error")}
            square = ((values - np.reshape(law.mean, (-1, 1))) ** 2).mean(axis=1)
            entry |= {"z": _z_of_mean(entry["mean"], law), "z_std": _z_of_std(square, law)}
        found[name] = entry
    return found


def pooled_z(entry: Mapping[str, Any]) -> tuple[float, float]:
    """`z` and `z_std` of all members together, from an entry of `parameters`."""
    told = (entry[each] for each in ("declared_mean", "declared_std", "mean_error", "variance_error"))
    law = Declared(*(float(np.mean(each)) for each in told))  # the members have one law
    mean, root = entry["mean"], math.sqrt(len(entry["mean"]))
    square = entry["std"] ** 2 + (mean - law.mean) ** 2
    law = law._replace(mean_error=law.mean_error / root, variance_error=law.variance_error / root)
    return float(_z_of_mean(mean.mean(), law)), float(_z_of_std(square.mean(), law))


def _z_of_mean(mean: Array, law: Declared) -> Array:
    return (mean - law.mean) / np.asarray(law.mean_error, np.float64)


def _z_of_std(square: Array, law: Declared) -> Array:
    """How far a mean square is from the law's variance, in standard errors, by the cube root that makes a chi-square
    nearly normal (Wilson and Hilferty 1931)."""
    variance = np.asarray(law.std, np.float64) ** 2
    spread = (law.variance_error / variance) ** 2 / 9  # 2/(9 nu), 2/nu being the square of the relative error
    return (np.cbrt(square / variance) - (1 - spread)) / np.sqrt(spread)


def edge_parameters(layer: KANLayer) -> dict[str, Array]:
    """`[s, i, o]` each."""
    shape = (layer.n_members or 1, layer.n_in, layer.n_out)
    coef = as_array(layer.coef).reshape(*shape, -1)
    return {
        "scale_base": as_array(layer.scale_base).reshape(shape),
        "scale_sp": as_array(layer.scale_sp).reshape(shape),
        "coef_mean": coef.mean(axis=-1),
        "coef_std": coef.std(axis=-1),
    }


def as_array(tensor: Tensor) -> Array:
    """A tensor as a float64 numpy array."""
    return tensor.detach().double().cpu().numpy()
