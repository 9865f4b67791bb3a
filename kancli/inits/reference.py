"""The reference's law, kancli's default: "Demo 5: Initialization Hyperparameters" of pykan's documentation.

pykan's code implements other laws (see `pykan`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kancli.inits.laws import Constant, Law, Normal, Uniform
from kancli.inits.scheme import LayerSize, Scheme
from kancli.schema import Real, key


@dataclass(frozen=True)
class Reference(Scheme):
    r"""phi(x) = scale_base b(x) + scale_sp spline(x) with

    scale_base = 1/sqrt(n_in) + e, e ~ U[-noise_scale_base, noise_scale_base];
    scale_sp   = 1;
    coef       independent, N(0, noise_scale / G), with noise_scale / G the standard deviation.

    Source: Liu et al., pykan documentation, "API Demo 5: Initialization Hyperparameters" (2024).
    """

    noise_scale: float = key(
        0.1, Real(low=0), "standard deviation of the spline coefficients, times the number of grid intervals G"
    )
    noise_scale_base: float = key(0.1, Real(low=0), "half-width of the uniform noise about 1/sqrt(n_in) in scale_base")

    def is_finite(self, size: LayerSize) -> bool:
        return True

    def laws(self, size: LayerSize) -> dict[str, Law]:
        centre = 1 / math.sqrt(size.n_in)
        return {
            "scale_base": Uniform(centre - self.noise_scale_base, centre + self.noise_scale_base),
            "scale_sp": Constant(1.0),
            "coef": Normal(0.0, self.noise_scale / size.grid),
        }


SCHEMES = {"default": Reference}
