"""A KAN written from the definition, edge by edge, with scipy's B-splines in float64: slow, and nothing shared."""

import math

import numpy as np
from scipy.interpolate import BSpline
from scipy.special import erf, expit

BASE_FUNCTIONS = {
    "silu": lambda x: x * expit(x),
    "identity": lambda x: x,
    "zero": lambda x: 0 * x,
    "tanh": np.tanh,
    "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "sin": np.sin,
}


def spline(x, coef, low, high, grid, k):
    """sum_m coef_m B_m(x), 0 beyond the extended knots; x `[n]`, coef `[G + k]`.

    scipy evaluates between the k-th knots from either end only: k more knots, with coefficients 0, let it see all.
    """
    step = (high - low) / grid
    knots = np.array([low + m * step for m in range(-2 * k, grid + 2 * k + 1)])
    padded = np.concatenate([np.zeros(k), coef, np.zeros(k)])
    values = np.nan_to_num(BSpline(knots, padded, k, extrapolate=False)(x), nan=0.0)
    if k == 0:
        values[x == high] = coef[-1]
    return values


def layer(x, coef, scale_base, scale_sp, base, low=-1.0, high=1.0, k=3):
    """x `[n, i]` to postacts `[n, i, o]`."""
    n_in, n_out, n_basis = coef.shape
    postacts = np.zeros((len(x), n_in, n_out))
    for i in range(n_in):
        for j in range(n_out):
            phi = scale_base[i, j] * BASE_FUNCTIONS[base](x[:, i])
            postacts[:, i, j] = phi + scale_sp[i, j] * spline(x[:, i], coef[i, j], low, high, n_basis - k, k)
    return postacts
