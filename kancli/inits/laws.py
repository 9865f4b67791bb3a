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


class Law(Protocol):
    """Independent draws of one distribution."""

    @property
    def mean(self) -> float: ...

    @property
    def std(self) -> float: ...

    @property
    def bounds(self) -> tuple[float, float]: ...

    def draw(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        """float64 values of that shape, in C order."""
        ...


@dataclass(frozen=True)
class Constant:
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

    def draw(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        import numpy as np

        return np.full(shape, self.value)

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class Normal:
    """N(mean, std); std is the standard deviation, not the variance."""

    mean: float
    std: float

    @property
    def bounds(self) -> tuple[float, float]:
        return (-math.inf, math.inf) if self.std else (self.mean, self.mean)

    def draw(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        return self.mean + self.std * generator.standard_normal(shape)

    def __str__(self) -> str:
        return f"N({self.mean:g}, {self.std:g})"


@dataclass(frozen=True)
class Uniform:
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

    def draw(self, shape: tuple[int, ...], *, generator: Generator) -> np.ndarray:
        return self.low + (self.high - self.low) * generator.random(shape)

    def __str__(self) -> str:
        return f"U[{self.low:g}, {self.high:g})"
