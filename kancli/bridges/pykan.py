"""pykan 0.2.8: Liu et al., github.com/KindXiaoming/pykan, `kan/MultKAN.py` and `kan/KANLayer.py`.

The affine maps of nodes are folded into the scales and the bias. Symbolic edges and multiplication nodes are refused.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kancli.bridges.layout import LayerTensors, Layout
from kancli.bridges.spec import LayerSpec, fold_mask
from kancli.errors import ConfigError

TITLE = "pykan 0.2.8"
SPLINES = ("coef", "scale_base", "scale_sp", "grid", "mask")
AFFINE = ("node_bias", "node_scale", "subnode_bias", "subnode_scale")


def _knows(layer: LayerTensors) -> bool:
    return layer.has_axes(coef=3, grid=2)


def _read(layer: LayerTensors) -> LayerSpec:
    coef = layer["coef"]  # [i, o, K]
    n_in, n_out, _ = coef.shape
    refuse_symbolic(layer, n_in, n_out)
    scale_base, scale_sp = (layer.take(name, n_in, n_out) for name in ("scale_base", "scale_sp"))
    knots = layer.take("grid", n_in, layer["grid"].shape[1])
    silent = (knots == knots[:, :1]).all(-1)
    if silent.any():  # update_grid on samples that do not vary: the library takes all bases for 0
        scale_sp = scale_sp.masked_fill(silent.unsqueeze(-1), 0)
        steps = torch.arange(knots.shape[-1], dtype=knots.dtype, device=knots.device)
        knots = torch.where(silent.unsqueeze(-1), knots + steps, knots)
    scale, bias = _affine(layer, n_out)
    if scale is not None:
        scale_base, scale_sp = scale_base * scale, scale_sp * scale
    spec = LayerSpec(coef, scale_base, scale_sp, knots, bias)
    mask = layer.get("mask", n_in, n_out)
    return spec if mask is None else fold_mask(mask, spec)


def _affine(layer: LayerTensors, n_out: int) -> tuple[Tensor | None, Tensor | None]:
    """Factor and bias `[o]` of node_scale (subnode_scale y + subnode_bias) + node_bias; None for 1 and 0.

    Raises:
        ConfigError: the layer has multiplication nodes, or a tensor is missing.
    """
    present = [name for name in AFFINE if name in layer]
    if not present:
        return None, None
    if missing := set(AFFINE) - set(present):
        layer.fail(present[0], f"is there, but {sorted(missing)[0]} is missing beside it")
    if layer.has_axes(node_bias=1, subnode_bias=1) and layer["node_bias"].shape != layer["subnode_bias"].shape:
        n_nodes = len(layer["node_bias"])
        layer.fail(
            "node_bias",
            f"{n_nodes} nodes from {n_out} sums: multiplication nodes have no counterpart in kancli;"
            " build the model without them",
        )
    bias, scale, inner_bias, inner_scale = (layer.take(name, n_out) for name in AFFINE)
    if (inner_bias != 0).any():
        bias = bias + scale * inner_bias
    factor = scale * inner_scale
    return factor if (factor != 1).any() else None, bias if (bias != 0).any() else None


def refuse_symbolic(layer: LayerTensors, n_in: int, n_out: int) -> None:
    """Check that no edge has a symbolic function.

    Raises:
        ConfigError: one has.
    """
    mask = layer.get("symbolic_mask", n_out, n_in)
    if mask is None:
        return
    active, affine = mask != 0, layer.get("symbolic_affine", n_out, n_in, 4)
    if affine is not None:  # of c f(a x + b) + d
        active &= (affine[..., 2:] != 0).any(-1)
    if active.any():
        target, source = active.nonzero()[0].tolist()
        layer.fail(
            "symbolic_mask",
            f"edge {source} to {target} has a symbolic function, of {int(active.sum())} such edges;"
            " they have no counterpart in kancli: type unfix_symbolic_all() in pykan first",
        )


def _write(spec: LayerSpec, like: LayerTensors | None) -> dict[str, Tensor]:
    edges, nodes = spec.scale_base, spec.coef.new_zeros(spec.n_out)
    mask = torch.ones_like(edges) if spec.mask is None else spec.mask.to(edges.dtype)
    tensors = {
        "coef": spec.coef,
        "scale_base": spec.scale_base,
        "scale_sp": spec.scale_sp,
        "grid": spec.knots,
        "mask": mask,
        "node_bias": nodes if spec.bias is None else spec.bias,
        "node_scale": nodes + 1,
        "subnode_bias": nodes,
        "subnode_scale": nodes + 1,
        "symbolic_mask": torch.zeros_like(edges.T),
    }
    if like is None:
        return tensors | {"symbolic_affine": edges.new_zeros(spec.n_out, spec.n_in, 4)}
    return {name: tensor for name, tensor in tensors.items() if name in like}


def _check_live(model: Any) -> None:
    inputs = getattr(model, "input_id", None)
    if inputs is not None and inputs.tolist() != list(range(len(inputs))):
        raise ConfigError(
            [f"input_id: the model takes inputs {inputs.tolist()} only (prune_input); select these columns before it"]
        )


LAYOUT = Layout(
    library="pykan",
    title=TITLE,
    names={name: f"act_fun.{{}}.{name}" for name in SPLINES}
    | {name: f"{name}_{{}}" for name in AFFINE}
    | {f"symbolic_{name}": f"symbolic_fun.{{}}.{name}" for name in ("mask", "affine")},
    required=frozenset({"coef", "scale_base", "scale_sp", "grid"}),
    marker="coef",
    knows=_knows,
    read=_read,
    write=_write,
    check_live=_check_live,
)
