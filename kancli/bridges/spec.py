"""A network of splines as plain tensors, in kancli's layout: what every bridge reads and writes.

Shapes: i inputs, o outputs, K = G + k basis functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kancli.errors import ConfigError
from kancli.kan import splines


@dataclass(frozen=True)
class LayerSpec:
    """One layer: phi(x) = mask (scale_base b(x) + scale_sp sum_m coef_m B_m(x)) on each edge."""

    coef: Tensor  # [i, o, K]
    scale_base: Tensor  # [i, o]
    scale_sp: Tensor  # [i, o]
    knots: Tensor  # [i, K + k + 1]
    bias: Tensor | None = None  # [o]
    mask: Tensor | None = None  # [i, o]  bool, False for an edge that is off
    trains_scale: bool = True  # False where the library has no scale_sp, which then is 1
    eps: float = torch.finfo(torch.float32).eps  # of the dtype in which the knots were computed

    @property
    def n_in(self) -> int:
        return self.coef.shape[0]

    @property
    def n_out(self) -> int:
        return self.coef.shape[1]

    @property
    def k(self) -> int:
        return self.knots.shape[-1] - self.coef.shape[-1] - 1

    @property
    def grid(self) -> int:
        return self.coef.shape[-1] - self.k

    def masked(self, scale: Tensor) -> Tensor:
        """A scale `[i, o]` with 0 on edges that are off."""
        return scale if self.mask is None else scale.masked_fill(~self.mask, 0)

    def scaled_coef(self) -> Tensor:
        """Coefficients with scale_sp and mask multiplied in, for libraries that have no scale, `[i, o, K]`."""
        return self.coef * self.masked(self.scale_sp).unsqueeze(-1)

    def grid_range(self) -> tuple[float, float]:
        """The interval of the grid, over all inputs; without the rounding of the knots' dtype where it is decimal."""
        low, high = self.knots[:, self.k].min().item(), self.knots[:, -1 - self.k].max().item()
        return _decimal(low, self.rounding), _decimal(high, self.rounding)

    @property
    def rounding(self) -> float:
        """The most by which rounding moves a knot. A model of float64 may have been made in float32."""
        return 8 * self.eps * self.knots.abs().max().item()

    def has_uniform_grid(self) -> bool:
        """Whether all inputs share one uniform grid, but for rounding."""
        wanted = splines.extended_knots(self.grid_range(), self.grid, self.k)
        return bool((self.knots.double().cpu() - wanted).abs().max() <= self.rounding)


@dataclass(frozen=True)
class NetworkSpec:
    """A stack of layers, and their base function b(x)."""

    layers: tuple[LayerSpec, ...]
    base_fun: Callable[[Tensor], Tensor]
    base_name: str | None  # in `kan.base_functions`; None for a function of the user's own

    @property
    def width(self) -> tuple[int, ...]:
        return (self.layers[0].n_in, *(layer.n_out for layer in self.layers))


def fold_mask(mask: Tensor, spec: LayerSpec) -> LayerSpec:
    """Apply a mask of numbers `[i, o]`: 0 switches an edge off, and other factors than 1 go into the scales."""
    off = mask == 0
    factors = mask.masked_fill(off, 1)
    if (factors != 1).any():
        spec = replace(spec, scale_base=spec.scale_base * factors, scale_sp=spec.scale_sp * factors)
    return replace(spec, mask=~off) if off.any() else spec


def refuse_bias(spec: LayerSpec, library: str) -> None:
    """Check that a layer needs no bias, for a library without one.

    Raises:
        ConfigError: one of its biases is not 0.
    """
    if spec.bias is not None and (spec.bias != 0).any():
        raise ConfigError([f"bias: {library} has none, and the model's is not 0; set it to 0 before, or take another"])


def _decimal(value: float, rounding: float) -> float:
    """The number of fewest decimals that is within rounding of a value, or the value."""
    return next((rounded for digits in range(7) if abs((rounded := round(value, digits)) - value) <= rounding), value)
