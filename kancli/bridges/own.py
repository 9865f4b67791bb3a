"""kancli's own models, and the files params.safetensors and trained.safetensors of a run with one member.

Models that standardise their bases are refused: their tensors are the same, and what they compute is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from kancli.bridges.layout import LayerTensors, Layout
from kancli.bridges.spec import LayerSpec
from kancli.errors import ConfigError
from kancli.kan.basis_statistics import STANDARDISED

TITLE = "kancli"
REFUSED = (
    "the model standardises its bases over each batch, which its tensors do not carry; a run's: kancli.KAN.load(RUN)"
)


def _knows(layer: LayerTensors) -> bool:
    return layer["coef"].dim() in (3, 4) and layer["knots"].dim() in (1, 2, 3)


def _read(layer: LayerTensors) -> LayerSpec:
    coef = layer["coef"]
    if coef.dim() == 4:
        layer.fail("coef", f"has {len(coef)} members; a single model is wanted: save one member")
    n_in, n_out = coef.shape[:2]
    knots = layer["knots"]
    knots = layer.take("knots", *([n_in] * (knots.dim() > 1)), knots.shape[-1]).expand(n_in, -1)
    scale_base, scale_sp = (layer.take(name, n_in, n_out) for name in ("scale_base", "scale_sp"))
    mask = layer.get("mask", n_in, n_out)
    mask = None if mask is None else mask.bool()
    return LayerSpec(coef, scale_base, scale_sp, knots, layer.get("bias", n_out), mask)


def _write(spec: LayerSpec, like: LayerTensors | None) -> dict[str, Tensor]:
    tensors = {"coef": spec.coef, "scale_base": spec.scale_base, "scale_sp": spec.scale_sp, "knots": spec.knots}
    if like is not None and like["knots"].dim() == 1:
        if (spec.knots != spec.knots[:1]).any():
            raise ConfigError(["knots: they differ by input, and the model to fill has one grid for all inputs"])
        tensors["knots"] = spec.knots[0]
    mask = torch.ones_like(spec.scale_base, dtype=torch.bool) if spec.mask is None else spec.mask
    if spec.mask is not None if like is None else "mask" in like:
        tensors["mask"] = mask
    elif not mask.all():
        tensors |= {"scale_base": spec.masked(spec.scale_base), "scale_sp": spec.masked(spec.scale_sp)}
    bias = spec.coef.new_zeros(spec.n_out) if spec.bias is None else spec.bias
    if spec.bias is not None if like is None else "bias" in like:
        tensors["bias"] = bias
    elif (bias != 0).any():
        raise ConfigError(["bias: the model to fill has none, and this one's is not 0"])
    return tensors


def check_metadata(metadata: Any) -> None:
    """Check the metadata of tensors: of a safetensors file, or those that torch gives to a state dict for each module.

    Raises:
        ConfigError: their model standardises its bases.
    """
    entries = metadata if isinstance(metadata, Mapping) else {}
    modules = [entry for entry in entries.values() if isinstance(entry, Mapping)]
    if any(STANDARDISED in names for names in (entries, *modules)):
        raise ConfigError([REFUSED])


def _check_live(layers: Any) -> None:
    if any(getattr(layer, "standardise", False) for layer in layers):
        raise ConfigError([REFUSED])


LAYOUT = Layout(
    library="kancli",
    title=TITLE,
    names={name: f"{{}}.{name}" for name in ("coef", "scale_base", "scale_sp", "knots", "bias", "mask")},
    required=frozenset({"coef", "scale_base", "scale_sp", "knots"}),
    marker="coef",
    knows=_knows,
    read=_read,
    write=_write,
    prefix="layers.",
    check_live=_check_live,
)
