"""Laws: the distributions that a scheme gives to tensors, each with its exact moments and its sampling.

Each law describes a distribution once, and sampling, checks, figures and `explain` all use that description.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kancli.inits.normal_scores import (
    ROUNDINGS,
    constant_scores,
    resolves,
    uniform_scores,
    unresolved_scores,
    where_possible,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from typing_extensions import Self


def _normal_cdf(x: np.ndarray, std: float) -> np.ndarray:
    from scipy.special import ndtr

    return ndtr(x / std) if std else (x >= 0).astype(float)


class Law(Protocol):
    """Distribution of the entries of one tensor. Moments and `cdf` are averages over all entries."""

    @property
    def mean(self) -> float: ...

    @property
    def std(self) -> float: ...

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest possible entry; may be infinite."""
        ...

    def mean_error(self, shape: tuple[int, ...]) -> float:
        """Standard error of the mean of a tensor of that shape."""
        ...

    def variance_error(self, shape: tuple[int, ...]) -> float:
        """Standard error of the mean squared distance of a tensor's entries from `mean`."""
        ...

    def combined_variance(self, weights: np.ndarray) -> np.ndarray:
        """Variance of sum_m w_m coef_m over the entries of one edge; weights `[q, K]` to `[q]`."""
        ...

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Expected share of all entries at or below each x; the shape of x."""
        ...

    def rows(self, block: slice) -> Law:
        """Law of a block of rows, the tensor's first axis."""
        ...

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        """float64 values of that shape, drawn from `generator` alone."""
        ...


@dataclass(frozen=True)
class RowInvariant:
    """Base of the laws that are the same for every row."""

    def rows(self, block: slice) -> Self:
        return self


@dataclass(frozen=True)
class Independent(RowInvariant):
    """Base of the laws whose entries are independent."""

    @property
    def kurtosis(self) -> float:
        """Fourth central moment over the squared variance; by default that of a normal law."""
        return 3.0

    def mean_error(self, shape: tuple[int, ...]) -> float:
        return self.std / math.sqrt(math.prod(shape))  # pyright: ignore[reportAttributeAccessIssue]

    def variance_error(self, shape: tuple[int, ...]) -> float:
        return self.std**2 * math.sqrt((self.kurtosis - 1) / math.prod(shape))  # pyright: ignore

    def combined_variance(self, weights: np.ndarray) -> np.ndarray:
        return (weights**2).sum(-1) * self.std**2  # pyright: ignore[reportAttributeAccessIssue]


@dataclass(frozen=True)
class Constant(Independent):
    """The same value for every entry."""

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

    def normal_scores(self, values: np.ndarray, eps: float) -> np.ndarray:
        return constant_scores(values, self.value, eps)

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class Normal(Independent):
    """N(mean, std), with std the standard deviation."""

    mean: float
    std: float

    @property
    def bounds(self) -> tuple[float, float]:
        return (-math.inf, math.inf) if self.std else (self.mean, self.mean)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return _normal_cdf(x - self.mean, self.std)

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        return generator.normal(self.mean, self.std, shape)

    def normal_scores(self, values: np.ndarray, eps: float) -> np.ndarray:
        if not self.std:
            return constant_scores(values, self.mean, eps)
        if not resolves(abs(self.mean), self.std, eps):
            return unresolved_scores(values)
        return ((values - self.mean) / self.std).reshape(len(values), -1)

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
        return self.spread(generator.random(shape))

    def spread(self, units: np.ndarray) -> np.ndarray:
        """Turn numbers U[0, 1) into the law's, in place."""
        units *= self.high - self.low
        units += self.low
        return units

    def normal_scores(self, values: np.ndarray, eps: float) -> np.ndarray:
        if self.low == self.high:
            return constant_scores(values, self.low, eps)
        magnitude = max(abs(self.low), abs(self.high))
        if not resolves(magnitude, self.high - self.low, eps):
            return unresolved_scores(values)
        return uniform_scores(values, self.low, self.high, ROUNDINGS * eps * magnitude)

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

    def normal_scores(self, values: np.ndarray, eps: float) -> np.ndarray:
        import numpy as np

        stds = np.array(self.stds)
        scores = (values[..., stds > 0] / stds[stds > 0]).reshape(len(values), -1)
        return where_possible(scores, values[..., stds == 0] == 0)

    def __str__(self) -> str:
        return f"N(0, {min(self.stds):g} to {max(self.stds):g} by basis)"


@dataclass(frozen=True)
class Masked:
    """A law on the edges that a fixed mask keeps, and 0 on the others."""

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
        # The mask is not random, so only the kept entries contribute.
        return self.law.std * math.sqrt(self.share / math.prod(shape))

    def variance_error(self, shape: tuple[int, ...]) -> float:
        per_entry = self.law.std**4 * (self.law.kurtosis - 1) + 4 * (self.law.mean - self.mean) ** 2 * self.law.std**2
        return math.sqrt(self.share * per_entry / math.prod(shape))

    def combined_variance(self, weights: np.ndarray) -> np.ndarray:
        return (weights**2).sum(-1) * self.std**2

    def rows(self, block: slice) -> Masked:
        return Masked(self.law, self.kept[block])

    def sample(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        return self.law.sample(shape, generator=generator) * self.kept

    def normal_scores(self, values: np.ndarray, eps: float) -> np.ndarray:
        import numpy as np

        kept = np.array(self.kept)
        return where_possible(self.law.normal_scores(values[:, kept], eps), values[:, ~kept] == 0)

    def __str__(self) -> str:
        return f"{self.law} on {100 * self.share:.0f} % of the edges, 0 on the others"
