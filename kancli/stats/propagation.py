"""Growth of signal and gradient with depth.

Shapes: s members (1 for a single model), L layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kancli.stats.running_moments import Array

if TYPE_CHECKING:  # a reader of verdicts imports this module, without torch
    from kancli.stats.gradients import GradientStats
    from kancli.stats.nodes import NodeValues

MIN_LAYERS = 3  # with an interval of the slope


def propagation_statistics(nodes: Sequence[NodeValues], gradients: GradientStats | None) -> dict[str, Array]:
    """Slopes and ratios of signal and gradient, `[s]` each, and the ratios by layer, `[s, L + 1]`.

    `signal`: slope of the least-squares line through log sqrt(mean variance of a node) against the layer, 0 for
        the inputs, as in a coordinate check (Yang et al. 2022): -0.1 is a loss of about 10 % a layer.
    `signal_low`, `signal_high`: its 95 % interval, see `slope_margin`.
    `signal_ratio`: the std of the outputs over that of the inputs.
    `signal_by_layer`: the std of each layer's nodes, the inputs first, over that of the inputs.
    `gradient`: slope of the log norm of the gradient with respect to the nodes' values, counted back from the outputs.
    `gradient_ratio`: the norm of the gradient with respect to the inputs over that with respect to the outputs.
    `gradient_by_layer`: the norm of the gradient with respect to each layer's nodes over that with respect to the
        outputs.
    """
    stds = np.stack([np.sqrt(values.moments.variance.mean(axis=1)) for values in nodes], axis=-1)  # [s, L + 1]
    slope, margin, ratios = growth_slope(stds), slope_margin(stds), stds / stds[:, :1]
    stats = {
        "signal": slope,
        "signal_low": slope - margin,
        "signal_high": slope + margin,
        "signal_ratio": ratios[:, -1],
        "signal_by_layer": ratios,
    }
    if gradients is not None:
        entering = [layer["gradient"]["values"] for layer in gradients.layers]
        outputs = entering[-1] / gradients.layers[-1]["gradient_gain"]
        widths = [values.moments.mean.shape[-1] for values in nodes]
        norms = (np.stack([*entering, outputs], axis=-1) * np.sqrt(widths))[:, ::-1]  # [s, L + 1]
        ratios = norms / norms[:, :1]
        stats |= {
            "gradient": growth_slope(norms),
            "gradient_ratio": ratios[:, -1],
            "gradient_by_layer": ratios[:, ::-1],
        }
    return stats


def growth_slope(sizes: Array) -> Array:
    """Least-squares slope of log sizes `[s, L + 1]` against the last axis' index, `[s]`."""
    steps = np.arange(sizes.shape[-1]) - (sizes.shape[-1] - 1) / 2
    return (_log(sizes) * steps).sum(axis=-1) / (steps**2).sum()


def slope_margin(sizes: Array) -> Array:
    """Half the 95 % interval of `growth_slope`, by Student's t from the residuals of the line, `[s]`.

    NaN for fewer than `MIN_LAYERS` layers, whose residuals say too little.
    """
    n_layers = sizes.shape[-1] - 1
    if n_layers < MIN_LAYERS:
        return np.full(sizes.shape[0], np.nan)
    from scipy.special import stdtrit  # here: its import takes 0.1 s

    steps = np.arange(n_layers + 1) - n_layers / 2
    logs = _log(sizes)
    residuals = logs - logs.mean(axis=-1, keepdims=True) - growth_slope(sizes)[:, None] * steps
    variance = (residuals**2).sum(axis=-1) / (n_layers - 1)
    return stdtrit(n_layers - 1, 0.975) * np.sqrt(variance / (steps**2).sum())


def _log(values: Array) -> Array:
    """Natural logs, one at a time: the last bit of numpy's vectorised log depends on a number's place in memory."""
    logs, positive = np.where(values == 0, -np.inf, np.nan), values > 0
    logs[positive] = [math.log(value) for value in values[positive].tolist()]
    return logs
