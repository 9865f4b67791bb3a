"""Explanations of the numbers in stats.json: formulas over the samples, with sources."""

from __future__ import annotations

from kancli.schema import keys
from kancli.stats.options import Verdicts, falling, statement
from kancli.stats.scales import PATTERNS, Scale

OVER_MEMBERS = (
    "For an ensemble, each number is summarised over the S members: mean, sd (divided by S - 1), low and high (the 95 %"
    " interval of the mean by Student's t, Student 1908, on the scale of the statistic: see the end), and n (members"
    " with a value); for numbers of a layer or the network also q05 to q95, min and max. null is an undefined value:"
    " `reasons` says why. (full): needs stats=full."
)

TENSOR = {
    "mean": "mean of all entries",
    "std": "std of all entries, divided by their number",
    "min": "smallest entry",
    "max": "largest entry",
    "q05 q25 q50 q75 q95": "quantiles of the entries (full)",
    "declared_mean": "mean under the law",
    "declared_std": "std under the law",
    "mean_error": "the law's standard error of the mean of all entries",
    "variance_error": "the law's standard error of the mean squared distance of the entries from declared_mean",
    "z": "mean of the entries' normal scores in standard errors: N(0, 1) under the law. An entry's score is the normal"
    " quantile of the law's share below it; (entry - mean) / std for a normal law. Between -38 and 38",
    "z_std": "the same for their std: the normal quantile of its chi-square probability",
}

VALUES = {
    "mean": "mean over samples and values",
    "std": "std over samples and values, divided by their number",
    "rms": "sqrt(mean of squares)",
    "min": "minimum",
    "max": "maximum",
}

NODE_VALUES = {**VALUES, "node_std": "std over samples, node by node: sqrt(mean over nodes of their variance)"}
EDGE_VALUES = {
    **VALUES,
    "edge_std": "std over samples, edge by edge: sqrt(mean over edges of their variance)",
    "mean_abs": "mean of |phi(x)| (full)",
}
QUANTILES = {"q05 q25 q50 q75 q95": "quantiles over the first stats.quantiles.n samples and all values (full)"}

LAYER = {
    **{f"preacts.{name}": f"values entering: {text}" for name, text in {**NODE_VALUES, **QUANTILES}.items()},
    **{
        f"postacts.{name}": f"values of the edges: {text}" + (" (full)" if name in ("min", "max") else "")
        for name, text in {**EDGE_VALUES, **QUANTILES}.items()
    },
    **{f"output.{name}": f"values leaving: {text}" for name, text in NODE_VALUES.items()},
    "gain.rms": "rms of the values leaving over that of those entering",
    "gain.variance": "mean over nodes of the variance over samples, leaving over entering",
    "off_grid": "share of the values entering that lie outside the grid range",
    "empty_intervals": "share of grid intervals, over all inputs, without a sample",
    "flat_edges": "share of edges whose std is at most stats.flat of the rms over all edges of the layer; edges that a"
    " mask switches off do not count",
    "spline_share": "sum of the spline branches' variances over that of both branches' variances",
    "variance_share.base": "sum of the base branches' variances over the sum of the edges' variances",
    "variance_share.spline": "the same for the spline branches",
    "variance_share.covariance": "the same for twice the covariances of base and spline; the three add up to 1",
    "nonlinearity.mean": "mean over edges of 1 - R² of the best straight line, cov(x, phi)² / (var x var phi) being R²",
    "nonlinearity.max": "maximum over edges",
    "roughness.mean": "mean over edges of sum |phi(x_{q+1}) - phi(x_q)| / (max phi - min phi), along the first"
    " stats.first.n samples in order of x: total variation over range, 1 for a monotone edge",
    "roughness.max": "maximum over edges",
    "curvature.mean": "mean over edges of the integral of phi''(x)² over the grid, by quadrature from the parameters:"
    " high in networks that oscillate between data (arXiv 2605.02190) (full)",
    "curvature.max": "maximum over edges (full)",
    "monotone": "share of edges that are monotone along these samples, up to rounding",
    "correlation.mean": "mean over pairs of nodes leaving of |C_jk| / sqrt(C_jj C_kk), C their covariance over samples",
    "correlation.max": "maximum over pairs",
    "effective_rank": "(tr C)² / sum_jk C_jk²: participation ratio of C's eigenvalues, from 1 to the number of nodes",
    "node_distance": "sqrt((1/m - 1) / (r - 1)), m the mean over pairs of nodes leaving of their squared correlation, r"
    " the effective rank of the values entering: 0 where all nodes are one function, about 1 for independent weights",
    "square.law": "E[y²] of a node's value y over the draws of this layer's parameters, for the values that entered it:"
    " the budget of `kan-run explain` with these samples as inputs",
    "square.base": "the part of square.law that comes from the base branches",
    "square.spline": "the part that comes from the spline branches; the rest comes from the bias",
    "square.measured": "mean of y² over samples and nodes, output.rms squared: what square.law expects",
    "backward.law": "sum over the layer's outputs of E[(dy/dx)²] over those draws, mean over its inputs x and the first"
    " stats.ntk.n samples: the backward budget of `kan-run explain` (full)",
    "backward.measured": "sum over the layer's outputs of (dy/dx)², the same mean: what backward.law expects (full)",
    "edge_distance": "rms distance of two edges out of one input over that of two orthogonal ones:"
    " sqrt((n_out sum_j E[phi_j²] - E[(sum_j phi_j)²]) / ((n_out - 1) sum_j E[phi_j²])), summed over inputs",
    "gradient.values": "rms of d(u.y)/d(value entering) over samples, nodes and random unit vectors u; exact, since"
    " E[u uᵀ] = 1/n_outputs (full)",
    "gradient.scale_base, scale_sp, coef, bias": "the same for the entries of the tensor, per sample (full)",
    "gradient_gain": "gradient.values over that of the next layer, or over that of the outputs (full)",
}

