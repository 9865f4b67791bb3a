"""The initialisation schemes: one file a family, the table of all of them here, and the one place that draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kancli.inits.reference import Reference
from kancli.inits.scheme import LayerSize, Scheme
from kancli.seeding import stream

if TYPE_CHECKING:
    from torch import Tensor

    from kancli.model import KAN, KANLayer

SCHEMES: dict[str, type[Scheme]] = {
    "default": Reference,
}


def init_(model: KAN, scheme: Scheme, *, seed: int) -> KAN:
    """Fill every parameter of `model` in place by the laws of `scheme`, and return it.

    Every tensor of every layer has a stream of its own, named "layer {l}/{tensor}".

    Args:
        seed: the seed of all these streams; required.
    """
    for number, layer in enumerate(model.layers):
        init_layer_(layer, scheme, seed=seed, number=number)
    return model


def init_layer_(layer: KANLayer, scheme: Scheme, *, seed: int, number: int) -> KANLayer:
    """Fill the parameters of one layer in place: drawn on the CPU in float64, then cast and moved."""
    import torch

    size = LayerSize(layer.n_in, layer.n_out, layer.grid, layer.k)
    for name, law in scheme.laws(size).items():
        tensor: Tensor = getattr(layer, name)
        values = law.draw(tuple(tensor.shape), generator=stream(seed, f"layer {number}/{name}"))
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(values))
    return layer
