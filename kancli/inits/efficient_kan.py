"""The law of efficient-kan, as it is and with scales that grow the weights.

Cao, github.com/Blealtan/efficient-kan: `src/efficient_kan/kan.py`, `KANLinear.reset_parameters`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from kancli.inits.knot_noise import KnotNoise
from kancli.inits.laws import Law, Uniform
from kancli.inits.scheme import LayerSize, Scheme
from kancli.schema import Real, key


@dataclass(frozen=True)
class EfficientKan(Scheme):
    """The law of efficient-kan. Its base_weight is scale_base, its spline_scaler scale_sp, its spline_weight coef.

    With its knobs s_b = scale_base and s_s = scale_spline,
    scale_base ~ U(±sqrt(6/((1 + 5 s_b^2) n_in))): kaiming_uniform with a = sqrt(5) s_b;
    scale_sp   ~ U(±sqrt(6/((1 + 5 s_s^2) n_in)));
    coef       minimum-norm fit of noise U(±scale_noise/(2 G)) at the G + 1 knots.

    A larger scale gives smaller weights (the library's open issue 72): see `EfficientKanFixed`.
    """

    fits_knots: ClassVar[bool] = True

    scale_noise: float = key(0.1, Real(low=0), "full width of the noise at the knots, times G")
    scale_base: float = key(1.0, Real(low=0), "in efficient_kan: larger means smaller base weights")
    scale_spline: float = key(1.0, Real(low=0), "in efficient_kan: larger means smaller spline weights")

    def is_finite(self, size: LayerSize) -> bool:
        return True

    def laws(self, size: LayerSize) -> dict[str, Law]:
        base, spline = (
            self._half_width(scale) / math.sqrt(size.n_in) for scale in (self.scale_base, self.scale_spline)
        )
        return {
            "scale_base": Uniform(-base, base),
            "scale_sp": Uniform(-spline, spline),
            "coef": KnotNoise(self.scale_noise / (2 * size.grid), size.grid_range, size.grid, size.k),
        }

    def _half_width(self, scale: float) -> float:
        """Half-width of the uniform law, times sqrt(n_in)."""
        return math.sqrt(6 / (1 + 5 * scale**2))


@dataclass(frozen=True)
class EfficientKanFixed(EfficientKan):
    """The same law at its defaults, with weights that grow with their scale.

    scale_base ~ U(±s_b/sqrt(n_in)); scale_sp ~ U(±s_s/sqrt(n_in)), with s_b = scale_base and s_s = scale_spline;
    coef as in EfficientKan.
    """

    def _half_width(self, scale: float) -> float:
        return scale


SCHEMES = {"efficient_kan": EfficientKan, "efficient_kan_fixed": EfficientKanFixed}
