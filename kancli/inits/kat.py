"""The variance-preserving law of the Kolmogorov-Arnold Transformer.

Yang and Wang, "Kolmogorov-Arnold Transformer" (arXiv 2409.10594); github.com/Adamdad/kat,
`katransformer.py`. There an edge is w_ij F(x_i) with F a rational function that starts as swish, GELU or the identity,
the same for a group of inputs, and w ~ N(0, gain^2/n_in) (torch's kaiming_normal) with gain^2 = Var[x]/E[F(x)^2] for
x ~ N(0, 1): 2.8178 for its fit of swish, where swish itself has 2.8108.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kancli.inits.laws import Constant, Law, Normal
from kancli.inits.scheme import LayerSize
from kancli.inits.variance_scaling import DISTRIBUTION, DISTRIBUTION_HELP, Balanced
from kancli.schema import Real, key


@dataclass(frozen=True)
class Kat(Balanced):
    """Keeps the mean square of the values at gain^2, the inputs' variance, from layer to layer.

    scale_base ~ N(0, gain sqrt((1 - p)/(n_in E[R^2]))); coef ~ N(0, gain sqrt(p/(n_in K mu0))), p = spline_share and
    mu0 the mean over the bases of E[B_m^2].

    Of the source, the weights w become scale_base and the function F the base function, trained through the splines,
    which start at 0 (p = 0). There F is learnt by groups of inputs and by layer; here every edge learns its own.
    """

    distribution: str | None = key("normal", DISTRIBUTION, DISTRIBUTION_HELP)
    spline_share: float = key(0.0, Real(0, 1), "the splines' share of the values' mean square")

    def _scale_base(self, size: LayerSize) -> Law:
        if self.spline_share == 1:
            return Constant(0.0)
        moment = self._checked_base(size, self._residual(size).value)
        return Normal(0.0, self._gain(size) * math.sqrt((1 - self.spline_share) / (size.n_in * moment)))

    def _coef(self, size: LayerSize) -> Law:
        if self.spline_share == 0:
            return Constant(0.0)
        moment = self._checked_bases(size, self._basis(size).mu0)
        share = self.spline_share / (size.n_in * size.n_basis * moment)
        return Normal(0.0, self._gain(size) * math.sqrt(share))


SCHEMES = {"kat": Kat}
