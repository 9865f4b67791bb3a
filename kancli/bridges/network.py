"""Between `NetworkSpec` and the KAN of kancli."""

from __future__ import annotations

import torch

from kancli.bridges.spec import LayerSpec, NetworkSpec
from kancli.errors import ConfigError
from kancli.kan.layer import KANLayer
from kancli.kan.network import KAN


@torch.no_grad()
def build(spec: NetworkSpec) -> KAN:
    """A KAN with the functions of a spec. Its layers share a grid where that is theirs to the bit. A scale that the
    library lacks does not train.

    Raises:
        ConfigError: the layers differ in the number of grid intervals or in order.
    """
    sizes = sorted({(layer.grid, layer.k) for layer in spec.layers})
    if len(sizes) > 1:
        shown = " and ".join(f"grid={grid}, k={k}" for grid, k in sizes)
        raise ConfigError([f"layers of {shown}: a KAN here has one grid and k for all layers; refine them to one"])
    ((grid, k),) = sizes
    like = spec.layers[0].coef
    model = KAN(
        spec.width,
        grid=grid,
        k=k,
        base_fun=spec.base_fun,
        base_name=spec.base_name,
        grid_range=_grid_range(spec),
        bias=any(layer.bias is not None for layer in spec.layers),
        masked=any(layer.mask is not None for layer in spec.layers),
        dtype=like.dtype,
        device=like.device,
    )
    for layer, given in zip(model.layers, spec.layers, strict=True):
        for name in ("coef", "scale_base", "scale_sp"):
            getattr(layer, name).copy_(getattr(given, name))
        layer.scale_sp.requires_grad_(given.trains_scale)
        if layer.bias is not None:
            layer.bias.copy_(torch.zeros_like(layer.bias) if given.bias is None else given.bias)
        if layer.mask is not None and given.mask is not None:
            layer.mask.copy_(given.mask)
        if (given.knots != layer.knots).any():
            layer.use_per_input_knots_()
            layer.knots.copy_(given.knots)
    if len({layer.per_input_knots for layer in model.layers}) > 1:
        for layer in model.layers:
            if not layer.per_input_knots:
                layer.use_per_input_knots_()
    return model


def _grid_range(spec: NetworkSpec) -> tuple[float, float]:
    lows, highs = zip(*(layer.grid_range() for layer in spec.layers), strict=True)
    return min(lows), max(highs)


def spec_of(model: KAN) -> NetworkSpec:
    """The tensors of a KAN.

    Raises:
        ConfigError: it has several members, or standardises its bases.
    """
    if model.n_members is not None:
        raise ConfigError([f"the model has {model.n_members} members; give one of them: model.member(0)"])
    first = model.layers[0]
    if first.standardise:
        raise ConfigError(["the model standardises its bases over each batch, which no other library does"])
    return NetworkSpec(tuple(map(_layer_spec, model.layers)), first.base_fun, first.base_name)


def _layer_spec(layer: KANLayer) -> LayerSpec:
    knots = layer.knots if layer.per_input_knots else layer.knots.expand(layer.n_in, -1)
    bias = None if layer.bias is None else layer.bias.detach()
    parameters = (layer.coef.detach(), layer.scale_base.detach(), layer.scale_sp.detach())
    return LayerSpec(*parameters, knots, bias, layer.mask)