ADAPTED = {
    "refit.condition": "largest condition number of an input's collocation matrix",
    "refit.residual": "rms change of the splines at the samples by the adaptation, over the rms of the splines: 0 if"
    " they were kept; large where the samples' range is wider than the old grid, so that the new knots are coarser",
    "refit.kept": "number of inputs that kept their knots because new ones would coincide",
    "coef_as_drawn": "statistics of coef before the knots were adapted, as above",
}

NODES = {
    "preact_mean": "mean over samples",
    "preact_std": "std over samples, divided by their number",
    "preact_rms": "sqrt(E[x²])",
    "preact.q05 q25 q50 q75 q95": "quantiles over the first stats.quantiles.n samples (full)",
    "off_grid": "share of samples outside the grid range",
    "empty_intervals": "share of the node's grid intervals without a sample",
    "gradient": "rms of d(u.y)/dx over samples and u (full)",
}

EDGES = {
    "in": "index of the edge's source node",
    "out": "index of its target node",
    "mask": "1, or 0 for an edge that is off (only in layers with a mask)",
    "scale_base": "the parameter",
    "scale_sp": "the parameter",
    "coef_mean": "mean over the bases",
    "coef_std": "std over the bases, divided by their number",
    "postact_mean": "mean over samples",
    "postact_std": "std over samples, divided by their number; 0 below 1e-6 of the branches' rms, null where rounding"
    " leaves it less than two digits",
    "postact_rms": "sqrt(E[phi²])",
    "curvature": "integral of phi''(x)² over the grid (full)",
    "postact_mean_abs": "E[|phi|] (full)",
    "postact_min": "minimum over samples (full)",
    "postact_max": "maximum over samples (full)",
    "postact.q05 q25 q50 q75 q95": "quantiles over the first stats.quantiles.n samples (full)",
    "spline_share": "variance of the spline branch over the sum of both branches' variances",
    "nonlinearity": "1 - R² of the best straight line on the samples; null below ten times its rounding error",
    "slope": "slope of that line: cov(x, phi) / var x",
    "intercept": "intercept of that line",
    "roughness": "total variation over range along the first stats.first.n samples, as for the layer",
    "monotone": "1 if the edge is monotone along them, else 0",
}

NETWORK = {
    "propagation.signal": "slope of the least-squares line through log sqrt(mean variance of a node) against depth,"
    " from the inputs on; a coordinate check (Yang et al. 2022, arXiv 2203.03466)",
    "propagation.signal_low, signal_high": "95 % interval of that slope by Student's t, from the residuals of the line;"
    " for three layers and more",
    "propagation.signal_ratio": "std of a node's value at the outputs over that at the inputs",
    "propagation.signal_by_layer": "std of the nodes of each layer, the inputs first, over that of the inputs: a list",
    "propagation.gradient": "slope of the log norm, gradient.values times sqrt(nodes), against depth, from the outputs"
    " back (full)",
    "propagation.gradient_ratio": "that norm at the inputs over that at the outputs (full)",
    "propagation.gradient_by_layer": "that norm at the nodes of each layer, the inputs first, over that at the outputs:"
    " a list (full)",
    "jacobian.median": "median of the singular values of dy/dx over the first stats.ntk.n samples (full)",
    "jacobian.min": "smallest singular value (full)",
    "jacobian.max": "largest singular value (full)",
    "jacobian.condition": "median over samples of the largest over the smallest singular value; null for one input or"
    " one output, where there is one (full)",
    "ntk.eigenvalues": "eigenvalues, in descending order, of the empirical neural tangent kernel K = sum_c J_c J_cᵀ on"
    " the first stats.ntk.n samples, J_c the derivatives of output c with respect to coef, scale_base, scale_sp and"
    " bias (Jacot, Gabriel and Hongler 2018, arXiv 1806.07572) (full)",
    "ntk.trace": "trace of K (full)",
    "ntk.trace_share.scale_base, scale_sp, coef, bias": "part of K's trace that comes from the tensors of that name in"
    " all layers; they add up to 1 (full)",
    "ntk.largest": "largest eigenvalue (full)",
    "ntk.condition": "largest over max(smallest, 1e-9 largest); low is not by itself good (full)",
    "ntk.effective_rank": "(sum of eigenvalues)² / sum of their squares (full)",
}

