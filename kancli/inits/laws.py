"""The distributions that a scheme can declare for a tensor, each with its exact moments and its draw.

What is declared is what is drawn: there is no second description of a law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from typing_extensions import Self


def _normal_cdf(x: np.ndarray, std: float) -> np.ndarray:
    from scipy.special import ndtr

    return ndtr(x / std) if std else (x >= 0).astype(float)


class Law(Protocol):
    """How the entries of one tensor are distributed. Moments are of all its entries taken together."""

    @property
    def mean(self) -> float: ...

    @property
    def std(self) -> float: ...

    @property
    def bounds(self) -> tuple[float, float]:
        """What no entry can be below or above."""
        ...

    def mean_error(self, shape: tuple[int, ...]) -> float:
        """The standard error of the mean of a tensor of that shape."""
        ...

    def variance_error(self, shape: tuple[int, ...]) -> float:
        """The standard error of the mean squared distance of such a tensor's entries from `mean`."""
        ...

    def combined_variance(self, weights: np.ndarray) -> np.ndarray:
        """The variance of sum_m w_m coef_m for the entries of one edge; weights `[q, K]` to `[q]`."""
        ...

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """The share of the entries, all taken together, that is expected at or below each x."""
        ...

    def rows(self, block: slice) -> Law:
        """The law of a block of the tensor's first axis."""
        ...

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        """float64 values of that shape, in C order."""
        ...


@dataclass(frozen=True)
class RowInvariant:
    """What laws share that are the same for each row."""

    def rows(self, block: slice) -> Self:
        return self


@dataclass(frozen=True)
class Independent(RowInvariant):
    """What laws of independent entries share."""

    @property
    def kurtosis(self) -> float:
        """Fourth moment about the mean over the squared variance; a law without it takes that of a normal one."""
        return 3.0

    def mean_error(self, shape: tuple[int, ...]) -> float:
        return self.std / math.sqrt(math.prod(shape))  # pyright: ignore[reportAttributeAccessIssue]

    def variance_error(self, shape: tuple[int, ...]) -> float:
        return self.std**2 * math.sqrt((self.kurtosis - 1) / math.prod(shape))  # pyright: ignore

    def combined_variance(self, weights: np.ndarray) -> np.ndarray:
        return (weights**2).sum(-1) * self.std**2  # pyright: ignore[reportAttributeAccessIssue]


@dataclass(frozen=True)
class Constant(Independent):
    """One value, nothing random."""

    value: float

    @property
    def mean(self) -> float:
        return self.value

    @property
    def std(self) -> float:
        return 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        return self.value, self.value

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return (x >= self.value).astype(float)

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        import numpy as np

        return np.full(shape, self.value)

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class Normal(Independent):
    """N(mean, std); std is the standard deviation, not the variance."""

    mean: float
    std: float

    @property
    def bounds(self) -> tuple[float, float]:
        return (-math.inf, math.inf) if self.std else (self.mean, self.mean)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return _normal_cdf(x - self.mean, self.std)

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        return generator.normal(self.mean, self.std, shape)

    def __str__(self) -> str:
        return f"N({self.mean:g}, {self.std:g})"


@dataclass(frozen=True)
class Uniform(Independent):
    """U[low, high)."""

    low: float
    high: float

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def std(self) -> float:
        return (self.high - self.low) / math.sqrt(12)

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    def cdf(self, x: np.ndarray) -> np.ndarray:
        if self.low == self.high:
            return (x >= self.low).astype(float)
        return ((x - self.low) / (self.high - self.low)).clip(0, 1)

    @property
    def kurtosis(self) -> float:
        return 9 / 5

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        return self.low + (self.high - self.low) * generator.random(shape)

    def __str__(self) -> str:
        return f"U[{self.low:g}, {self.high:g})"


@dataclass(frozen=True)
class NormalByBasis(Independent):
    """N(0, stds[m]) for the coefficient of basis m."""

    stds: tuple[float, ...]

    @property
    def mean(self) -> float:
        return 0.0

    @property
    def std(self) -> float:
        return math.sqrt(sum(std**2 for std in self.stds) / len(self.stds))

    @property
    def bounds(self) -> tuple[float, float]:
        return (-math.inf, math.inf)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return sum(_normal_cdf(x, std) for std in self.stds) / len(self.stds)  # pyright: ignore[reportReturnType]

    def variance_error(self, shape: tuple[int, ...]) -> float:
        return math.sqrt(2 * sum(std**4 for std in self.stds) / len(self.stds) / math.prod(shape))

    def combined_variance(self, weights: np.ndarray) -> np.ndarray:
        return ((weights * self.stds) ** 2).sum(-1)

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        return generator.standard_normal(shape) * self.stds

    def __str__(self) -> str:
        return f"N(0, {min(self.stds):g} to {max(self.stds):g} by basis)"


@dataclass(frozen=True)
class Masked:
    """A law on the edges that a mask keeps, and 0 on the others."""

    law: Uniform | Constant
    kept: tuple[tuple[bool, ...], ...]  # [n_in][n_out]

    @property
    def share(self) -> float:
        return sum(map(sum, self.kept)) / sum(map(len, self.kept))

    @property
    def mean(self) -> float:
        return self.share * self.law.mean

    @property
    def std(self) -> float:
        return math.sqrt(self.share * (self.law.std**2 + self.law.mean**2) - self.mean**2)

    @property
    def bounds(self) -> tuple[float, float]:
        low, high = self.law.bounds
        return min(low, 0.0), max(high, 0.0)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return self.share * self.law.cdf(x) + (1 - self.share) * (x >= 0)

    def mean_error(self, shape: tuple[int, ...]) -> float:
        # Which edges are kept is not random.
        return self.law.std * math.sqrt(self.share / math.prod(shape))

    def variance_error(self, shape: tuple[int, ...]) -> float:
        own = self.law.std**4 * (self.law.kurtosis - 1) + 4 * (self.law.mean - self.mean) ** 2 * self.law.std**2
        return math.sqrt(self.share * own / math.prod(shape))

    def combined_variance(self, weights: np.ndarray) -> np.ndarray:
        return (weights**2).sum(-1) * self.std**2

    def rows(self, block: slice) -> Masked:
        return Masked(self.law, self.kept[block])

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        return self.law.sample(shape, generator=generator) * self.kept

    def __str__(self) -> str:
        return f"{self.law} on {100 * self.share:.0f} % of the edges, 0 on the others"
