"""efficient-kan: Cao, github.com/Blealtan/efficient-kan, `src/efficient_kan/kan.py`.

Output by input, `[o, i]`; with or without the standalone scale of the spline; no bias, no mask.
"""

from __future__ import annotations

from torch import Tensor

from kancli.bridges.layout import LayerTensors, Layout
from kancli.bridges.spec import LayerSpec, refuse_bias

TITLE = "efficient-kan"


def _knows(layer: LayerTensors) -> bool:
    return layer.has_axes(spline_weight=3, grid=2)


def _read(layer: LayerTensors) -> LayerSpec:
    weight = layer["spline_weight"]  # [o, i, K]
    n_out, n_in, _ = weight.shape
    scaler = layer.get("spline_scaler", n_out, n_in)
    scale_sp = weight.new_ones(n_in, n_out) if scaler is None else scaler.T
    base = layer.take("base_weight", n_out, n_in).T
    return LayerSpec(weight.transpose(0, 1), base, scale_sp, layer["grid"], trains_scale=scaler is not None)


def _write(spec: LayerSpec, like: LayerTensors | None) -> dict[str, Tensor]:
    refuse_bias(spec, TITLE)
    tensors = {"base_weight": spec.masked(spec.scale_base).T, "grid": spec.knots}
    if like is None or "spline_scaler" in like:
        tensors |= {"spline_weight": spec.coef.transpose(0, 1), "spline_scaler": spec.masked(spec.scale_sp).T}
    else:
        tensors["spline_weight"] = spec.scaled_coef().transpose(0, 1)
    return tensors


LAYOUT = Layout(
    library="efficient_kan",
    title=TITLE,
    names={name: f"{{}}.{name}" for name in ("base_weight", "spline_weight", "spline_scaler", "grid")},
    required=frozenset({"base_weight", "spline_weight", "grid"}),
    marker="spline_weight",
    knows=_knows,
    read=_read,
    write=_write,
    prefix="layers.",
    base_attribute="base_activation",
)
