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


def one_basis(m, knots, k, derivative=0):
    """The m-th basis on any increasing knots, as a function; not a number beyond them.

    scipy evaluates between the k-th knots from either end only: k more knots, with coefficients 0, let it see all.
    """
    n_basis = len(knots) - k - 1
    steps = np.arange(1, k + 1)
    before, after = knots[0] - (knots[1] - knots[0]) * steps[::-1], knots[-1] + (knots[-1] - knots[-2]) * steps
    wide = np.concatenate([before, knots, after])
    spline = BSpline(wide, np.eye(n_basis + 2 * k)[m + k], k, extrapolate=False)
    return spline.derivative(derivative) if derivative else spline


def basis(x, knots, k, derivative=0):
    """All bases on any increasing knots, 0 beyond them; x `[n]` to `[n, K]`."""
    n_basis = len(knots) - k - 1
    values = np.stack([np.nan_to_num(one_basis(m, knots, k, derivative)(x), nan=0.0) for m in range(n_basis)], -1)
    if k == 0:
        values[x == knots[n_basis]] = np.eye(n_basis)[-1]
    return values


def uniform_knots(low, high, grid, k):
    step = (high - low) / grid
    return np.array([low + m * step for m in range(-k, grid + k + 1)])


def spline(x, coef, low, high, grid, k):
    """sum_m coef_m B_m(x) on uniform knots; x `[n]`, coef `[G + k]`."""
    return basis(x, uniform_knots(low, high, grid, k), k) @ coef


def layer(x, coef, scale_base, scale_sp, base, low=-1.0, high=1.0, k=3):
    """x `[n, i]` to postacts `[n, i, o]`."""
    n_in, n_out, n_basis = coef.shape
    postacts = np.zeros((len(x), n_in, n_out))
    for i in range(n_in):
        for j in range(n_out):
            phi = scale_base[i, j] * BASE_FUNCTIONS[base](x[:, i])
            postacts[:, i, j] = phi + scale_sp[i, j] * spline(x[:, i], coef[i, j], low, high, n_basis - k, k)
    return postacts
