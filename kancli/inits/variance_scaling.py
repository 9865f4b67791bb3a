"""The schemes of the initialisation study and of jaxKAN: normal weights scaled by second moments.

Rigas, Verma, Alexandridis and Wang, "Initialization Schemes for Kolmogorov-Arnold Networks" (arXiv 2509.03417, ICLR
2026); github.com/srigas/jaxKAN 0.3.7, `jaxkan/layers/Spline.py`. There c_res is scale_base, c_basis is coef, c_spl is
scale_sp = 1, and each node has a bias that starts at 0.

R is the base function and K = G + k; a node sums n_in (K + 1) terms, or n_in K if R is zero. The moments are exact
(`kancli.kan.quadrature`), whereas jaxKAN uses means over 10,000 samples.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kancli.inits.laws import Constant, Law, Normal, NormalByBasis, Uniform
from kancli.inits.scheme import LayerSize, Scheme
from kancli.schema import Choice, Optional, Real, key

if TYPE_CHECKING:
    from kancli.kan.quadrature import BaseMoments, BasisMoments


def _terms_per_edge(size: LayerSize) -> int:
    """K + 1: one term for each basis and one for the base function, or K if that is zero."""
    return size.n_basis + (size.base_fun != "zero")


@dataclass(frozen=True)
class _JaxKan(Scheme):
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
class Baseline(_JaxKan):
    """The scheme of the KAN paper, and jaxKAN's default (Liu et al., arXiv 2404.19756, section 2.2).

    scale_base ~ U(±sqrt(6/(n_in + n_out))); coef ~ N(0, std), independent of n_in and G.
    """

    std: float = key(0.1, Real(low=0), "standard deviation of coef")

    def _scale_base(self, size: LayerSize) -> Law:
        bound = math.sqrt(6 / (size.n_in + size.n_out))
        return Uniform(-bound, bound)

    def _coef(self, size: LayerSize) -> Law:
        return Normal(0.0, self.std)


@dataclass(frozen=True)
class PowerLaw(_JaxKan):
    """scale_base ~ N(0, (n_in (K + 1))^-alpha); coef ~ N(0, (n_in (K + 1))^-beta).

    The default exponents are those that the study recommends.
    """

    alpha: float = key(0.25, Real(), "exponent of scale_base")
    beta: float = key(1.75, Real(), "exponent of coef")

    def _scale_base(self, size: LayerSize) -> Law:
        return Normal(0.0, (size.n_in * _terms_per_edge(size)) ** -self.alpha)

    def _coef(self, size: LayerSize) -> Law:
        return Normal(0.0, (size.n_in * _terms_per_edge(size)) ** -self.beta)


@dataclass(frozen=True)
class _Balanced(_JaxKan):
    gain: float | None = key(
        None,
        Optional(Real(low=0)),
        "factor on all weights; null: the inputs' std, as in jaxKAN (1 in the paper's Glorot)",
    )
    distribution: str = key("uniform", Choice(("uniform", "normal")), "inputs that the law is for: U(-1, 1) or N(0, 1)")

    @property
    def _gain(self) -> float:
        if self.gain is not None:
            return self.gain
        return 1 / math.sqrt(3) if self.distribution == "uniform" else 1.0

    def _basis(self, size: LayerSize) -> BasisMoments:
        from kancli.kan.quadrature import basis_moments

        return basis_moments(size.grid_range, size.grid, size.k, self.distribution)

    def _residual(self, size: LayerSize) -> BaseMoments:
        from kancli.kan.quadrature import base_moments, moments_of

        if isinstance(size.base_fun, str):
            return base_moments(size.base_fun, self.distribution)
        return moments_of(size.base_fun, self.distribution)


@dataclass(frozen=True)
class Lecun(_Balanced):
    """All terms of a node's sum have equal second moments, which add up to the variance of an input.

    scale_base ~ N(0, gain/sqrt(n_in (K + 1) E[R^2])); coef ~ N(0, gain/sqrt(n_in (K + 1) mu0)), mu0 the mean over
    the bases of E[B_m^2].
    """

    def _scale_base(self, size: LayerSize) -> Law:
        return Normal(0.0, self._gain / math.sqrt(size.n_in * _terms_per_edge(size) * self._residual(size).value))

    def _coef(self, size: LayerSize) -> Law:
        return Normal(0.0, self._gain / math.sqrt(size.n_in * _terms_per_edge(size) * self._basis(size).mu0))


@dataclass(frozen=True)
class LecunNorm(Lecun):
    """Lecun for bases that are standardised over the batch in every forward pass: (B_m - mean)/sqrt(var + 1e-5).

    scale_base as Lecun; coef ~ N(0, gain/sqrt(n_in (K + 1))).
    """

    standardises: ClassVar[bool] = True

    def _coef(self, size: LayerSize) -> Law:
        return Normal(0.0, self._gain / math.sqrt(size.n_in * _terms_per_edge(size)))


@dataclass(frozen=True)
class Glorot(_Balanced):
    """A compromise between the variance of the values forward and that of the gradients backward.

    scale_base ~ N(0, gain sqrt(2/((K + 1)(n_in E[R^2] + n_out E[R'^2]))));
    coef       ~ N(0, gain sqrt(2/((K + 1)(n_in mu0 + n_out mu1)))), mu1 the mean over the bases of E[B_m'^2].
    """

    def _scale_base(self, size: LayerSize) -> Law:
        moments = self._residual(size)
        both = size.n_in * moments.value + size.n_out * moments.slope
        return Normal(0.0, self._gain * math.sqrt(2 / (_terms_per_edge(size) * both)))

    def _coef(self, size: LayerSize) -> Law:
        moments = self._basis(size)
        both = size.n_in * moments.mu0 + size.n_out * moments.mu1
        return Normal(0.0, self._gain * math.sqrt(2 / (_terms_per_edge(size) * both)))


@dataclass(frozen=True)
class GlorotFine(Glorot):
    """Glorot with a standard deviation for each basis (arXiv 2510.23501).

    scale_base as Glorot; coef_m ~ N(0, gain sqrt(1/((K + 1)(n_in E[B_m^2] + n_out E[B_m'^2])))).
    """

    def _coef(self, size: LayerSize) -> Law:
        moments = self._basis(size)
        both = size.n_in * moments.values + size.n_out * moments.slopes
        return NormalByBasis(tuple(self._gain / math.sqrt(_terms_per_edge(size) * moment) for moment in both))


SCHEMES = {
    "baseline": Baseline,
    "lecun": Lecun,
    "lecun_norm": LecunNorm,
    "glorot": Glorot,
    "glorot_fine": GlorotFine,
    "power_law": PowerLaw,
}