TRAINING = {
    "task": "what the network learned",
    "steps": "steps of the optimiser",
    "train_loss, first_train_loss": "mean squared error over the training samples, after the last step and before the"
    " first; of an equation, that of its residual and its boundary with their weights. Over members the geometric mean,"
    " and sd is that of the logs",
    "test_loss": "mean squared error over the test samples",
    "rel_l2": "||prediction - target|| / ||target|| over the mesh of the task, else over its test samples",
    "steps_to_tenth, steps_to_hundredth, steps_to_thousandth": "steps until the training loss is below this share of"
    " the first one, at the rows of training.csv",
    "diverged": "number of networks that stopped: a loss not finite, or above 1000 times the first",
    "seconds": "time of the training, of all networks together",
    "singular": "whether the task has a pole on its domain, which decides its errors",
    "ended": "why training ended: all steps were made, every network stopped, or the time was up",
    "kernel": "what computed: torch or numba",
}

SECTIONS = {
    "layers[l]: scale_base, scale_sp, coef, bias; weight of an MLP": TENSOR,
    "layers[l]": LAYER,
    "layers[l], with adapted knots": ADAPTED,
    "layers[l].nodes: lists, one number per node entering": NODES,
    "layers[l].edges: lists, one number per edge; also in edges.csv": EDGES,
    "whole network": NETWORK,
    "training, of a run with a task": TRAINING,
}


def scales() -> dict[str, str]:
    """The summary over members, by the columns of members.csv that have it; `*` stands for any letters."""
    columns = {scale: [name for name, own in PATTERNS.items() if own is scale] for scale in Scale}
    columns[Scale.LINEAR].append("all others")
    return {", ".join(names): scale.value for scale, names in columns.items()}


def named(name: str) -> dict[str, dict[str, str]]:
    """The definitions, by section, of the statistics of one name: spline_share, output.std, or ntk for all of it."""
    found = {
        title: {row: text for row, text in entries.items() if any(_matches(word, name) for word in row.split())}
        for title, entries in SECTIONS.items()
    }
    return {title: entries for title, entries in found.items() if entries}


def _matches(statistic: str, name: str) -> bool:
    return statistic == name or statistic.startswith(f"{name}.") or statistic.endswith(f".{name}")


def statistics() -> list[str]:
    """The names of all statistics."""
    return [word for entries in SECTIONS.values() for row in entries for word in row.split()]


FULL = " (stats=full)"
FULL_MARKS = (" (full)", FULL)  # how the text of a statistic that needs stats=full ends
NON_FINITE = {
    "statement": statement("non_finite"),
    "says": "A value is infinite or not a number; exit code 3.",
    "number": "number of members with such a value, and the place of the first",
    "bounds": "Any one fails.",
    "remedy": "dtype=float64, smaller scales, or samples without infinities.",
}


def verdict_notes() -> dict[str, dict[str, str]]:
    """By verdict: what it says, its number, the origin of its bounds, and a remedy, from its declaration."""
    notes = {"non_finite": NON_FINITE}
    numbers = meanings()
    for name, field in keys(Verdicts).items():
        own = field.metadata["notes"] | {"number": numbers[name] + (FULL if FULL in field.metadata["help"] else "")}
        notes[name] = {part: own[part] for part in (*NON_FINITE, "members")}
    return notes


def quantities() -> dict[str, str]:
    """The quantity that each verdict judges in its worst layer, from its help."""
    words = {name: field.metadata["help"].partition(",")[0].partition(":")[0] for name, field in keys(Verdicts).items()}
    # The help of the second verdict on one quantity says "the same".
    return words | {name: words[name.replace("_explodes", "_vanishes")] for name in words}


def meanings() -> dict[str, str]:
    """The meaning of each verdict's number."""
    worst = {name: "least" if falling(name) else "greatest" for name in keys(Verdicts)}
    return {
        "non_finite": "values that are not finite",
        **{name: f"{worst[name]} {quantity}" for name, quantity in quantities().items()},
    }
