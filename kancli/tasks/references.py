"""Reference solutions of equations that have no short formula. In float64, with numpy and scipy's transforms."""

from __future__ import annotations

import functools
import math

import numpy as np

BURGERS_VISCOSITY = 0.01 / math.pi
ALLEN_CAHN_DIFFUSION = 1e-4
ALLEN_CAHN_RATE = 5.0
_TAIL = math.sqrt(36 + 2 / (2 * math.pi * BURGERS_VISCOSITY))  # beyond it the integrand is below e^-36 of its largest
_NODES = 600  # of the trapezoidal rule on [-_TAIL, _TAIL]
_MODES = 2048  # of Allen-Cahn's cosine series
_STEPS = 400  # of Allen-Cahn's split steps in unit time


def burgers(t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """u(t, x) of u_t + u u_x = nu u_xx with u(0, x) = -sin(pi x), by the transformation of Cole and Hopf.

    u = -E[sin(pi y) g(y)] / E[g(y)] with g(y) = exp(-cos(pi y)/(2 pi nu)) and y normal around x with variance 2 nu t
    (Basdevant et al., "Spectral and finite difference solutions of the Burgers equation", Computers & Fluids 14,
    1986). The trapezoidal rule converges exponentially for these integrands.

    Args:
        t: `[n]`, from 0 on.
        x: `[m]`.

    Returns:
        `[n, m]`.
    """
    z = np.linspace(-_TAIL, _TAIL, _NODES)
    u = np.empty((len(t), len(x)))
    for row, time in enumerate(t):
        y = x[:, None] - math.sqrt(4 * BURGERS_VISCOSITY * time) * z
        exponent = -np.cos(np.pi * y) / (2 * math.pi * BURGERS_VISCOSITY) - z**2
        weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        u[row] = -(weights * np.sin(np.pi * y)).sum(axis=1) / weights.sum(axis=1)
    return u


def allen_cahn(n_times: int, x: np.ndarray) -> np.ndarray:
    """u(t, x) of u_t = 1e-4 u_xx + 5 (u - u^3) with u(0, x) = x^2 cos(pi x) and u(t, -1) = u(t, 1) = -1.

    u is even in x, so u + 1 is a series in cos((k + 1/2) pi x). Diffusion and reaction have exact flows, which
    Strang's splitting alternates; Richardson's extrapolation over two step sizes cancels the second-order error.

    Args:
        n_times: number of equidistant times from 0 to 1, `_STEPS` + 1 or one that divides its steps.
        x: `[m]`, from -1 to 1.

    Returns:
        `[n_times, m]`.
    """
    coarse, fine = (_split_steps(n_times, steps) for steps in (_STEPS, 2 * _STEPS))
    series = np.cos(np.pi * (np.arange(_MODES) + 0.5) * x[:, None])  # [m, k]
    return (4 * fine - coarse) / 3 @ series.T / _MODES - 1


def _split_steps(n_times: int, n_steps: int) -> np.ndarray:
    """The coefficients of u + 1 `[n_times, k]` by Strang's splitting, unnormalised as of a DCT-IV."""
    stride, rest = divmod(n_steps, n_times - 1)
    if rest:
        raise ValueError(f"{n_times - 1} intervals do not divide {n_steps} steps")
    step = 1 / n_steps
    x = (np.arange(_MODES) + 0.5) / _MODES
    diffuse = np.exp(-ALLEN_CAHN_DIFFUSION * (np.pi * (np.arange(_MODES) + 0.5)) ** 2 * step / 2)
    growth = math.exp(ALLEN_CAHN_RATE * step)
    kept = [_cosine_transform(x**2 * np.cos(np.pi * x) + 1)]
    coefficients = kept[0]
    for number in range(1, n_steps + 1):
        u = _cosine_transform(coefficients * diffuse) / (2 * _MODES) - 1
        u = u * growth / np.sqrt(1 + u**2 * (growth**2 - 1))
        coefficients = _cosine_transform(u + 1) * diffuse
        if number % stride == 0:
            kept.append(coefficients)
    return np.stack(kept)


def _cosine_transform(values: np.ndarray) -> np.ndarray:
    """The unnormalised cosine transform of type IV, its own inverse but for the factor twice the length."""
    from scipy.fft import dct

    return np.asarray(dct(values, type=4))


@functools.cache
def burgers_mesh(n_times: int, n_places: int) -> np.ndarray:
    """`burgers` on a regular mesh of [0, 1] x [-1, 1]; computed once a process."""
    return burgers(np.linspace(0, 1, n_times), np.linspace(-1, 1, n_places))


@functools.cache
def allen_cahn_mesh(n_times: int, n_places: int) -> np.ndarray:
    """`allen_cahn` on a regular mesh of [0, 1] x [-1, 1]; computed once a process."""
    return allen_cahn(n_times, np.linspace(-1, 1, n_places))
