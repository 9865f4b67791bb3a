"""Statistics of one layer, of its nodes and of its edges, by their names in stats.json.

The glossary has the formula of each for users. Shapes: s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kancli.stats.layer_collector import LayerCollector
from kancli.stats.nodes import NodeValues, node_distance, pool
from kancli.stats.parameters import edges_that_are_on
from kancli.stats.running_moments import Array


def layer_statistics(samples: LayerCollector) -> dict[str, Any]:
    """Statistics over samples and nodes, or over samples and edges, `[s]` each.

    `preacts`, `postacts`, `output`: mean, std, rms = sqrt(E[v^2]); `node_std`, `edge_std`: the root of the mean over
        nodes or edges of their variances over samples; min and max (of postacts with `full` only).
    `gain`: output over preacts; `rms` is the ratio of their rms, `variance` the ratio of the nodes' mean variances.
    `off_grid`: share of the values entering that lie outside the grid range.
    `empty_intervals`: share of grid intervals, over all inputs, without a sample.
    `flat_edges`: share of edges whose std is at most `stats.flat` of the rms over all edges, without those that a mask
        switches off.
    `spline_share`: sum of the spline branches' variances over the sum of both branches' variances.
    `variance_share`: shares of the sum of the edges' variances: base branches, spline branches, and twice their
        covariances.
    `nonlinearity`: 1 - R^2 of each edge's best straight line on the samples; mean and max over edges that vary.
    `roughness`: see `sorted_samples.along_x`; mean and max over edges that vary. `monotone`: share of edges that are.
    `curvature` (`full`): see `edge_curvature`; mean and max over edges.
    `correlation`, `effective_rank`: see `NodeValues.similarity_statistics`. `node_distance`: see `nodes.node_distance`.
    `square`: `law`, `base` and `spline`, see `LayerBudget.squares`; `measured`, the mean square of the values leaving.
    `edge_distance`: rms distance of two edges out of one input, over that of two orthogonal ones:
        sqrt((n_out sum_j E[phi_j^2] - E[(sum_j phi_j)^2]) / ((n_out - 1) sum_j E[phi_j^2])), sums also over the
        inputs. 0 where all edges out of an input are the same function.
    """
    output = samples.output.pooled()
    stats = {
        "preacts": samples.preacts.pooled(),
        "postacts": {
            **pool(samples.edge_moments.mean, samples.variance),
            "edge_std": np.sqrt(_by_member(samples.known_variance).mean(axis=1)),
        },
        "output": output,
        "gain": gain_of(samples.preacts, samples.output),
        "off_grid": samples.off_grid.sum(axis=1) / samples.layer.n_in / samples.n,
        "empty_intervals": _by_member(samples.basis_moments.visits == 0).mean(axis=1),
        "flat_edges": _flat_edges(samples),
        **_branch_shares(samples),
        "nonlinearity": _mean_and_max(samples.nonlinearity),
        "roughness": _mean_and_max(samples.along_x.values["roughness"]),
        "monotone": _monotone_share(samples),
        **samples.output.similarity_statistics(),
        "node_distance": node_distance(samples.preacts, samples.output),
        "edge_distance": _edge_distance(samples),
        "square": {**samples.budget.squares(samples.basis_moments), "measured": output["rms"] ** 2},
    }
    if samples.options.full:
        stats["curvature"] = _mean_and_max(samples.curvature)
        quantiles = samples.quantiles.values
        stats["preacts"] |= quantiles["preacts"]
        stats["postacts"] |= {
            "mean_abs": _by_member(samples.sum_abs / samples.n).mean(axis=1),
            "min": _by_member(samples.low).min(axis=1),
            "max": _by_member(samples.high).max(axis=1),
            **quantiles["postacts"],
        }
    return stats


def gain_of(entering: NodeValues, leaving: NodeValues) -> dict[str, Array]:
    """`rms` and `variance` of the values leaving a layer over those entering, `[s]` each."""
    variances = leaving.moments.variance.mean(axis=1), entering.moments.variance.mean(axis=1)
    return {"rms": _ratio(leaving.pooled()["rms"], entering.pooled()["rms"]), "variance": _ratio(*variances)}


def node_moments(entering: NodeValues) -> dict[str, Array]:
    """Mean, std and rms over the samples of each node entering a layer, `[s, i]` each."""
    moments = entering.moments
    return {
        "preact_mean": moments.mean,
        "preact_std": np.sqrt(moments.variance),
        "preact_rms": np.sqrt(moments.variance + moments.mean**2),
    }


def node_statistics(samples: LayerCollector) -> dict[str, Any]:
    """Statistics of each node entering the layer, `[s, i]` each."""
    stats: dict[str, Any] = {
        **node_moments(samples.preacts),
        "off_grid": samples.off_grid / samples.n,
        "empty_intervals": (samples.basis_moments.visits == 0).mean(axis=2),
    }
    if samples.options.full:
        stats["preact"] = samples.quantiles.values["nodes"]
    return stats


def edge_statistics(samples: LayerCollector) -> dict[str, Any]:
    """Statistics of each edge, `[s, i, o]` each; slope and intercept are those of its best straight line."""
    moments = samples.edge_moments
    x_variance = samples.preacts.moments.variance[..., None]
    slope = np.where(x_variance == 0, np.nan, moments.x_covariance) / x_variance
    stats: dict[str, Any] = {
        "postact_mean": moments.mean,
        "postact_std": np.sqrt(samples.known_variance),
        "postact_rms": np.sqrt(moments.square),
        "spline_share": moments.spline_variance / (moments.base_variance + moments.spline_variance),
        "nonlinearity": samples.nonlinearity,
        "slope": slope,
        "intercept": moments.mean - slope * samples.preacts.moments.mean[..., None],
        **samples.along_x.values,
    }
    if samples.options.full:
        stats |= {
            "curvature": samples.curvature,
            "postact_mean_abs": samples.sum_abs / samples.n,
            "postact_min": samples.low,
            "postact_max": samples.high,
            "postact": samples.quantiles.values["edges"],
        }
    return stats


def _flat_edges(samples: LayerCollector) -> Array:
    square = _by_member(samples.edge_moments.square).sum(axis=1)
    is_on = edges_that_are_on(samples.layer)
    n_on = _by_member(is_on).sum(axis=1)
    rms = np.sqrt(square / n_on)
    bound = (samples.options.flat * rms[:, None, None]) ** 2
    error = samples.rounding * samples.variance
    least, is_flat, greatest = (is_on & (samples.variance + sign * error <= bound) for sign in (1, 0, -1))
    is_known = np.isfinite(rms) & (least == greatest).all(axis=(1, 2))
    return np.where(is_known, _by_member(is_flat).sum(axis=1) / n_on, np.nan)


def _branch_shares(samples: LayerCollector) -> dict[str, Any]:
    moments = samples.edge_moments
    base, spline, variance, covariance = (
        _by_member(values).sum(axis=1)
        for values in (moments.base_variance, moments.spline_variance, samples.variance, moments.branch_covariance)
    )
    return {
        "spline_share": spline / (base + spline),
        "variance_share": {
            "base": base / variance,
            "spline": spline / variance,
            "covariance": 2 * covariance / variance,
        },
    }


def _monotone_share(samples: LayerCollector) -> Array:
    monotone = _by_member(samples.along_x.values["monotone"])
    varies = ~np.isnan(monotone)
    return np.where(varies, monotone, 0.0).sum(axis=1) / varies.sum(axis=1)


def _edge_distance(samples: LayerCollector) -> Array:
    n_out = samples.layer.n_out
    square = _by_member(samples.edge_moments.square).sum(axis=1)
    difference = n_out * square - samples.edge_moments.node_square[..., 0].sum(axis=1)
    return np.sqrt(np.maximum(difference, 0.0) / ((n_out - 1) * square))


def _ratio(numerator: Array, denominator: Array) -> Array:
    """NaN, not infinite, over 0."""
    return numerator / np.where(denominator == 0, np.nan, denominator)


def _by_member(values: Array) -> Array:
    """`[s, ...]` to `[s, n]`."""
    return values.reshape(len(values), -1)


def _mean_and_max(values: Array) -> dict[str, Array]:
    """Mean and max over the edges that have a value, `[s, i, o]` to `[s]`."""
    values = _by_member(values)
    has_value = ~np.isnan(values)
    kept = np.where(has_value, values, 0.0)
    return {
        "mean": kept.sum(axis=1) / has_value.sum(axis=1),
        "max": np.where(has_value.any(axis=1), kept.max(axis=1), np.nan),
    }
