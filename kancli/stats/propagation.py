"""Growth of signal and gradient with depth.

Shapes: s members (1 for a single model), L layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kancli.stats.gradients import GradientStats
from kancli.stats.nodes import NodeValues
from kancli.stats.running_moments import Array


def propagation_statistics(nodes: Sequence[NodeValues], gradients: GradientStats | None) -> dict[str, Array]:
    """Slopes and ratios of signal and gradient, `[s]` each, and the ratios by layer, `[s, L + 1]`.

    `signal`: slope of the least-squares line through log sqrt(mean variance of a node) against the layer, 0 for
        the inputs, as in a coordinate check (Yang et al. 2022): -0.1 is a loss of about 10 % a layer.
    `signal_ratio`: the std of the outputs over that of the inputs.
    `signal_by_layer`: the std of each layer's nodes, the inputs first, over that of the inputs.
    `gradient`: slope of the log rms gradient with respect to the nodes' values, counted back from the outputs.
    `gradient_ratio`: the rms gradient with respect to the inputs over that with respect to the outputs.
    `gradient_by_layer`: the rms gradient with respect to each layer's nodes over that with respect to the outputs.
    """
    stds = np.stack([np.sqrt(values.moments.variance.mean(axis=1)) for values in nodes], axis=-1)  # [s, L + 1]
    ratios = stds / stds[:, :1]
    stats = {"signal": growth_slope(stds), "signal_ratio": ratios[:, -1], "signal_by_layer": ratios}
    if gradients is not None:
        entering = [layer["gradient"]["values"] for layer in gradients.layers]
        outputs = entering[-1] / gradients.layers[-1]["gradient_gain"]
        rms = np.stack([*entering, outputs], axis=-1)[:, ::-1]  # [s, L + 1]
        ratios = rms / rms[:, :1]
        stats |= {
            "gradient": growth_slope(rms),
            "gradient_ratio": ratios[:, -1],
            "gradient_by_layer": ratios[:, ::-1],
        }
    return stats


def growth_slope(sizes: Array) -> Array:
    """Least-squares slope of log sizes `[s, L + 1]` against the last axis' index, `[s]`."""
    steps = np.arange(sizes.shape[-1]) - (sizes.shape[-1] - 1) / 2
    return (_log(sizes) * steps).sum(axis=-1) / (steps**2).sum()


def _log(values: Array) -> Array:
    """Natural logs, one at a time: the last bit of numpy's vectorised log depends on a number's place in memory."""
    return np.array([math.log(value) if value > 0 else np.log(value) for value in values.flat]).reshape(values.shape)
