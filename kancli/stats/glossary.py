"""What each number in stats.json is: its formula over the samples and, where it is not ours, its source."""

from __future__ import annotations

from kancli.schema import keys
from kancli.stats.options import Verdicts

OVER_MEMBERS = (
    "Of an ensemble each number is told over its members: mean, sd (divided by S - 1), low and high, the 95 % interval"
    " of the mean by Student's t (Student 1908), and n, how many members have a value; of a layer's or the network's"
    " numbers also q05 to q95, min and max. null means that there is no value: `reasons` has why."
)

TENSOR = {
    "mean": "of all entries",
    "std": "of all entries, divided by their number",
    "min": "least entry",
    "max": "greatest entry",
    "q05 q25 q50 q75 q95": "quantiles of the entries (full)",
    "declared_mean": "by the law",
    "declared_std": "by the law",
    "mean_error": "the law's standard error of the mean of all entries",
    "variance_error": "the law's standard error of the mean squared distance of the entries from declared_mean",
    "z": "(mean - declared_mean) / mean_error",
    "z_std": "how far that mean square is from the law's variance, in standard errors, by the cube root (Wilson and"
    " Hilferty 1931)",
}

VALUES = {
    "mean": "over samples and all of them",
    "std": "over samples and all of them, divided by their number",
    "rms": "sqrt(mean of squares)",
    "min": "least",
    "max": "greatest",
}

QUANTILES = {"q05 q25 q50 q75 q95": "quantiles over the first stats.first.n samples and all of them (full)"}

LAYER = {
    **{f"preacts.{name}": f"values entering: {text}" for name, text in {**VALUES, **QUANTILES}.items()},
    **{
        f"postacts.{name}": f"values of the edges: {text}" + (" (full)" if name in ("min", "max") else "")
        for name, text in {**VALUES, "mean_abs": "mean of |phi(x)| (full)", **QUANTILES}.items()
    },
    **{f"output.{name}": f"values leaving: {text}" for name, text in VALUES.items()},
    "gain.rms": "rms of the values leaving over that of those entering",
    "gain.variance": "mean over nodes of the variance over samples, leaving over entering",
    "off_grid": "share of the values entering that lie outside the grid range",
    "empty_intervals": "share of grid intervals, over all inputs, that no sample lies in",
    "flat_edges": "share of edges whose std is at most stats.flat of the rms over all edges of the layer",
    "spline_share": "sum of the spline branches' variances over that of both branches' variances",
    "variance_share.base": "sum of the base branches' variances over the sum of the edges' variances",
    "variance_share.spline": "the same of the spline branches",
    "variance_share.covariance": "the same of twice the covariances of base and spline: the three add up to 1",
    "nonlinearity.mean": "mean over edges of 1 - R² of the best straight line, cov(x, phi)² / (var x var phi) being R²",
    "nonlinearity.max": "the greatest",
    "roughness.mean": "mean over edges of sum |phi(x_{q+1}) - phi(x_q)| / (max phi - min phi), along the first"
    " stats.first.n samples in order of x: total variation over range, 1 for a monotone edge",
    "roughness.max": "the greatest",
    "monotone": "share of edges that rise or fall all the way along these samples, but for rounding",
    "correlation.mean": "mean over pairs of nodes leaving of |C_jk| / sqrt(C_jj C_kk), C their covariance over samples",
    "correlation.max": "the greatest",
    "effective_rank": "(tr C)² / sum_jk C_jk²: participation ratio of C's eigenvalues, from 1 to the number of nodes",
    "edge_distance": "rms distance of two edges out of one input over that of two orthogonal ones:"
    " sqrt((n_out sum_j E[phi_j²] - E[(sum_j phi_j)²]) / ((n_out - 1) sum_j E[phi_j²])), summed over inputs",
    "gradient.values": "rms of d(u.y)/d(value entering), u a random unit vector, over u, samples and nodes; exactly, as"
    " E[u uᵀ] = 1/n_outputs (full)",
    "gradient.scale_base, scale_sp, coef, bias": "the same by each entry of the tensor, sample by sample (full)",
    "gradient_gain": "gradient.values over that of the next layer, or of the outputs (full)",
}

