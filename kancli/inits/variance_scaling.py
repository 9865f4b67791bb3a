"""The schemes of the initialisation study that scale normal weights by second moments.

Rigas, Verma, Alexandridis and Wang, "Initialization Schemes for Kolmogorov-Arnold Networks" (arXiv 2509.03417, ICLR
2026); github.com/srigas/jaxKAN 0.3.7, `jaxkan/layers/Spline.py`.

R is the base function and K = G + k; a node sums n_in (K + 1) terms, or n_in K if R is zero. The moments are exact
(`kancli.kan.quadrature`), whereas jaxKAN uses means over 10,000 samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from kancli.inits.jaxkan import JaxKan, terms_per_edge
from kancli.inits.laws import Law, Normal, NormalByBasis
from kancli.inits.scheme import LawError, LayerSize
from kancli.schema import Choice, Optional, Real, key

if TYPE_CHECKING:
    from typing_extensions import Self

    from kancli.kan.quadrature import BaseMoments, BasisMoments

UNIT_INTERVAL = (-1.0, 1.0)
DISTRIBUTION = Optional(Choice(("uniform", "normal", "grid")))
DISTRIBUTION_HELP = (
    "inputs that the law is for: U(-1, 1), N(0, 1), or U over grid.range; null: uniform on [-1, 1], else grid"
)


@dataclass(frozen=True)
class Balanced(JaxKan):
    """Base of the schemes whose weights depend on second moments over the inputs."""

    gain: float | None = key(
        None,
        Optional(Real(low=0)),
        "factor on all weights; null: the inputs' std, as in jaxKAN (1 in the paper's Glorot)",
    )
    distribution: str | None = key(
        None,
        DISTRIBUTION,
        DISTRIBUTION_HELP,
    )

    def with_defaults_for(self, grid_range: tuple[float, float]) -> Self:
        return replace(self, distribution=self._distribution(grid_range))

    def is_finite(self, size: LayerSize) -> bool:
        return size.grid_range == UNIT_INTERVAL  # no basis and no base function is 0 everywhere on it

    def _distribution(self, grid_range: tuple[float, float]) -> str:
        return self.distribution or ("uniform" if grid_range == UNIT_INTERVAL else "grid")

    def _gain(self, size: LayerSize) -> float:
        if self.gain is not None:
            return self.gain
        low, high = size.grid_range
        return {"uniform": 1 / math.sqrt(3), "normal": 1.0, "grid": (high - low) / math.sqrt(12)}[
            self._distribution(size.grid_range)
        ]

    def _basis(self, size: LayerSize) -> BasisMoments:
        from kancli.kan.quadrature import basis_moments

        return basis_moments(size.grid_range, size.grid, size.k, self._distribution(size.grid_range))

    def _residual(self, size: LayerSize) -> BaseMoments:
        from kancli.kan.quadrature import base_moments, moments_of

        distribution = self._distribution(size.grid_range)
        if isinstance(size.base_fun, str):
            return base_moments(size.base_fun, distribution, size.grid_range)
        return moments_of(size.base_fun, distribution, size.grid_range)

    def remarks(self, size: LayerSize) -> list[str]:
        origin = "the inputs' std" if self.gain is None else "as given"
        return [
            f"gain {self._gain(size):.6g}: {origin}",
            f"second moments for {self._inputs(size)}: exact, by quadrature (jaxKAN: means over 10,000 samples)",
        ]

    def _checked(self, size: LayerSize, moment: float, name: str) -> float:
        """A moment that the law divides by.

        Raises:
            LawError: it is 0, or overflows.
        """
        if 0 < moment < math.inf:
            return moment
        problem = "overflows float64" if moment else "is 0"
        hint = "" if self._distribution(size.grid_range) == "grid" else "distribution=grid or "
        raise LawError(f"the mean square of {name} {problem} for {self._inputs(size)}; take {hint}another grid.range")

    def _checked_base(self, size: LayerSize, moment: float) -> float:
        return self._checked(size, moment, f"base_fun={size.base_fun}" if isinstance(size.base_fun, str) else "b(x)")

    def _checked_bases(self, size: LayerSize, moment: float) -> float:
        return self._checked(size, moment, "every basis")

    def _inputs(self, size: LayerSize) -> str:
        low, high = size.grid_range
        laws = {"uniform": "U(-1, 1)", "normal": "N(0, 1)", "grid": f"U({low:g}, {high:g})"}
        return f"x ~ {laws[self._distribution(size.grid_range)]}"


@dataclass(frozen=True)
class Lecun(Balanced):
    """All terms of a node's sum have equal second moments, which add up to the variance of an input.

    scale_base ~ N(0, gain/sqrt(n_in (K + 1) E[R^2])); coef ~ N(0, gain/sqrt(n_in (K + 1) mu0)), mu0 the mean over
    the bases of E[B_m^2].
    """

    def _scale_base(self, size: LayerSize) -> Law:
        moment = self._checked_base(size, self._residual(size).value)
        return Normal(0.0, self._gain(size) / math.sqrt(size.n_in * terms_per_edge(size) * moment))

    def _coef(self, size: LayerSize) -> Law:
        moment = self._checked_bases(size, self._basis(size).mu0)
        return Normal(0.0, self._gain(size) / math.sqrt(size.n_in * terms_per_edge(size) * moment))


@dataclass(frozen=True)
class LecunNorm(Lecun):
    """Lecun for bases that are standardised over the batch in every forward pass: (B_m - mean)/sqrt(var + 1e-5).

    scale_base as Lecun; coef ~ N(0, gain/sqrt(n_in (K + 1))).
    """

    standardises: ClassVar[bool] = True

    def _coef(self, size: LayerSize) -> Law:
        return Normal(0.0, self._gain(size) / math.sqrt(size.n_in * terms_per_edge(size)))


@dataclass(frozen=True)
class Glorot(Balanced):
    """A compromise between the variance of the values forward and that of the gradients backward.

    scale_base ~ N(0, gain sqrt(2/((K + 1)(n_in E[R^2] + n_out E[R'^2]))));
    coef       ~ N(0, gain sqrt(2/((K + 1)(n_in mu0 + n_out mu1)))), mu1 the mean over the bases of E[B_m'^2].
    """

    def _scale_base(self, size: LayerSize) -> Law:
        moments = self._residual(size)
        both = self._checked_base(size, size.n_in * moments.value + size.n_out * moments.slope)
        return Normal(0.0, self._gain(size) * math.sqrt(2 / (terms_per_edge(size) * both)))

    def _coef(self, size: LayerSize) -> Law:
        moments = self._basis(size)
        both = self._checked_bases(size, size.n_in * moments.mu0 + size.n_out * moments.mu1)
        return Normal(0.0, self._gain(size) * math.sqrt(2 / (terms_per_edge(size) * both)))


@dataclass(frozen=True)
class GlorotFine(Glorot):
    """Glorot with a standard deviation for each basis (arXiv 2510.23501).

    scale_base as Glorot; coef_m ~ N(0, gain sqrt(1/((K + 1)(n_in E[B_m^2] + n_out E[B_m'^2])))).
    """

    def _coef(self, size: LayerSize) -> Law:
        moments = self._basis(size)
        both = size.n_in * moments.values + size.n_out * moments.slopes
        checked = (self._checked(size, moment, f"basis {m} of {len(both)}") for m, moment in enumerate(both))
        gain, terms = self._gain(size), terms_per_edge(size)
        return NormalByBasis(tuple(gain / math.sqrt(terms * moment) for moment in checked))


SCHEMES = {
    "lecun": Lecun,
    "lecun_norm": LecunNorm,
    "glorot": Glorot,
    "glorot_fine": GlorotFine,
}
