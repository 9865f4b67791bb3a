"""inkan 0.5: Mysore, github.com/NAVEENMN/inkan, `inkan/layer.py`.

One weight for spline and base part, `[o, i K + i]`, on a fixed uniform grid; k = 3; no scales, bias or mask.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kancli.bridges.layout import LayerTensors, Layout
from kancli.bridges.spec import LayerSpec, refuse_bias
from kancli.errors import ConfigError

TITLE = "inkan"
K = 3


def _knows(layer: LayerTensors) -> bool:
    return layer.has_axes(weight=2, grid_starts=1) and len(layer["grid_starts"]) > K


def _read(layer: LayerTensors) -> LayerSpec:
    starts, weight = layer["grid_starts"], layer["weight"]
    n_basis, n_out = len(starts), len(weight)
    n_in, rest = divmod(weight.shape[1], n_basis + 1)
    if rest or not n_in:
        layer.fail(
            "weight",
            f"has {weight.shape[1]} columns, no multiple of {n_basis + 1}; kancli has no counterpart of dim=2",
        )
    coef, base = weight.split([n_in * n_basis, n_in], dim=1)
    coef = coef.reshape(n_out, n_in, n_basis).transpose(0, 1)
    ones = torch.ones_like(base.T)
    return LayerSpec(coef, base.T, ones, _knots(starts).expand(n_in, -1), trains_scale=False)


def _knots(starts: Tensor) -> Tensor:
    """`[K + k + 1]` from the first K, which carry the rounding of their dtype: at equal steps in float64."""
    first, last = starts[0].double(), starts[-1].double()
    numbers = torch.arange(len(starts) + K + 1, dtype=torch.float64, device=starts.device)
    return (first + (last - first) / (len(starts) - 1) * numbers).to(starts.dtype)


def _write(spec: LayerSpec, like: LayerTensors | None) -> dict[str, Tensor]:
    refuse_bias(spec, TITLE)
    if spec.k != K:
        raise ConfigError([f"k={spec.k}: {TITLE} has k=3 only"])
    if not spec.has_uniform_grid():
        raise ConfigError([f"knots: {TITLE} has one uniform grid for all inputs, and this model's is none"])
    if like is None:
        low, high = spec.grid_range()
        step = (high - low) / spec.grid
        starts = torch.arange(spec.coef.shape[-1], dtype=spec.coef.dtype) * step + low - K * step
    else:
        starts = like["grid_starts"]
        if len(starts) == spec.coef.shape[-1]:  # of another length it is refused by its shape
            _check_same_grid(starts, spec)
        else:
            starts = spec.knots[0, : spec.coef.shape[-1]]
    coef = spec.scaled_coef().transpose(0, 1).flatten(1)
    return {"weight": torch.cat([coef, spec.masked(spec.scale_base).T], dim=1), "grid_starts": starts}


def _check_same_grid(starts: Tensor, spec: LayerSpec) -> None:
    """Check the grid of a model to fill, which keeps the inverse step outside its tensors.

    Raises:
        ConfigError: it is another.
    """
    theirs, ours = _knots(starts.to(spec.knots)), spec.knots[0]
    if ((theirs - ours).abs() > spec.rounding).any():
        low, high = spec.grid_range()
        raise ConfigError([f"grid_range: another than ({low:g}, {high:g}); {TITLE}'s is fixed: build it with this one"])


LAYOUT = Layout(
    library="inkan",
    title=TITLE,
    names={"weight": "{}.weight", "grid_starts": "{}.grid_starts"},
    required=frozenset({"weight", "grid_starts"}),
    marker="weight",
    knows=_knows,
    read=_read,
    write=_write,
    prefix="layers.",
    base_attribute="base_activation",
)