ADAPTED = {
    "refit.condition": "greatest condition number of an input's collocation matrix",
    "refit.residual": "rms change of the splines at the samples, over the rms of the splines",
    "refit.kept": "inputs that kept their knots, as new ones would coincide",
    "coef_as_drawn": "coef before the knots were adapted, against its law: numbers as above",
}

NODES = {
    "preact_mean": "over samples",
    "preact_std": "over samples, divided by their number",
    "preact_rms": "sqrt(E[x²])",
    "preact.q05 q25 q50 q75 q95": "quantiles over the first stats.first.n samples (full)",
    "off_grid": "share of samples outside the grid range",
    "empty_intervals": "share of the node's grid intervals that no sample lies in",
    "gradient": "rms of d(u.y)/dx over u and samples (full)",
}

EDGES = {
    "in": "node the edge comes from",
    "out": "node it goes to",
    "scale_base": "as drawn",
    "scale_sp": "as drawn",
    "coef_mean": "over the bases",
    "coef_std": "over the bases, divided by their number",
    "postact_mean": "over samples",
    "postact_std": "over samples, divided by their number",
    "postact_rms": "sqrt(E[phi²])",
    "postact_mean_abs": "E[|phi|] (full)",
    "postact_min": "least (full)",
    "postact_max": "greatest (full)",
    "postact.q05 q25 q50 q75 q95": "quantiles over the first stats.first.n samples (full)",
    "spline_share": "variance of the spline branch over the sum of both branches' variances",
    "nonlinearity": "1 - R² of the best straight line on the samples",
    "slope": "of that line: cov(x, phi) / var x",
    "intercept": "of that line",
    "roughness": "total variation over range along the first stats.first.n samples, as for the layer",
    "monotone": "1 if it rises or falls all the way along them, else 0",
}

NETWORK = {
    "propagation.signal": "slope of the least-squares line through log sqrt(mean variance of a node) against depth,"
    " from the inputs on; a coordinate check (Yang et al. 2022, arXiv 2203.03466)",
    "propagation.signal_ratio": "std of a node's value at the outputs over that at the inputs",
    "propagation.gradient": "slope of log gradient.values against depth, from the outputs back (full)",
    "propagation.gradient_ratio": "gradient.values at the inputs over that at the outputs (full)",
    "jacobian.median": "of the singular values of dy/dx, over the first stats.ntk.n samples and all values (full)",
    "jacobian.min": "least of them (full)",
    "jacobian.max": "greatest of them (full)",
    "jacobian.condition": "median over samples of greatest over least (full)",
    "ntk.eigenvalues": "of the empirical neural tangent kernel K = sum_c J_c J_cᵀ on the first stats.ntk.n samples, J_c"
    " the derivatives of output c by coef, scale_base, scale_sp and bias (Jacot, Gabriel and Hongler 2018, arXiv"
    " 1806.07572); falling (full)",
    "ntk.trace": "of K (full)",
    "ntk.largest": "eigenvalue (full)",
    "ntk.condition": "largest over max(smallest, 1e-9 largest); a low one is not by itself good (full)",
    "ntk.effective_rank": "(sum of eigenvalues)² / sum of their squares (full)",
}

SECTIONS = {
    "layers[l]: scale_base, scale_sp, coef, bias": TENSOR,
    "layers[l]": LAYER,
    "layers[l], with grid.adapt=samples": ADAPTED,
    "layers[l].nodes: lists, a number for each node entering": NODES,
    "layers[l].edges: lists, a number for each edge; edges.csv": EDGES,
    "of the whole network": NETWORK,
}


def meanings() -> dict[str, str]:
    """What the number of each verdict is, in the words of its help."""
    words = {name: field.metadata["help"].partition(",")[0].partition(":")[0] for name, field in keys(Verdicts).items()}
    # Of a pair on one number, seen from both sides, the second says "the same".
    words |= {name: words[name.replace("_explodes", "_vanishes")] for name in words}
    worst = {name: "least" if field.metadata["kind"].falling else "greatest" for name, field in keys(Verdicts).items()}
    return {
        "non_finite": "values that are not finite",
        **{name: f"{worst[name]} {each}" for name, each in words.items()},
    }
