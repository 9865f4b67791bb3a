"""The law of coefficients that are fitted to noise at the knots."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kancli.inits.laws import RowInvariant

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from torch import Tensor


FREQUENCIES, NEAR_KNOTS = 1024, 24  # of a knot noise's cumulative distribution


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
        most = self.half_width * float(self.inverse.abs().sum(1).max())
        return -most, most

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """By the characteristic functions: each entry is a sum of independent uniform numbers, within `bounds`."""
        import numpy as np

        if self.half_width == 0:
            return (x >= 0).astype(float)
        weights = -np.sort(-np.abs(self.inverse.numpy()), axis=1) * self.half_width  # [K, G + 1], falling
        most = 1.001 * weights.sum(1).max()
        order = np.pi / most * np.arange(1, FREQUENCIES + 1)
        # The weights of far knots fall off geometrically: together they are as good as normal.
        near, far = weights[:, :NEAR_KNOTS], (weights[:, NEAR_KNOTS:] ** 2).sum(1) / 3
        characteristic = np.exp(-far[:, None] / 2 * order**2)
        for each in near.T:
            characteristic *= np.sinc(each[:, None] * order / np.pi)
        share = characteristic.mean(0) / order / most
        inside = np.clip(x, -most, most)
        return np.clip(0.5 + inside / (2 * most) + np.sin(inside[..., None] * order) @ share, 0, 1)

    def mean_error(self, shape: tuple[int, ...]) -> float:
        # Coefficients of one edge hang together, those of different edges do not.
        edge = self.half_width * math.sqrt(float(self.inverse.mean(0).square().sum()) / 3)
        return edge / math.sqrt(math.prod(shape[:-1]))

    def variance_error(self, shape: tuple[int, ...]) -> float:
        # An edge's coefficients are sums of uniform numbers, whose fourth cumulant is -2/15 half_width^4.
        together = float((self.inverse @ self.inverse.T).square().sum()) * 2 * (self.half_width**2 / 3) ** 2
        cumulants = float(self.inverse.square().sum(0).square().sum()) * -2 / 15 * self.half_width**4
        return math.sqrt((together + cumulants) / math.prod(shape[:-1])) / shape[-1]

    def combined_variance(self, weights: np.ndarray) -> np.ndarray:
        return ((weights @ self.inverse.numpy()) ** 2).sum(-1) * self.half_width**2 / 3

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        import torch

        from kancli.kan.least_squares import knot_inverse

        noise = self.half_width * (2 * generator.random((*shape[:-1], self.grid + 1)) - 1)
        return knot_inverse(self.grid_range, self.grid, self.k).solve(torch.from_numpy(noise)).numpy()

    def __str__(self) -> str:
        return f"fit of U(±{self.half_width:g}) at the knots, std {self.std:g}"
