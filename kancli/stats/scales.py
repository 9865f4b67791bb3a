"""The scale of each statistic over the members of an ensemble: how members are averaged, and the interval of the mean.

Each is declared here, by the column of the statistic in members.csv or of the table of a sweep.
"""

from __future__ import annotations

import re
from enum import Enum
from fnmatch import fnmatchcase


class Scale(Enum):
    """How a number is summarised over members; the value is the explanation for users."""

    LINEAR = "mean, with an interval by Student's t"
    SIZE = "mean, with an interval on the log scale: positive"
    RANK = "mean, with an interval on the log scale of the number less 1: above 1"
    SHARE = "mean, with an interval on the logit scale: between 0 and 1"
    RATIO = "geometric mean, with an interval by Student's t of the logs"
    NONE = "mean, without an interval: over few members none holds, as one member in many decides"


# The first pattern that matches counts.
PATTERNS = {
    "*train_loss": Scale.RATIO,
    "test_loss": Scale.RATIO,
    "rel_l2": Scale.RATIO,
    "jacobian_*": Scale.RATIO,
    "ntk_condition": Scale.NONE,
    "ntk_effective_rank": Scale.RANK,
    "ntk_trace_share_*": Scale.SHARE,
    "ntk_*": Scale.RATIO,
    "propagation_signal_low": Scale.NONE,
    "propagation_signal_high": Scale.NONE,
    "propagation_*_ratio": Scale.RATIO,
    "propagation_*_by_layer": Scale.RATIO,
    "gain_*": Scale.RATIO,
    "gradient*": Scale.SIZE,
    "square_measured": Scale.NONE,
    "square_*": Scale.SIZE,
    "backward_*": Scale.SIZE,
    "spline_share": Scale.RATIO,
    "variance_share_base": Scale.RATIO,
    "variance_share_spline": Scale.RATIO,
    "nonlinearity": Scale.RATIO,
    "nonlinearity_mean": Scale.RATIO,
    "curvature": Scale.NONE,
    "curvature_mean": Scale.RATIO,
    "refit_kept": Scale.NONE,
    "refit_*": Scale.RATIO,
    "effective_rank": Scale.RANK,
    "off_grid": Scale.SHARE,
    "correlation_mean": Scale.NONE,
    "roughness*": Scale.NONE,
    "monotone": Scale.NONE,
    "flat_edges": Scale.NONE,
    "empty_intervals": Scale.NONE,
    "edge_distance": Scale.NONE,
    "node_distance": Scale.NONE,
    "*_q[0279]5": Scale.NONE,
    "*_min": Scale.NONE,
    "*_max": Scale.NONE,
    "*_z_std": Scale.LINEAR,
    "*_std": Scale.SIZE,
    "*_rms": Scale.SIZE,
    "*_mean_abs": Scale.SIZE,
}


def statistic_scale(column: str) -> Scale:
    """The scale of a statistic by its column, such as `coef_std`, `propagation_signal` or `layer0_gain_rms`."""
    name = re.sub("^layer[0-9]+_", "", column)
    return next((scale for pattern, scale in PATTERNS.items() if fnmatchcase(name, pattern)), Scale.LINEAR)


# The least coverage of the 95 % intervals of `COVERAGE_SIZES` members, over all statistics of [2,5,1] under the laws
# `default` and `efficient_kan`: measured by `python -m tests.benchmarks.coverage`.
COVERAGE_SIZES = (5, 10, 20)
COVERAGE = {
    Scale.LINEAR: (0.931, 0.944, 0.945),
    Scale.SIZE: (0.93, 0.933, 0.939),
    Scale.RATIO: (0.927, 0.937, 0.943),
    Scale.SHARE: (0.95, 0.948, 0.948),
    Scale.RANK: (0.93, 0.934, 0.942),
}
