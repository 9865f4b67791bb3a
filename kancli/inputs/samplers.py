"""The input samplers: dataclasses whose fields are their keys, with x `[n, n_in]` in float64 as their result.

Random samples come row by row from one private stream, so a run with fewer samples has the first rows of a longer one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kancli.errors import ConfigError
from kancli.inputs.formats import Separator
from kancli.schema import REQUIRED, Integer, Optional, Real, Several, Text, Truth, key
from kancli.seeding import MAX_SEED, stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator

    from kancli.inputs.table import ReadOptions, Table

COUNT = Integer(1, 10**9)
SOBOL_DIMENSIONS = 21201  # of the direction numbers that torch ships (Joe and Kuo 2008)
SOBOL_BITS = 30
MAX_MAGNITUDE = {"float32": 2.0**127, "float64": 2.0**1023}
MAX_DEVIATIONS = 40  # of a normal draw in float64 from its mean, with room to spare


class Sampler(ABC):
    """Base class of the samplers."""

    n: int | None
    random: ClassVar[bool] = True  # the samples depend on a seed
    seed: int | None = None  # of the samples, in place of the run's

    def count(self) -> int:
        """Number of samples."""
        return self.n or 0

    def faults(self, n_in: int, dtype: str = "float32") -> list[str]:
        """Reasons why this sampler cannot give `n_in` inputs of a number type, one line each."""
        return []

    def _stream(self, seed: int) -> Generator:
        return stream(seed if self.seed is None else self.seed, "inputs")

    @abstractmethod
    def sample(self, n_in: int, *, seed: int) -> np.ndarray:
        """The samples, `[n, n_in]`, float64."""

    def sample_each(self, n_in: int, *, seeds: Sequence[int]) -> np.ndarray:
        """The samples of each seed, `[s, n, n_in]`."""
        import numpy as np

        if not self.random or self.seed is not None:
            x = self.sample(n_in, seed=seeds[0])
            return np.broadcast_to(x, (len(seeds), *x.shape)).copy()
        return np.stack([self.sample(n_in, seed=seed) for seed in seeds])


def _seed_key() -> Any:
    return key(
        None,
        Optional(Integer(0, MAX_SEED)),
        "seed of the samples, for the same ones in all members and jobs; null: the run's",
        omit_default=True,
    )


@dataclass(frozen=True)
class Normal(Sampler):
    """Independent N(mean, std)."""

    n: int = key(100, COUNT, "number of samples")
    mean: float = key(0.0, Real(), "mean of each input")
    std: float = key(1.0, Real(low=0), "standard deviation of each input")
    seed: int | None = _seed_key()

    def faults(self, n_in: int, dtype: str = "float32") -> list[str]:
        if abs(self.mean) + MAX_DEVIATIONS * self.std >= MAX_MAGNITUDE[dtype]:
            return [f"inputs.mean={self.mean:g} inputs.std={self.std:g}: {_beyond(dtype)}"]
        return []

    def sample(self, n_in: int, *, seed: int) -> np.ndarray:
        return self.mean + self.std * self._stream(seed).standard_normal((self.n, n_in))


@dataclass(frozen=True)
class _Box(Sampler):
    n: int = key(100, COUNT, "number of samples")
    low: float = key(-1.0, Real(), "least value of each input")
    high: float = key(1.0, Real(), "greatest value of each input")

    def faults(self, n_in: int, dtype: str = "float32") -> list[str]:
        if not self.low < self.high:
            return [f"inputs.low={self.low:g} inputs.high={self.high:g}: allowed: low < high"]
        if max(abs(self.low), abs(self.high), self.high - self.low) >= MAX_MAGNITUDE[dtype]:
            return [f"inputs.low={self.low:g} inputs.high={self.high:g}: {_beyond(dtype)}"]
        return []

    def _scale(self, unit: np.ndarray) -> np.ndarray:
        """Map [0, 1] to [low, high]."""
        return self.low + (self.high - self.low) * unit


@dataclass(frozen=True)
class Uniform(_Box):
    """Independent U[low, high)."""

    seed: int | None = _seed_key()

    def sample(self, n_in: int, *, seed: int) -> np.ndarray:
        return self._scale(self._stream(seed).random((self.n, n_in)))


@dataclass(frozen=True)
class Sobol(_Box):
    """Sobol points in [low, high), with a random digital shift from the seed.

    Sobol (1967) with the direction numbers of Joe and Kuo (2008); the shift, an exclusive-or with one random word per
    dimension, keeps the net (Lemieux, Monte Carlo and Quasi-Monte Carlo Sampling, 2009, section 6.2.1).
    """

    seed: int | None = _seed_key()

    def faults(self, n_in: int, dtype: str = "float32") -> list[str]:
        faults = super().faults(n_in, dtype)
        if n_in > SOBOL_DIMENSIONS:
            faults.append(
                f"width={n_in}-...: inputs=sobol has at most {SOBOL_DIMENSIONS} dimensions; take inputs=uniform"
            )
        return faults

    def sample(self, n_in: int, *, seed: int) -> np.ndarray:
        import numpy as np
        import torch

        points = torch.quasirandom.SobolEngine(n_in).draw(self.n, dtype=torch.float64).numpy()
        words = (points * 2**SOBOL_BITS).astype(np.int64)
        shift = self._stream(seed).integers(2**SOBOL_BITS, size=n_in)
        return self._scale(((words ^ shift) + 0.5) / 2**SOBOL_BITS)


@dataclass(frozen=True)
class Mesh(_Box):
    """A regular mesh over [low, high] in every dimension, ends included; n must be an n_in-th power."""

    random: ClassVar[bool] = False

    def faults(self, n_in: int, dtype: str = "float32") -> list[str]:
        faults = super().faults(n_in, dtype)
        side = self._side(n_in)
        if side**n_in != self.n:
            options = [f"{m**n_in} ({m} a side)" for m in (side, side + 1) if m >= 1 and m**n_in <= COUNT.high]
            faults.append(
                f"inputs.n={self.n}: a mesh over {n_in} inputs has m^{n_in} points; type inputs.n="
                + " or ".join(options)
            )
        return faults

    def _side(self, n_in: int) -> int:
        """The largest m with m^n_in <= n."""
        side = max(1, round(math.exp(math.log(self.n) / n_in)))
        return side if side**n_in <= self.n else side - 1

    def sample(self, n_in: int, *, seed: int) -> np.ndarray:
        import numpy as np

        side = self._side(n_in)
        if side > 1:  # rounded as the spline's knots are, so that a mesh on the grid's knots has their bits
            steps = np.arange(side, dtype=np.float64)
            axis = (self.low * (side - 1 - steps) + self.high * steps) / (side - 1)
            axis[0], axis[-1] = self.low, self.high
        else:
            axis = np.array([(self.low + self.high) / 2])
        number = np.arange(self.n)
        return np.stack([axis[number // side**place % side] for place in range(n_in - 1, -1, -1)], axis=-1)


@dataclass(frozen=True)
class File(Sampler):
    """The rows of a file of numbers, one column an input: text such as CSV, .npy, .npz or .parquet."""

    random: ClassVar[bool] = False

    path: str = key(
        REQUIRED,
        Text("path of a .csv, .txt, .npy, .npz or .parquet file with one column per input"),
        "file to read the samples from",
    )
    n: int | None = key(None, Optional(COUNT), "take the first n rows; null takes them all")
    header: bool | None = key(
        None,
        Optional(Truth()),
        "whether the first row of a text file names its columns; null: where that is clear",
        omit_default=True,
    )
    sep: str | None = key(
        None,
        Optional(Separator()),
        "what separates the columns of a text file; null: as it is written",
        omit_default=True,
    )
    columns: tuple[str, ...] | None = key(
        None,
        Optional(Several(Text("a column's name or number"), at_least=1, example="[x,y] or [1,2]", bare=True)),
        "columns to read, by name or by number from 1, or names of arrays in a .npz file; null: all",
        omit_default=True,
    )

    def faults(self, n_in: int, dtype: str = "float32") -> list[str]:
        from kancli.inputs.files import read_table

        try:
            self.sample(n_in, seed=0)
            read_table(Path(self.path), self._options(), dtype=dtype)
        except ConfigError as error:
            return error.faults
        return []

    def count(self) -> int:
        return len(self.table().values[: self.n])

    def table(self) -> Table:
        """The numbers of the file, and how it was read.

        Raises:
            ConfigError: the file cannot be used; the message names file, row and column.
        """
        from kancli.inputs.files import read_table

        return read_table(Path(self.path), self._options())

    def _options(self) -> ReadOptions:
        from kancli.inputs.table import ReadOptions

        return ReadOptions(self.header, self.sep, self.columns)

    def sample(self, n_in: int, *, seed: int) -> np.ndarray:
        """The first n rows.

        Raises:
            ConfigError: as for `table`, or it has too few rows or another number of columns than there are inputs.
        """
        values = self.table().values
        if values.shape[1] != n_in:
            raise ConfigError(
                [
                    f"inputs.path={self.path}: has {values.shape[1]} columns, but width={n_in}-... takes {n_in}"
                    " inputs; choose with inputs.columns=[...], or change the first entry of width"
                ]
            )
        if self.n is not None and self.n > len(values):
            raise ConfigError([f"inputs.n={self.n}: {self.path} has only {len(values)} rows; leave inputs.n out"])
        return values[: self.n]


def _beyond(dtype: str) -> str:
    wider = "take dtype=float64 or smaller numbers" if dtype == "float32" else "take smaller numbers"
    return f"the samples are beyond the numbers of {dtype}; {wider}"


SAMPLERS: dict[str, type[Sampler]] = {
    "normal": Normal,
    "uniform": Uniform,
    "sobol": Sobol,
    "grid": Mesh,
    "file": File,
}
