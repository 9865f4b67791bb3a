"""Law of coefficients that are fitted to noise at the knots."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kancli.inits.laws import RowInvariant
from kancli.inits.normal_scores import ROUNDINGS, constant_scores, uniform_scores, where_possible

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from torch import Tensor


N_FREQUENCIES = 1024  # terms of the Fourier series of the cumulative distribution
PIECE = 2**12  # edges of one product of matrices
N_EXACT_KNOTS = 24  # largest weights with an exact characteristic function; the sum of the others counts as normal


@dataclass(frozen=True)
class KnotNoise(RowInvariant):
    """Minimum-norm coefficients of the spline that takes values U(-half_width, half_width) at the G + 1 knots.

    With A the values of the K bases at the knots and P = pinv(A): coef = P noise, so the covariance of an edge's
    coefficients is P P^T half_width^2 / 3, of rank G + 1 < K.
    """

    half_width: float
    grid_range: tuple[float, float]
    grid: int
    k: int

    @property
    def inverse(self) -> Tensor:
        """P, `[K, G + 1]`."""
        from kancli.kan.least_squares import knot_inverse

        return knot_inverse(self.grid_range, self.grid, self.k).matrix

    @property
    def mean(self) -> float:
        return 0.0

    @property
    def std(self) -> float:
        return self.half_width * math.sqrt(float(self.inverse.square().sum(1).mean()) / 3)

    @property
    def bounds(self) -> tuple[float, float]:
        high = self.half_width * float(self.inverse.abs().sum(1).max())
        return -high, high

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """By a Fourier series: each entry is a sum of independent uniform numbers, so its transform is known."""
        import numpy as np

        if self.half_width == 0:
            return (x >= 0).astype(float)
        weights = -np.sort(-np.abs(self.inverse.numpy()), axis=1) * self.half_width  # [K, G + 1], decreasing
        half_period = 1.001 * weights.sum(1).max()
        frequencies = np.pi / half_period * np.arange(1, N_FREQUENCIES + 1)
        # The weights decrease geometrically, so the sum of the small ones is close to normal.
        large, small_variance = weights[:, :N_EXACT_KNOTS], (weights[:, N_EXACT_KNOTS:] ** 2).sum(1) / 3
        characteristic = np.exp(-small_variance[:, None] / 2 * frequencies**2)  # [K, N_FREQUENCIES]
        for weight in large.T:
            characteristic *= np.sinc(weight[:, None] * frequencies / np.pi)
        amplitudes = characteristic.mean(0) / frequencies / half_period
        inside = np.clip(x, -half_period, half_period)
        return np.clip(0.5 + inside / (2 * half_period) + np.sin(inside[..., None] * frequencies) @ amplitudes, 0, 1)

    def mean_error(self, shape: tuple[int, ...]) -> float:
        # The coefficients of one edge are correlated, those of different edges are independent.
        edge = self.half_width * math.sqrt(float(self.inverse.mean(0).square().sum()) / 3)
        return edge / math.sqrt(math.prod(shape[:-1]))

    def variance_error(self, shape: tuple[int, ...]) -> float:
        # A coefficient is a sum of uniform numbers, whose fourth cumulant is -2/15 half_width^4.
        covariances = float((self.inverse @ self.inverse.T).square().sum()) * 2 * (self.half_width**2 / 3) ** 2
        cumulants = float(self.inverse.square().sum(0).square().sum()) * -2 / 15 * self.half_width**4
        return math.sqrt((covariances + cumulants) / math.prod(shape[:-1])) / shape[-1]

    def combined_variance(self, weights: np.ndarray) -> np.ndarray:
        return ((weights @ self.inverse.numpy()) ** 2).sum(-1) * self.half_width**2 / 3

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        import torch

        from kancli.kan.least_squares import knot_inverse
        from kancli.kan.threads import one_thread

        noise = self.half_width * (2 * generator.random((*shape[:-1], self.grid + 1)) - 1)
        edges = torch.from_numpy(noise).flatten(0, -2)
        inverse = knot_inverse(self.grid_range, self.grid, self.k)
        with one_thread():
            return torch.cat([inverse.solve(edges[piece]) for piece in pieces(len(edges))]).reshape(shape).numpy()

    def normal_scores(self, values: np.ndarray, eps: float) -> np.ndarray:
        """Scores of the noise at the knots, which the coefficients give back: A coef = noise.

        Coefficients outside the range of P are no fit of any noise.
        """
        from kancli.kan.least_squares import knot_collocation

        if not self.half_width:
            return constant_scores(values, 0.0, eps)
        collocation, inverse = knot_collocation(self.grid_range, self.grid, self.k).numpy(), self.inverse.numpy()
        slack = ROUNDINGS * eps * self.bounds[1]
        noise = _product(values, collocation)
        is_fit = abs(_product(noise, inverse) - values) <= slack * abs(inverse).sum(1).max()
        return where_possible(uniform_scores(noise, -self.half_width, self.half_width, slack), is_fit)

    def __str__(self) -> str:
        return f"fit of U(±{self.half_width:g}) at the knots, std {self.std:g}"


def pieces(n_edges: int) -> list[slice]:
    """The edges that one product of matrices fits. None is small beside others: its bits would not be those of a part
    of a large product."""
    starts = range(0, n_edges, PIECE)[: max(1, n_edges // PIECE)]
    return [slice(start, start + PIECE if start < starts[-1] else n_edges) for start in starts]


def _product(vectors: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """matrix @ vectors, `[..., n]` to `[..., m]`: term by term, as BLAS has other bits for other numbers of vectors."""
    return sum(vectors[..., column, None] * matrix[:, column] for column in range(matrix.shape[1]))  # pyright: ignore
