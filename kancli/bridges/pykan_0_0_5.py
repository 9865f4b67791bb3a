"""pykan 0.0.1 to 0.0.5: Liu et al., github.com/KindXiaoming/pykan, `kan/KAN.py` and `kan/KANLayer.py` of that time.

One row for each edge, row j n_in + i for the edge from input i to output j; the grid without the knots beyond its ends,
which the library adds at each evaluation; a bias for each node.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kancli.bridges.layout import LayerTensors, Layout
from kancli.bridges.pykan import SPLINES, refuse_symbolic
from kancli.bridges.spec import LayerSpec, fold_mask
from kancli.errors import ConfigError

TITLE = "pykan 0.0.5"


def _knows(layer: LayerTensors) -> bool:
    return layer.has_axes(coef=2, grid=2, bias=2) and layer["bias"].shape[1] > 0


def _read(layer: LayerTensors) -> LayerSpec:
    size, n_basis = layer["coef"].shape
    n_out = layer["bias"].shape[1]
    n_in = size // n_out
    if n_in * n_out != size:
        layer.fail("coef", f"has {size} rows, which {n_out} outputs do not divide")

    def by_edge(rows: Tensor) -> Tensor:
        return rows.reshape(n_out, n_in, *rows.shape[1:]).transpose(0, 1)

    refuse_symbolic(layer, n_in, n_out)
    grid = layer["grid"]  # [o i, G + 1]
    k = n_basis - grid.shape[-1] + 1
    by_input = by_edge(layer.take("grid", size, n_basis - k + 1))
    if (by_input != by_input[:, :1]).any():
        layer.fail("grid", "its rows differ between the edges of one input; kancli has one grid for each input")
    scale_base, scale_sp = (by_edge(layer.take(name, size)) for name in ("scale_base", "scale_sp"))
    bias = layer.take("bias", 1, n_out)[0]
    bias = bias if (bias != 0).any() else None
    spec = LayerSpec(by_edge(layer["coef"]), scale_base, scale_sp, _extended(by_input[:, 0], k), bias)
    mask = layer.get("mask", size)
    return spec if mask is None else fold_mask(by_edge(mask), spec)


def _extended(inner: Tensor, k: int) -> Tensor:
    """`[i, G + 1]` with k more knots on each side, at the mean step and one after the other as in the library."""
    step = (inner[:, -1:] - inner[:, :1]) / (inner.shape[1] - 1)
    for _ in range(k):
        inner = torch.cat([inner[:, :1] - step, inner, inner[:, -1:] + step], dim=1)
    return inner


def _write(spec: LayerSpec, like: LayerTensors | None) -> dict[str, Tensor]:
    def flat(edges: Tensor) -> Tensor:
        return edges.transpose(0, 1).flatten(0, 1)

    inner = spec.knots[:, spec.k : spec.knots.shape[1] - spec.k]
    if ((_extended(inner, spec.k) - spec.knots).abs() > spec.rounding).any():
        raise ConfigError([f"knots: {TITLE} continues a grid at its mean step, which this one's outer knots do not"])
    mask = torch.ones_like(spec.scale_base) if spec.mask is None else spec.mask.to(spec.scale_base.dtype)
    tensors = {
        "coef": flat(spec.coef),
        "scale_base": flat(spec.scale_base),
        "scale_sp": flat(spec.scale_sp),
        "mask": flat(mask),
        "grid": inner.expand(spec.n_out, *inner.shape).flatten(0, 1),
        "bias": (spec.coef.new_zeros(spec.n_out) if spec.bias is None else spec.bias).unsqueeze(0),
        "symbolic_mask": torch.zeros_like(spec.scale_base.T),
    }
    if like is None:
        return tensors | {"symbolic_affine": spec.coef.new_zeros(spec.n_out, spec.n_in, 4)}
    return {name: tensor for name, tensor in tensors.items() if name in like}


def _check_live(model: Any) -> None:
    for number, layer in enumerate(getattr(model, "act_fun", ())):
        rows = layer.weight_sharing
        if (rows != torch.arange(len(rows), device=rows.device)).any():
            raise ConfigError([f"act_fun.{number}: edges that share parameters (lock) have no counterpart in kancli"])


LAYOUT = Layout(
    library="pykan_0_0_5",
    title=TITLE,
    names={name: f"act_fun.{{}}.{name}" for name in SPLINES}
    | {"bias": "biases.{}.weight"}
    | {f"symbolic_{name}": f"symbolic_fun.{{}}.{name}" for name in ("mask", "affine")},
    required=frozenset({"coef", "scale_base", "scale_sp", "grid", "bias"}),
    marker="coef",
    knows=_knows,
    read=_read,
    write=_write,
    check_live=_check_live,
)
