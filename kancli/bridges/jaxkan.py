"""jaxKAN 0.3: Rigas and Papachristou, github.com/srigas/jaxKAN, `jaxkan/layers/Spline.py`.

Output by input, `[o, i]`. SplineLayer has one row of knots for each input; BaseLayer has one row of coefficients and
knots for each edge, row o n_in + i. The spline's scale, the residual and the bias are optional; no mask.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kancli.bridges.layout import LayerTensors, Layout
from kancli.bridges.spec import LayerSpec, refuse_bias
from kancli.errors import ConfigError

TITLE = "jaxKAN"
WEIGHTS = ("c_spl", "c_res")  # [o, i] each, which a BaseLayer's sizes are known by


def _is_flat(layer: LayerTensors) -> bool:
    return layer["c_basis"].dim() == 2


def _knows(layer: LayerTensors) -> bool:
    if not layer.has_axes(grid=2) or layer["c_basis"].dim() not in (2, 3):
        return False
    if layer["grid"].shape[1] <= layer["c_basis"].shape[-1]:
        return False  # radial basis functions have a grid of as many centres
    return not _is_flat(layer) or _n_out(layer) > 0


def _n_out(layer: LayerTensors) -> int:
    """The number of outputs of a BaseLayer; 0 if none of its tensors tells."""
    return next((len(layer[name]) for name in (*WEIGHTS, "bias") if name in layer and layer[name].dim()), 0)


def _read(layer: LayerTensors) -> LayerSpec:
    coef, grid = layer["c_basis"], layer["grid"]
    if _is_flat(layer):
        n_out = _n_out(layer)
        if coef.shape[0] % n_out:
            layer.fail("c_basis", f"has {coef.shape[0]} rows, which {n_out} outputs do not divide")
        by_edge = layer.take("grid", coef.shape[0], grid.shape[1]).reshape(n_out, -1, grid.shape[1])
        if (by_edge != by_edge[:1]).any():
            layer.fail("grid", "its rows differ between the edges of one input; kancli has one grid for each input")
        coef, grid = coef.reshape(n_out, -1, coef.shape[1]), by_edge[0]
    n_out, n_in, _ = coef.shape
    scale_sp, scale_base = (layer.get(name, n_out, n_in) for name in WEIGHTS)
    edges = coef.new_ones(n_in, n_out)
    bias = layer.get("bias", n_out)
    return LayerSpec(
        coef.transpose(0, 1),
        0 * edges if scale_base is None else scale_base.T,
        edges if scale_sp is None else scale_sp.T,
        grid,
        bias,
        trains_scale=scale_sp is not None,
    )


def _write(spec: LayerSpec, like: LayerTensors | None) -> dict[str, Tensor]:
    coef, scale_base = spec.coef, spec.masked(spec.scale_base)
    tensors: dict[str, Tensor] = {}
    if like is None or "c_spl" in like:
        tensors["c_spl"] = spec.masked(spec.scale_sp).T
    else:
        coef = spec.scaled_coef()
    if like is None or "c_res" in like:
        tensors["c_res"] = scale_base.T
    elif (scale_base != 0).any():
        raise ConfigError([f"scale_base: the {TITLE} model has no residual, and this one's base function is not zero"])
    if like is None or "bias" in like:
        tensors["bias"] = coef.new_zeros(spec.n_out) if spec.bias is None else spec.bias
    else:
        refuse_bias(spec, f"the {TITLE} model")
    coef, grid = coef.transpose(0, 1), spec.knots
    if like is None or _is_flat(like):
        coef, grid = coef.flatten(0, 1), torch.cat([grid] * spec.n_out)
    return tensors | {"c_basis": coef, "grid": grid}


LAYOUT = Layout(
    library="jaxkan",
    title=TITLE,
    names={name: f"{{}}.{name}" for name in ("c_basis", "c_spl", "c_res", "bias")} | {"grid": "{}.grid.item"},
    required=frozenset({"c_basis", "grid"}),
    marker="c_basis",
    knows=_knows,
    read=_read,
    write=_write,
    prefix="layers.",
    base_attribute="residual",
    base_tensor="c_res",
    missing_hint="; only BaseLayer and SplineLayer can be read, and flax's state lacks their grid.item: add it",
    ignored=frozenset({"rngs"}),
)
