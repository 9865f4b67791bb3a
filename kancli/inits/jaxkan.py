"""jaxKAN's schemes with laws in closed form, and what all of its schemes share.

github.com/srigas/jaxKAN 0.3.7, `jaxkan/layers/Spline.py`: c_res is scale_base, c_basis is coef, c_spl is scale_sp = 1,
and each node has a bias that starts at 0. K = G + k; a node sums n_in (K + 1) terms, or n_in K if the base function is
zero.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kancli.inits import jax_random
from kancli.inits.laws import Constant, Law, Normal, Uniform
from kancli.inits.scheme import STREAM, STREAM_HELP, LayerSize, Scheme
from kancli.schema import Optional, Real, key

if TYPE_CHECKING:
    import numpy as np


def terms_per_edge(size: LayerSize) -> int:
    """K + 1: one term for each basis and one for the base function, or K if that is zero."""
    return size.n_basis + (size.base_fun != "zero")


@dataclass(frozen=True)
class JaxKan(Scheme):
    """Base of the schemes: a law of the base function's weights and one of the bases' weights."""

    has_bias: ClassVar[bool] = True

    def laws(self, size: LayerSize) -> dict[str, Law]:
        return {
            "scale_base": Constant(0.0) if size.base_fun == "zero" else self._scale_base(size),
            "scale_sp": Constant(1.0),
            "coef": self._coef(size),
            "bias": Constant(0.0),
        }

    @abstractmethod
    def _scale_base(self, size: LayerSize) -> Law: ...

    @abstractmethod
    def _coef(self, size: LayerSize) -> Law: ...


@dataclass(frozen=True)
class _ClosedForm(JaxKan):
    """With `stream=source`, the numbers that jaxKAN draws for the seed, within rounding of float32.

    As there, every layer starts from the same key, so layers of one shape are equal.
    """

    def source_draws(self, sizes: Sequence[LayerSize], seed: int) -> list[dict[str, np.ndarray]] | None:
        if self.stream != "source":  # pyright: ignore[reportAttributeAccessIssue]
            return None
        return [self._source_layer(size, jax_random.key(seed)) for size in sizes]

    def _source_layer(self, size: LayerSize, root: jax_random.Key) -> dict[str, np.ndarray]:
        """In the library's order: c_spl, whose key is used up, c_res where there is one, c_basis."""
        import numpy as np

        shape, has_base = (size.n_out, size.n_in), size.base_fun != "zero"
        base = np.zeros(shape, np.float32)
        if has_base:
            base = self._source_base(size, jax_random.fold_in(root, 1), shape)
        basis_key = jax_random.fold_in(root, 1 + has_base)
        std = np.float32(self._coef(size).std)
        coef = jax_random.normal(basis_key, (size.n_out * size.n_in, size.n_basis)) * std
        return {
            "scale_base": base.T,
            "scale_sp": np.ones(shape[::-1], np.float32),
            "coef": coef.reshape(*shape, -1).swapaxes(0, 1),
            "bias": np.zeros(size.n_out, np.float32),
        }

    def _source_base(self, size: LayerSize, source_key: jax_random.Key, shape: tuple[int, int]) -> np.ndarray:
        return jax_random.normal(source_key, shape) * self._scale_base(size).std


@dataclass(frozen=True)
class Baseline(_ClosedForm):
    """The scheme of the KAN paper, and jaxKAN's default (Liu et al., arXiv 2404.19756, section 2.2).

    scale_base ~ U(±sqrt(6/(n_in + n_out))); coef ~ N(0, std), independent of n_in and G.
    """

    std: float = key(0.1, Real(low=0), "standard deviation of coef")
    stream: str = key("kancli", STREAM, STREAM_HELP, omit_default=True)

    def is_finite(self, size: LayerSize) -> bool:
        return True

    def _scale_base(self, size: LayerSize) -> Law:
        bound = math.sqrt(6 / (size.n_in + size.n_out))
        return Uniform(-bound, bound)

    def _coef(self, size: LayerSize) -> Law:
        return Normal(0.0, self.std)

    def _source_base(self, size: LayerSize, source_key: jax_random.Key, shape: tuple[int, int]) -> np.ndarray:
        return jax_random.uniform(source_key, shape) * self._scale_base(size).bounds[1]


@dataclass(frozen=True)
class PowerLaw(_ClosedForm):
    """scale_base ~ N(0, gain_base (n_in (K + 1))^-alpha); coef ~ N(0, gain_spline (n_in (K + 1))^-beta).

    The default exponents are those that the study recommends. With alpha_grid or beta_grid, n_in keeps its exponent
    and K + 1 has one of its own: n_in^-alpha (K + 1)^-alpha_grid.
    """

    alpha: float = key(0.25, Real(), "exponent of scale_base")
    beta: float = key(1.75, Real(), "exponent of coef")
    gain_base: float = key(1.0, Real(low=0), "factor on scale_base", omit_default=True)
    gain_spline: float = key(1.0, Real(low=0), "factor on coef", omit_default=True)
    alpha_grid: float | None = key(None, Optional(Real()), "exponent of K + 1 in scale_base; null: alpha",
                                   omit_default=True)  # fmt: skip
    beta_grid: float | None = key(None, Optional(Real()), "exponent of K + 1 in coef; null: beta", omit_default=True)
    stream: str = key("kancli", STREAM, STREAM_HELP, omit_default=True)

    def _scale_base(self, size: LayerSize) -> Law:
        return Normal(0.0, self.gain_base * _power(size, self.alpha, self.alpha_grid))

    def _coef(self, size: LayerSize) -> Law:
        return Normal(0.0, self.gain_spline * _power(size, self.beta, self.beta_grid))


def _power(size: LayerSize, exponent: float, exponent_of_grid: float | None) -> float:
    """n_in^-exponent (K + 1)^-exponent_of_grid."""
    terms = terms_per_edge(size)
    if exponent_of_grid is None:
        return (size.n_in * terms) ** -exponent
    return size.n_in**-exponent * terms**-exponent_of_grid


SCHEMES = {"baseline": Baseline, "power_law": PowerLaw}
